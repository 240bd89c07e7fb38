/* Arrival files: clients that send requests, each by a law (the JSON of the DISB benchmark:
 * {"time": SECONDS, "tasks": [{"id", "load": {"type", ...}}]}). Runs on the main thread.
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_ARRIVALS_H
#define FASTGPU_CLI_BENCH_BENCH_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fastgpu/status.h>

#define ARRIVALS_CLIENTS 16u

enum arrivals_law {
    ARRIVALS_CONTINUOUS, /* the next when the last has ended */
    ARRIVALS_PERIODIC,
    ARRIVALS_POISSON,
    ARRIVALS_TRACE
};

struct arrivals_client {
    char name[64];
    uint32_t law;     /* enum arrivals_law */
    double frequency; /* in a second: PERIODIC, POISSON */
    double *trace_ms; /* TRACE: owned, not falling */
    uint32_t trace_count;
    uint64_t work_us;    /* of a request */
    bool is_interactive; /* its name ends with _rt */
};

struct arrivals {
    double seconds;
    struct arrivals_client clients[ARRIVALS_CLIENTS];
    uint32_t count;
};

/* [out] why: names the file and what is wrong there. FGPU_E_IO, FGPU_E_INVAL, FGPU_E_LIMIT,
 * FGPU_E_NOMEM. */
fgpu_status arrivals_read(const char *path, struct arrivals *arrivals, char *why, size_t why_bytes);
void arrivals_fini(struct arrivals *arrivals);

#endif
