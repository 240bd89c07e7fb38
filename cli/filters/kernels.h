/* The OpenCL C texts of cli/filters/kernels/, as they were when the command was built.
 *
 * The definition is made at build time (cli/filters/kernels.cmake) from the files themselves, so
 * that what users copy from the source tree is what the command runs. Constant data; any thread.
 */
#ifndef FASTGPU_CLI_FILTERS_KERNELS_H
#define FASTGPU_CLI_FILTERS_KERNELS_H

#include <stddef.h>

struct kernel_text {
    const char *name; /* the file's name without .cl */
    const char *text;
};

extern const struct kernel_text kernel_texts[];
extern const size_t kernel_text_count;

/* examples/workloads/demo.json and mix.json. */
extern const char kernels_demo_workload[];
extern const char kernels_mix_workload[];

#endif
