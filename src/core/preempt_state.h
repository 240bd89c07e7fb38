/* Between preempt.c and preempt_form.c: the records of tasks that make way, and their code.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_PREEMPT_STATE_H
#define FASTGPU_CORE_PREEMPT_STATE_H

#include "core/preempt.h"

/* The record number i; that of a task with TASK_M_PREEMPT. */
struct preempt_run *preempt_at(const struct engine *engine, size_t i);
struct preempt_run *preempt_of(const struct engine *engine, const struct task *task);
/* The task has no record any more. */
void preempt_drop(struct engine *engine, struct task *task);

/* A kernel's code in that form, not WHOLE; the kernel has forms. */
struct preempt_code *preempt_form(const struct engine *engine, const struct kernel *kernel,
                                  uint32_t device, uint32_t form);
/* [out] body: a launch of the whole grid as the run has it, without a range. */
void preempt_body(const struct task *task, const struct preempt_run *run, const struct code *code,
                  fgpu_cmd_slice *body);

#endif
