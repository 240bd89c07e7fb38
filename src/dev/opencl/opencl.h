/* The OpenCL backend: any device of any vendor behind the ICD loader, which is opened at run time.
 *
 * Stands below the drivers on the walk of a task (launch and complete): takes command records,
 * enqueues OpenCL commands, learns from event callbacks how far a queue is. The rooms, in reading
 * order: loader (the library), text (its errors), platform (what exists, shared contexts), hostmem
 * (may a CPU device work on host memory?), device, mem, code and cache, args, command (one record
 * to OpenCL calls), gather and scatter (many small copies to one), queue (numbers, completion).
 * Names in here begin with ocl_, so that they do not meet those of other devices.
 */
#ifndef FASTGPU_OPENCL_OPENCL_H
#define FASTGPU_OPENCL_OPENCL_H

#include <fastgpu/backend.h>

extern const fgpu_backend opencl_backend;

#endif
