/* Step 2, graph: who has to wait for whom. See graph.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_GRAPH_H
#define FASTGPU_CORE_GRAPH_H

#include "core/engine.h"

/* NEW -> LINKED: edges from the unfinished tasks whose data or order this one depends on. Failures
 * already known doom the task at once (graph_doom). FGPU_E_NOMEM dooms it too. */
void graph_link(struct engine *engine, struct task *task);
/* The same for a brief task whose buffers are one segment each and are there, and whose unfinished
 * predecessors are all on `lane` already: it may go there at once. False where anything is
 * different: nothing has been changed. [out] buffers: of its accesses; `linked` of these counts the
 * task as one that is on its lane. */
bool graph_link_behind(struct engine *engine, struct task *task, uint16_t lane,
                       struct buffer *buffers[TASK_BRIEF_ACCESSES]);

/* The task is on a lane: successors whose last unissued predecessor it was go to engine->work. */
void graph_issue(struct engine *engine, struct task *task);

/* The task was taken off its lane again (skipped, device lost): successors count it as unissued. */
void graph_unissue(struct engine *engine, struct task *task);

/* The task has ended: successors that waited for nothing else go to engine->work; those that use
 * its data are doomed when it did not succeed. Its segments are committed, or poisoned. */
void graph_release(struct engine *engine, struct task *task, fgpu_status status);

/* Of both, what concerns one access, or the successors alone. */
void graph_release_access(struct engine *engine, struct task *task, uint32_t i, fgpu_status status);
void graph_tell_issued(struct engine *engine, struct task *task);
void graph_release_succ(struct engine *engine, struct task *task, fgpu_status status);

/* The task will not run (again): it ends with `status` once its predecessors and its copies have
 * ended. The first reason stays. [in] root: the task where it began; its index and word. */
void graph_doom(struct task *task, fgpu_status status, uint32_t root, uint32_t root_word);

/* How a failure shows in those that depend on it: POISONED, or CANCELLED. */
fgpu_status graph_heritage(fgpu_status status);

/* The record still is the task of that generation, and it has not ended. */
bool graph_is_live(const struct engine *engine, uint32_t index, uint32_t generation);

/* `to` waits for `from`; data: it also fails with it. FGPU_E_NOMEM dooms it, then false. */
bool graph_edge(struct engine *engine, struct task *from, struct task *to, bool data);

/* Makes the ends of access `i` borders of segments. False without memory. */
bool graph_cut(struct engine *engine, struct task *task, uint32_t access);

/* Calls fn for every segment that access `i` of the task touches, in order; stops when fn returns
 * false. */
typedef bool (*graph_segment_fn)(struct engine *engine, struct task *task, uint32_t access,
                                 struct imap_seg *seg, void *user);
bool graph_walk(struct engine *engine, struct task *task, uint32_t access, graph_segment_fn fn,
                void *user);

/* Makes `begin` and `end` borders of segments. False without memory. */
bool graph_split(struct engine *engine, struct buffer *buffer, uint64_t begin, uint64_t end);

/* Takes the ended ones out of a segment's list of readers. */
void graph_sweep_readers(struct engine *engine, struct segment *segment);

/* Nobody uses the buffer now: equal neighbours among its segments become one. */
void graph_merge(struct engine *engine, struct buffer *buffer);

static inline struct segment *graph_segment(struct imap_seg *seg)
{
    return imap_payload(seg);
}

/* What a walk will read, long before it does: the record of a task, TASK_NONE: nothing; the records
 * of the task's buffers, whose record is there; then, when those are there, blocks and segments;
 * then what the segments name. */
void graph_fetch_record(const struct engine *engine, uint32_t index);
void graph_fetch_buffers(const struct engine *engine, const struct task *task);
void graph_fetch(const struct engine *engine, const struct task *task);
void graph_fetch_more(const struct engine *engine, const struct task *task);

/* A new buffer's segments: payload hooks of the interval map. [in] user: the engine. */
fgpu_status graph_buffer_init(struct engine *engine, struct buffer *buffer, uint64_t size_bytes);
void graph_buffer_fini(struct engine *engine, struct buffer *buffer);

#endif
