/* The same batch and requests without the pool: one in-order OpenCL queue that both are put into,
 * as programs do. Main thread, with a thread of its own for the batch; failures are a status and a
 * sentence.
 */
#ifndef FASTGPU_CLI_LATENCY_URGENT_RAW_H
#define FASTGPU_CLI_LATENCY_URGENT_RAW_H

#include "cli/latency/urgent.h"

struct urgent_raw;

/* [in] pool: the same device, and how large launches are. [give] *raw; NULL with FGPU_OK where the
 * device is not one of OpenCL. */
fgpu_status urgent_raw_open(const struct urgent_pool *pool, struct urgent_raw **raw, char *why,
                            size_t why_bytes);
void urgent_raw_close(struct urgent_raw *raw);

/* Runs the load and checks what came out. [in,out] run: its load and stop are read; samples, count
 * and marks come back, for urgent_fini(). FGPU_E_CANCELLED: stopped. */
fgpu_status urgent_raw_run(struct urgent_raw *raw, struct urgent_run *run, char *why,
                           size_t why_bytes);

#endif
