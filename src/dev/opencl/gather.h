/* Many small copies between the host and the device's own memory as one command.
 *
 * Commands that are submitted together, one behind the other, are taken together: nothing waits for
 * others to come, so whoever needs the data finds them under way at once. Two ways: devices that
 * run native functions make all copies in one of them, in order; elsewhere copies into the device
 * are packed into one transfer, and a kernel distributes them there (scatter.h). Each command keeps
 * its number and its result; they end together, untimed. Thread: the submitting one.
 */
#ifndef FASTGPU_OPENCL_GATHER_H
#define FASTGPU_OPENCL_GATHER_H

#include "dev/opencl/queue.h"

/* Is it a small copy between host and device that is as it should be, and inside its memory? */
bool ocl_gather_takes(const fgpu_cmd *cmd);

/* How many of the commands, from the first on, can be taken as one; 0: that does not pay. */
uint32_t ocl_gather_count(const struct ocl_queue *queue, const fgpu_cmd *cmds, uint32_t count);

/* Enqueues as many: the event of all is the last one's. An error: nothing that was enqueued has an
 * effect, and they are to be taken one by one. [in] last: the record of the last command. */
cl_int ocl_gather_enqueue(struct ocl_queue *queue, const fgpu_cmd *cmds, uint32_t count,
                          struct ocl_record *last);

#endif
