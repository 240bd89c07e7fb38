/* OpenCL's error numbers: their names, and what they mean for a queue.
 *
 * Pure. Numbers and names: OpenCL 3.0 specification, header CL/cl.h; -1001 from cl_khr_icd.
 */
#ifndef FASTGPU_OPENCL_TEXT_H
#define FASTGPU_OPENCL_TEXT_H

#include "dev/opencl/loader.h"

/* Name of an error, for example "CL_OUT_OF_RESOURCES"; "an unknown OpenCL error" for others. */
const char *ocl_text_name(cl_int error);

/* What a failing enqueue means. */
enum ocl_text_class {
    OCL_TEXT_OK,
    OCL_TEXT_COMMAND,   /* this command is wrong, the queue is fine */
    OCL_TEXT_TRANSIENT, /* no room at the moment */
    OCL_TEXT_DEVICE     /* the queue does not work any more */
};

enum ocl_text_class ocl_text_classify(cl_int error);

/* The status that tells an error: FGPU_OK, E_NOMEM, E_DEVMEM, E_BUILD, E_INVAL, E_DEVICE_LOST or
 * E_DEVICE. */
fgpu_status ocl_text_status(cl_int error);

#endif
