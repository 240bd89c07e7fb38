/* Holds a pool's tasks back while a graph is submitted, so that all of it is pending at once and
 * the memory of pending tasks can be read.
 *
 * On a device with worker threads (cpu) a gate task sleeps in each of them; the tasks wait for a
 * worker. A device that runs nothing (null) has no workers to put to sleep: there the host keeps
 * the first buffer mapped, on which every task of a chain, a wavefront or a factorisation depends
 * in the end; independent tasks each name a task that waits for such a mapping, so each of them
 * carries one dependency more. Main thread, and the workers for the gate.
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_HOLD_H
#define FASTGPU_CLI_BENCH_BENCH_HOLD_H

#include <pthread.h>

#include "cli/bench/bench_graph.h"

struct bench_gate {
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    uint32_t inside;
    bool is_open;
};

struct bench_hold {
    struct bench_graph *graph;
    struct bench_gate gate;
    fgpu_kernel kernel;
    fgpu_buffer buffer; /* mapped at `ptr` */
    void *ptr;
    fgpu_task task;
};

/* From here on no task of the graph starts. [in] workers: of the device; 0: it has none.
 * FGPU_E_TIMEOUT when the workers do not go to sleep in the gate. bench_hold_end() is due also
 * after a failure. */
fgpu_status bench_hold_begin(struct bench_hold *hold, struct bench_graph *graph, uint32_t workers);

/* Lets them go. */
fgpu_status bench_hold_end(struct bench_hold *hold);

/* After the pool has no more tasks. */
void bench_hold_fini(struct bench_hold *hold);

#endif
