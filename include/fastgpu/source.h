/* What an OpenCL C source says of its kernels, before anything is built: may the pool run them in
 * slices, so that urgent work gets in between, and stop them between work groups?
 *
 * Needs no pool and no device. Pure; any thread.
 */
#ifndef FASTGPU_SOURCE_H
#define FASTGPU_SOURCE_H

#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fgpu_slicing {
    FGPU_SLICING_FREE = 1,    /* any range of its work groups runs as it is */
    FGPU_SLICING_REWRITE = 2, /* ... once what it asks of the whole grid has been rewritten */
    FGPU_SLICING_NEVER = 3    /* its groups may communicate, or it could not be read */
} fgpu_slicing;

typedef struct fgpu_source_kernel {
    uint32_t struct_bytes; /* set by fgpu_source_read */
    uint32_t line;
    char name[128]; /* cut to fit, as the reasons */
    uint32_t arg_count;
    uint32_t required_local[3]; /* work-group size that it insists on; 0: none */
    uint32_t slicing;           /* fgpu_slicing: the class */
    uint32_t sliced;            /* 1: a device can run ranges of its work groups */
    uint32_t guarded;           /* 1: and stop between any two of them */
    uint32_t reserved;
    char slicing_why[256]; /* of a class other than FREE: the line and what it does there */
    char sliced_why[256];  /* where sliced or guarded is 0 */
} fgpu_source_kernel;

/* Read the kernels of a source. [in] source: NUL terminated. [in] options: build options, may be
 * NULL. [out] kernels: the first `capacity` of them in the order of the text; may be NULL with 0.
 * [out] count: how many there are. Errors: FGPU_E_INVAL, FGPU_E_BUILD and FGPU_E_LIMIT with line
 * and column (what is merely unreadable makes a kernel's class NEVER), FGPU_E_NOMEM. */
FGPU_API fgpu_status fgpu_source_read(const char *source, const char *options,
                                      fgpu_source_kernel *kernels, uint32_t capacity,
                                      uint32_t *count);

#ifdef __cplusplus
}
#endif

#endif
