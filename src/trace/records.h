/* A trace as the records of fgpu_trace_read(), in the order of their ends.
 *
 * Beside the walk: reads a trace that nobody changes meanwhile (trace_copy), made into spans, and
 * gives one record after another to a function of the caller's. Pure. Thread: any. Owns nothing
 * after the call.
 */
#ifndef FASTGPU_TRACE_RECORDS_H
#define FASTGPU_TRACE_RECORDS_H

#include <fastgpu/stats.h>
#include "trace/trace.h"

/* [in] pool: its number in handles. FGPU_E_NOMEM without a text; nothing was given then. */
fgpu_status records_give(const struct trace *trace, uint32_t pool, fgpu_trace_fn fn, void *user);

#endif
