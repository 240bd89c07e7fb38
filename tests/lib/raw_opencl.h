/* The first OpenCL device by hand, through a loader opened at run time: runs the tasks of a plan
 * one after another, with sub-buffers for regions, so that kernel texts are judged without anything
 * of the pool in between.
 */
#ifndef FASTGPU_TESTS_LIB_RAW_OPENCL_H
#define FASTGPU_TESTS_LIB_RAW_OPENCL_H

#include "lib/plan.h"

struct raw_opencl;

/* Opens the first device. [in] library: path of a loader or driver; NULL: the machine's loader.
 * NULL where there is none or it has no device (said on stderr). */
struct raw_opencl *raw_opencl_open(const char *library);

/* Where an argument may begin on that device, in bytes. */
uint32_t raw_opencl_align_bytes(const struct raw_opencl *cl);

/* Runs all tasks of the plan. [in] memory: what each buffer holds; written back afterwards. Returns
 * 0, or an OpenCL error code after saying on stderr what failed. */
int raw_opencl_run(struct raw_opencl *cl, const struct plan *plan, unsigned char *const *memory);

void raw_opencl_close(struct raw_opencl *cl);

#endif
