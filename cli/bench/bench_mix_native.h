/* The five kernels of `fastgpu bench mix` as C functions, and what their results must be. Pure.
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_MIX_NATIVE_H
#define FASTGPU_CLI_BENCH_BENCH_MIX_NATIVE_H

#include "cli/workload/workload_data.h"

/* The function that does what the kernel of that name in cli/filters/kernels/mix.cl does, to the
 * same bits; NULL for another name. */
fgpu_native_fn bench_mix_native(const char *kernel);

/* Whether a buffer that the mix has made holds what a slow computation in double precision from the
 * inputs says, within what float arithmetic may lose. [in] memory: of buffer number `buffer`. False
 * with a sentence. */
bool bench_mix_check(const struct workload *workload, const struct workload_data *data,
                     uint32_t buffer, const unsigned char *memory, char *why, size_t why_bytes);

#endif
