/* One command record to OpenCL commands: the step launch, on one device.
 *
 * Takes a record and the queue it goes to, gives an event or OpenCL's error. Thread: the submitting
 * one; native calls run on the device's threads. Owns nothing.
 */
#ifndef FASTGPU_OPENCL_COMMAND_H
#define FASTGPU_OPENCL_COMMAND_H

#include "dev/opencl/queue.h"

/* Enqueues a LAUNCH, COPY or FILL. CL_SUCCESS with record->runs set when there was something to do,
 * and then with record->event when `watched`; or the error: then nothing that was enqueued matters,
 * and the command may be tried again. */
cl_int ocl_command_enqueue(struct ocl_queue *queue, const fgpu_cmd *cmd, struct ocl_record *record,
                           bool watched);

#endif
