/* The photographs of the demo: the files that the user names, or the two that Debian's
 * python3-sklearn ships (china.jpg and flower.jpg, 640 x 427). */
#include "cli/run/demo_photos.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/why.h"

#define DEMO_DEFAULT_COUNT 2

static const char *const demo_folders[] = {
    "/usr/lib/python3/dist-packages/sklearn/datasets/images",
    "/usr/local/lib/python3/dist-packages/sklearn/datasets/images",
    "/usr/share/fastgpu/photos",
};

static const char *const demo_default_names[DEMO_DEFAULT_COUNT] = {"china.jpg", "flower.jpg"};

/* Finds one default photograph; false when it is in none of the folders. */
static bool demo_find_default(const char *name, char *path, size_t path_bytes)
{
    for (size_t i = 0; i < sizeof demo_folders / sizeof demo_folders[0]; i++) {
        (void)snprintf(path, path_bytes, "%s/%s", demo_folders[i], name);
        if (access(path, R_OK) == 0)
            return true;
    }
    return false;
}

static bool demo_name_is_taken(const struct demo_photos *photos, const char *name)
{
    for (uint32_t i = 0; i < photos->count; i++)
        if (strcmp(photos->list[i].name, name) == 0)
            return true;
    return false;
}

/* Names a photograph after its file; the second of a name gets "-2" and so on, so that no output
 * hides another. */
static void demo_name_photo(const struct demo_photos *photos, const char *path, char *name)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    int length = dot && dot != base ? (int)(dot - base) : (int)strlen(base);

    if (length > DEMO_PHOTO_NAME_BYTES - 12)
        length = DEMO_PHOTO_NAME_BYTES - 12;
    (void)snprintf(name, DEMO_PHOTO_NAME_BYTES, "%.*s", length, base);
    for (unsigned copy = 2; demo_name_is_taken(photos, name); copy++)
        (void)snprintf(name, DEMO_PHOTO_NAME_BYTES, "%.*s-%u", length, base, copy);
}

/* The list has room. */
static fgpu_status demo_add_photo(struct demo_photos *photos, const char *path, char *why,
                                  size_t why_bytes)
{
    struct demo_photo *photo = &photos->list[photos->count];

    photo->path = strdup(path);
    if (!photo->path)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    demo_name_photo(photos, path, photo->name);
    photos->count++;
    return FGPU_OK;
}

fgpu_status demo_photos_init(struct demo_photos *photos, char *const *paths, uint32_t count,
                             char *why, size_t why_bytes)
{
    uint32_t wanted = count > 0 ? count : DEMO_DEFAULT_COUNT;
    fgpu_status status = FGPU_OK;
    char path[PATH_MAX];

    *photos = (struct demo_photos){.list = calloc(wanted, sizeof *photos->list)};
    if (!photos->list)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for %u photographs", wanted);
    for (uint32_t i = 0; i < wanted && status == FGPU_OK; i++)
        if (count > 0)
            status = demo_add_photo(photos, paths[i], why, why_bytes);
        else if (demo_find_default(demo_default_names[i], path, sizeof path))
            status = demo_add_photo(photos, path, why, why_bytes);
        else
            status = why_fail(FGPU_E_NOTFOUND, why, why_bytes,
                              "the photograph %s is not in %s; install it with\n"
                              "    apt-get install --no-install-recommends python3-sklearn\n"
                              "or name photographs of your own: fastgpu demo PHOTO...",
                              demo_default_names[i], demo_folders[0]);
    if (status != FGPU_OK)
        demo_photos_fini(photos);
    return status;
}

void demo_photos_fini(struct demo_photos *photos)
{
    if (!photos)
        return;
    for (uint32_t i = 0; i < photos->count; i++)
        free(photos->list[i].path);
    free(photos->list);
    *photos = (struct demo_photos){0};
}
