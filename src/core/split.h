/* Beside place on the walk: a divisible task is run in pieces, on several lanes. See split.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_SPLIT_H
#define FASTGPU_CORE_SPLIT_H

#include "core/engine.h"

struct split; /* engine->split; NULL until the first task is run in pieces */

/* When pieces pay. Constant, but for tests whose tasks are small. */
struct split_tuning {
    double least_ns; /* of a piece: several times what starting it costs */
    double worth_ns; /* of a task: less is not worth sharing */
    double gain;     /* in pieces it takes at most so much of what it takes whole */
};
extern struct split_tuning split_tuning;

void split_fini(struct engine *engine);

/* PICKED -> RUNNING, where pieces on all lanes pay: they come out of split_next(). False: it is
 * placed as any other. */
bool split_begin(struct engine *engine, struct task *task);

/* PLACED -> RUNNING, where it may pay that others can take over what is left of it: its lane runs
 * it in pieces. False: it is run whole (and is not divisible any more). */
bool split_begin_at(struct engine *engine, struct task *task);

/* A piece of what a busy lane has left, PLACED on an idle one that makes it end sooner. NULL: there
 * is none. */
struct task *split_take_over(struct engine *engine);

/* What is left of a task in pieces for its own lane, ns. 0: nothing, or it has none. */
uint64_t split_left_ns(const struct engine *engine, const struct task *task);

/* The next piece that a lane should have now, PLACED there; NULL: none. */
struct task *split_next(struct engine *engine);

/* Something has changed of which no piece waits, as a build: there is a turn to come. */
void split_look(struct engine *engine);

/* A piece without a lane, which nobody waits for: what it was to do is to be had again, and its
 * record is gone. */
void split_take_back(struct engine *engine, struct task *piece);

/* Tasks that one lane runs in pieces, for checks. */
uint32_t split_homes(const struct engine *engine);

/* A piece, or a task in pieces, is about to end with `status`. */
void split_ended(struct engine *engine, struct task *task, fgpu_status status);

/* A task of which no piece is left: FGPU_OK, or what it ends with. FGPU_E_AGAIN: not yet. */
fgpu_status split_finish(struct engine *engine, struct task *task);

/* The slot of a piece's record is free. True: it is kept for the next one. */
bool split_keep_slot(struct engine *engine, uint32_t slot);

#endif
