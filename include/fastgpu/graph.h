/* Graphs: record tasks once, launch them many times.
 *
 * Nodes are task descriptions; edges come from data in the order of recording and from
 * fgpu_graph_depend(). Instantiating checks everything (handles, ranges, cycles) and fixes the
 * order; launching submits the whole at once. Results are those of submitting the nodes one after
 * another in that order. Graphs of short kernels on devices that work in host memory run as one
 * command from their third launch on, unless the pool is traced; then a launch counts as one
 * pending task. Thread: any, also several on one graph. Only a launch may block, and only
 * where fgpu_task_submit() would.
 */
#ifndef FASTGPU_GRAPH_H
#define FASTGPU_GRAPH_H

#include <fastgpu/task.h>
#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Make an empty graph. [out] graph: zero on failure. Errors: FGPU_E_LIMIT (65536 graphs in a pool),
 * FGPU_E_NOMEM. */
FGPU_API fgpu_status fgpu_graph_create(fgpu_pool pool, fgpu_graph *graph);

/* Record a task. [in] desc: checked and copied with its arguments, scalars and name; `after` must
 * be empty (FGPU_E_INVAL; use fgpu_graph_depend()). [borrow] host_user, on_done_user: as long as
 * launches go on. on_done is called once in each launch. [out] node: its number in the graph, from
 * 0; may be NULL. Errors as fgpu_task_submit(), FGPU_E_LIMIT (1048576 nodes). */
FGPU_API fgpu_status fgpu_graph_add(fgpu_graph graph, const fgpu_task_desc *desc, uint32_t *node);

/* Node `node` runs after node `on`, whichever was recorded first, and not at all when that fails.
 * Errors: FGPU_E_RANGE, FGPU_E_LIMIT (4096 for one node; join some with an empty task). Cycles are
 * found by instantiate. */
FGPU_API fgpu_status fgpu_graph_depend(fgpu_graph graph, uint32_t node, uint32_t on);

/* Check and order: nodes whose data conflict stay in the order of recording, the others too unless
 * fgpu_graph_depend() says otherwise. [out] exec: independent of later changes to the graph, and of
 * its destruction. Errors: FGPU_E_CYCLE with the cycle's nodes named, each before the one that
 * waits for it ("3 'blur' -> 7 -> 3"); FGPU_E_STALE naming a node whose buffer or kernel is gone;
 * FGPU_E_LIMIT, FGPU_E_NOMEM. */
FGPU_API fgpu_status fgpu_graph_instantiate(fgpu_graph graph, fgpu_graph_exec *exec);

/* Launch once. [out] task: ends when all nodes have ended. When a node fails it ends with
 * FGPU_E_POISONED (FGPU_E_CANCELLED for a cancelled one), and the first node that failed is its
 * root (fgpu_task_get_error). May be NULL. Launches of one exec may overlap where their data allows
 * it. Failed nodes are remembered while `task` is: after fgpu_task_forget() on it, or at once where
 * it was NULL, the next launch or the destruction of the exec forgets those that fgpu_pool_wait()
 * has not still to report. Errors: FGPU_E_STALE naming a node whose buffer or kernel is gone,
 * FGPU_E_NOMEM, at the pool's task limit as fgpu_task_submit(). A launch that fails in the middle
 * cancels its nodes that are not running yet. */
FGPU_API fgpu_status fgpu_graph_launch(fgpu_graph_exec exec, fgpu_task *task);

/* Destroy. Launches under way go on; nodes of theirs that fail are remembered until the pool
 * closes. A zero handle is accepted. Thread: any. Does not block. */
FGPU_API fgpu_status fgpu_graph_exec_destroy(fgpu_graph_exec exec);

/* The same for a graph; what was instantiated from it stays. */
FGPU_API fgpu_status fgpu_graph_destroy(fgpu_graph graph);

#ifdef __cplusplus
}
#endif

#endif
