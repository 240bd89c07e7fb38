/* The prelude of every translation, as C++ text: generated from cuda_*.cu when FastGPU is built.
 */
#ifndef FASTGPU_CODE_CUDA_TEXT_H
#define FASTGPU_CODE_CUDA_TEXT_H

extern const char code_cuda_text[];

#endif
