/* Names of OpenCL C in CUDA C++: which have to be others, and what calls become.
 *
 * Pure tables. Thread: any.
 */
#ifndef FASTGPU_CODE_CUDA_NAMES_H
#define FASTGPU_CODE_CUDA_NAMES_H

#include "code/context.h"

/* May a program of OpenCL C not keep this name in CUDA C++ (`new`, `threadIdx`, fcl_...)? */
bool code_cuda_taken(const char *name);

/* What stands for the name of the built-in function `name` in a call; *call is NULL for itself.
 * False: it is not translated. */
bool code_cuda_call(struct code_context *context, const char *name, const char **call);

#endif
