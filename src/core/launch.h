/* Step 6, launch: records for one queue, in order. See launch.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_LAUNCH_H
#define FASTGPU_CORE_LAUNCH_H

#include "core/engine.h"

enum launch_answer {
    LAUNCH_ISSUED,
    LAUNCH_BUILD, /* its kernel is being compiled for the device: the task waits */
    LAUNCH_FAILED /* doomed: the kernel does not compile here */
};

/* Is the kernel's code there? Orders the build and lists the task when it is not. */
enum launch_answer launch_code(struct engine *engine, struct task *task);

/* Ask for a build on `device` unless it was asked for. */
void launch_build(struct engine *engine, struct kernel *kernel, uint32_t device);

/* The code of a launch, and its work-group size where the caller left that to the pool. */
void launch_with(fgpu_cmd_launch *launch, const struct code *code, bool auto_local);

/* PLACED -> RUNNING: append the command. Everything is there. */
void launch_task(struct engine *engine, struct task *task, bool chained);

/* Its last part: the command, when the body is complete. */
void launch_append(struct engine *engine, struct lane *lane, struct task *task, uint32_t kind,
                   bool chained);

/* A FENCE for a lane on which a command has failed. */
void launch_fence(struct engine *engine, struct lane *lane);

#endif
