/* Small copies into a device's memory, packed into one transfer and distributed by a kernel.
 *
 * The bytes of all rows lie behind each other in a stage of the host's, with a table of where they
 * belong; one write brings both to a stage on the device, and a work group for each row carries it
 * from there. Two stages of the host's for each queue take turns; the device's needs only one, for
 * the queue is in order. The kernel is built with the first other one, on the build thread; until
 * then, and where it does not build, nothing is packed. Thread: the queue's; prepare: the build
 * thread.
 */
#ifndef FASTGPU_OPENCL_SCATTER_H
#define FASTGPU_OPENCL_SCATTER_H

#include "dev/opencl/queue.h"

#define OCL_SCATTER_STAGES 2u

/* Of a queue. All zero: nothing has been packed yet. */
struct ocl_scatter {
    cl_kernel kernel;
    cl_mem stage; /* on the device */
    unsigned char *host[OCL_SCATTER_STAGES];
    uint64_t until[OCL_SCATTER_STAGES]; /* reported number from which on it is free */
    bool broken;                        /* an object could not be made: not tried again */
};

/* Builds the kernel, once. */
void ocl_scatter_prepare(struct ocl_device *device);

/* As ocl_gather_count and ocl_gather_enqueue. */
uint32_t ocl_scatter_count(const struct ocl_queue *queue, const fgpu_cmd *cmds, uint32_t count);
cl_int ocl_scatter_enqueue(struct ocl_queue *queue, const fgpu_cmd *cmds, uint32_t count,
                           struct ocl_record *last);

/* Nothing of the queue is in flight any more. */
void ocl_scatter_free(struct ocl_queue *queue);

#endif
