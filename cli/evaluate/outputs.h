/* The files that a workload leaves: named, checked before the work runs, written when it is done.
 *
 * Every file is whole or absent (file.h). Thread: one at a time; blocks on the disk.
 */
#ifndef FASTGPU_CLI_EVALUATE_OUTPUTS_H
#define FASTGPU_CLI_EVALUATE_OUTPUTS_H

#include "cli/image/image.h"
#include "cli/workload/workload.h"

struct outputs {
    const struct workload *workload; /* NULL: empty */
    char **paths;                    /* by output: where it goes */
};

/* What else is written, or read and must not be written over. */
struct outputs_other {
    const char *path; /* NULL: nothing */
    bool is_input;
};

/* Names the files: relative ones are put into `folder` (NULL: where the command runs). Makes the
 * folders, and finds out that files can be made there, that no two are the same file, whatever
 * their names, and that none is read by the workload. [in] others: at most OUTPUTS_OTHERS. [borrow]
 * workload: until outputs_fini(). On failure it is empty: FGPU_E_IO, FGPU_E_INVAL for names that
 * cannot be, FGPU_E_LIMIT, FGPU_E_NOMEM. */
#define OUTPUTS_OTHERS 8
fgpu_status outputs_init(struct outputs *outputs, const struct workload *workload,
                         const char *folder, const struct outputs_other *others, char *why,
                         size_t why_bytes);
void outputs_fini(struct outputs *outputs); /* NULL is allowed */

/* Writes one. [in] memory: its buffer, in the layout of the workload. */
fgpu_status outputs_write(const struct outputs *outputs, uint32_t number,
                          const unsigned char *memory, char *why, size_t why_bytes);

/* A picture with the samples of a buffer that is one of uint8. The caller frees it. */
fgpu_status outputs_picture(const struct workload_buffer *buffer, const unsigned char *memory,
                            struct image *image, char *why, size_t why_bytes);

/* Makes a folder and those above it; FGPU_E_IO where that cannot be, or is no folder. */
fgpu_status outputs_make_folder(const char *folder, char *why, size_t why_bytes);

#endif
