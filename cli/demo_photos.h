/* The photographs of a run: which files, loaded as RGB. */
#ifndef FASTGPU_CLI_DEMO_PHOTOS_H
#define FASTGPU_CLI_DEMO_PHOTOS_H

#include <signal.h>
#include <stdbool.h>

#include "image.h"

#define DEMO_PHOTO_NAME_BYTES 40

/* The files that the user names. [borrow] */
struct demo_paths {
    char **list;
    uint32_t count; /* 0: none is named */
};

struct demo_photo {
    char name[DEMO_PHOTO_NAME_BYTES]; /* the file's name without folder and ending, unique in the
                                         run */
    struct image image;               /* three channels */
};

struct demo_photos {
    struct demo_photo *list;
    uint32_t count;
};

/* Loads `path_count` files, or with 0 the two photographs that Debian ships. Returns FGPU_OK or the
 * first failure with a sentence (FGPU_E_NOTFOUND: the two are not installed; the sentence says how
 * to get them; FGPU_E_CANCELLED: `stop`, which may be NULL, was set). */
fgpu_status demo_photos_load(const struct demo_paths *paths, const volatile sig_atomic_t *stop,
                             struct demo_photos *photos, char *why, size_t why_bytes);

void demo_photos_fini(struct demo_photos *photos);

#endif
