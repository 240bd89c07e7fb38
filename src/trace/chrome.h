/* A trace as JSON for chrome://tracing and ui.perfetto.dev.
 *
 * Format: "Trace Event Format" (Google, 2016): an object with "traceEvents". One process per device
 * and one for the pool, one thread per queue; runs and copies are complete events ("X") that never
 * overlap on a queue, builds are asynchronous spans ("b", "e"), failures, evictions and lost
 * devices are instants ("i"), and so are tasks that never ran; dependencies are flows ("s", "f")
 * from the end of the producer, or of a copy, to the start of the consumer; tasks in flight and
 * memory per node are counters ("C"). The name of a device's process has the device's index and, as
 * "id", what a user calls it, for runs speak of devices by index. The arguments of a run tell why
 * it ran where and when
 * (`fastgpu explain` reads them): when the task was submitted, ready, placed and ended, the tasks
 * that it waited for, and the queues that were looked at, the chosen one first. Begins whose end
 * is missing and ends whose begin fell out of the ring are left out, unless the end itself says
 * both times. Pure: the text leaves through a function of the caller's. Thread: any, on a trace
 * that nobody changes meanwhile.
 */
#ifndef FASTGPU_TRACE_CHROME_H
#define FASTGPU_TRACE_CHROME_H

#include <stddef.h>
#include <stdint.h>
#include <fastgpu/status.h>
#include "trace/trace.h"

/* Takes the next piece of text; a status other than FGPU_OK stops the export. */
typedef fgpu_status (*chrome_write_fn)(void *user, const char *text, size_t size_bytes);

struct chrome_options {
    const char *const *device_names; /* [borrow] by device index; entries may be NULL */
    const char *const *device_ids;   /* [borrow] the same; what a user calls the device */
    uint32_t device_count;
    const char *const *node_names; /* [borrow] by memory node; NULL, or entries NULL: "node N" */
    uint32_t node_count;
};

/* [in] options: NULL for none. FGPU_OK, FGPU_E_NOMEM (without a text), or what `write` returned. */
fgpu_status chrome_export(const struct trace *trace, const struct chrome_options *options,
                          chrome_write_fn write, void *user);

#endif
