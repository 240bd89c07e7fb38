/* How busy the machine's cores are while something runs, and how far the pool has got: a thread
 * that looks every so often. CPU time is that of this process (CLOCK_PROCESS_CPUTIME_ID), which
 * counts in ns whatever the kernel's tick is.
 */
#ifndef FASTGPU_CLI_COMMON_SAMPLER_H
#define FASTGPU_CLI_COMMON_SAMPLER_H

#include <stdbool.h>

#include <fastgpu/fastgpu.h>

#define SAMPLER_SAMPLES_LIMIT 4096 /* kept; when they are reached, every second one goes */
#define SAMPLER_PERIOD_LEAST_NS 200000u

struct sample {
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    uint64_t cpu_ns;  /* of this process, since it began */
    uint64_t tasks_done;
};

struct sampler;

/* Starts a thread that takes a sample every `period_ns` (at least SAMPLER_PERIOD_LEAST_NS), and one
 * at once. FGPU_E_NOMEM, FGPU_E_SYSTEM. [borrow] pool: until stopped. */
fgpu_status sampler_start(fgpu_pool pool, uint64_t period_ns, struct sampler **sampler);

/* Takes a last sample and ends the thread. [give] samples: for free(), at least two, in order of
 * time. When very many come, every second one is dropped and the period doubled. Frees the sampler;
 * NULL gives none and FGPU_E_INVAL. */
fgpu_status sampler_stop(struct sampler *sampler, struct sample **samples, uint32_t *count);

/* Busy share, 0 to 1, of `cores` between two times, by straight lines between samples; what lies
 * outside of the samples does not count. 0 where nothing is left. */
double sampler_share(const struct sample *samples, uint32_t count, double cores, uint64_t from_ns,
                     uint64_t to_ns);

#endif
