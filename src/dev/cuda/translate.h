/* OpenCL C for the cuda device: made into CUDA C++ (code/cuda.h), sliced or guarded where asked
 * (code/preempt.h).
 *
 * Thread: a build thread.
 */
#ifndef FASTGPU_CUDA_TRANSLATE_H
#define FASTGPU_CUDA_TRANSLATE_H

#include "code/cuda.h"
#include "dev/cuda/device.h"

struct cuda_translation {
    fgpu_code_source source; /* for NVRTC: variant CUDA, all parameters counted */
    uint32_t hidden;         /* of arg_count: parameters behind those that launches give */
    struct code_cuda made;
};

/* [in] source: OPENCL, any form. On success give it to cuda_translation_fini(); on failure the log
 * in `built` says why. Errors: those of code_cuda_make() and code_preempt_make(), FGPU_E_BUILD
 * where the kernel takes another number of arguments. */
fgpu_status cuda_translate(const fgpu_code_source *source, fgpu_code_built *built,
                           struct cuda_translation *translation);
void cuda_translation_fini(struct cuda_translation *translation);

#endif
