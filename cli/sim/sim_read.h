/* Task graphs from files: FastGPU's own JSON (docs/graph.md, docs/graph.schema.json), and instances
 * of the WfCommons project (WfFormat 1.3 to 1.5). Which it is, the keys say.
 *
 * Reading is strict: the first mistake ends it, with the path of the value, what stands there and
 * what would be right. Thread: one at a time; sim_read() blocks on the disk.
 */
#ifndef FASTGPU_CLI_SIM_SIM_READ_H
#define FASTGPU_CLI_SIM_SIM_READ_H

#include <stddef.h>

#include "cli/common/json_in.h"
#include "cli/sim/sim_graph.h"

/* [out] graph: initialised before; on failure to be given to sim_graph_fini() all the same.
 * FGPU_E_IO, FGPU_E_INVAL, FGPU_E_LIMIT, FGPU_E_NOMEM, FGPU_E_CANCELLED with a sentence that
 * begins with the file's name. */
fgpu_status sim_read(const char *path, struct sim_graph *graph, char *why, size_t why_bytes);

/* The same from memory. [in] name: for sentences. */
fgpu_status sim_read_text(const char *name, const char *text, size_t size_bytes,
                          struct sim_graph *graph, char *why, size_t why_bytes);

#endif
