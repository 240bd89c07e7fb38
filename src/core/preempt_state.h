/* Between preempt.c, preempt_form.c and preempt_cost.c: the records of tasks that make way, their
 * code, and what it costs.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_PREEMPT_STATE_H
#define FASTGPU_CORE_PREEMPT_STATE_H

#include "core/preempt.h"

#define PREEMPT_SLICE_NS 900000u /* a slice: one is waited for, or two in a queue of their own */

/* The record number i; that of a task with TASK_M_PREEMPT. */
struct preempt_run *preempt_at(const struct engine *engine, size_t i);
struct preempt_run *preempt_of(const struct engine *engine, const struct task *task);
/* The task has no record any more. */
void preempt_drop(struct engine *engine, struct task *task);

/* A kernel's code in that form, not WHOLE; the kernel has forms. */
struct preempt_code *preempt_form(const struct engine *engine, const struct kernel *kernel,
                                  uint32_t device, uint32_t form);
/* The name of a kernel's form in the performance model. */
uint64_t preempt_key(const struct engine *engine, const struct kernel *kernel, uint32_t device,
                     uint32_t form);
/* The performance model's slot of a form, not WHOLE. */
uint32_t preempt_model(const struct engine *engine, const struct task *task, uint32_t device,
                       uint32_t form);
/* The form that the task had better take of those that are usable (bits: 1 << fgpu_code_form), or
 * WHOLE. task->model is the whole launch's slot. */
uint32_t preempt_wish(struct engine *engine, const struct task *task, uint32_t device,
                      uint32_t usable);
/* [out] body: a launch of the whole grid as the run has it, without a range. */
void preempt_body(const struct task *task, const struct preempt_run *run, const struct code *code,
                  fgpu_cmd_slice *body);

#endif
