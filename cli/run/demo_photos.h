/* The photographs of the demo: which files, and what their results are called. */
#ifndef FASTGPU_CLI_RUN_DEMO_PHOTOS_H
#define FASTGPU_CLI_RUN_DEMO_PHOTOS_H

#include <fastgpu/fastgpu.h>

#define DEMO_PHOTO_NAME_BYTES 40

struct demo_photo {
    char *path;
    char name[DEMO_PHOTO_NAME_BYTES]; /* the file's name without folder and ending, unique in the
                                         run */
};

struct demo_photos {
    struct demo_photo *list;
    uint32_t count;
};

/* Takes the files that the user names, or with none the two photographs that Debian ships. FGPU_OK,
 * or with a sentence FGPU_E_NOMEM, FGPU_E_NOTFOUND (the two are not installed; the sentence says
 * how to get them). */
fgpu_status demo_photos_init(struct demo_photos *photos, char *const *paths, uint32_t count,
                             char *why, size_t why_bytes);
void demo_photos_fini(struct demo_photos *photos); /* NULL and empty are allowed */

#endif
