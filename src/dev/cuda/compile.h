/* CUDA C to something that the driver loads, by NVRTC, with a cache on disk.
 *
 * Thread: a build thread. Owns nothing.
 */
#ifndef FASTGPU_CUDA_COMPILE_H
#define FASTGPU_CUDA_COMPILE_H

#include "dev/cuda/device.h"

/* What the driver loads, and the kernel's name in it. Owned: free with cuda_compile_free(). */
struct cuda_image {
    void *memory;
    const void *code; /* for cuModuleLoadDataEx: a cubin, or PTX with its NUL */
    const char *name; /* lowered */
};

/* [out] image: nothing to free on failure. Errors as cuda_code_build(), with a text. */
fgpu_status cuda_compile(struct cuda_device *device, const fgpu_code_source *source,
                         fgpu_code_built *built, struct cuda_image *image);
void cuda_compile_free(struct cuda_image *image);

/* Puts `text` in front of the log. */
void cuda_compile_say(fgpu_code_built *built, const char *text);

#endif
