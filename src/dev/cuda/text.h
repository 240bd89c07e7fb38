/* The driver's error numbers: their names, and what they mean for a queue.
 *
 * Pure. Numbers and names: CUDA driver API 12 and 13.
 */
#ifndef FASTGPU_CUDA_TEXT_H
#define FASTGPU_CUDA_TEXT_H

#include <stdbool.h>
#include <fastgpu/status.h>
#include "dev/cuda/driver.h"

/* Name of an error, for example "CUDA_ERROR_ILLEGAL_ADDRESS"; "an unknown CUDA error" for others.
 */
const char *cuda_text_name(cuda_result error);

/* In plain words, for those that a user's kernel or the hardware causes; "" for others. */
const char *cuda_text_reason(cuda_result error);

/* What a failing call means. */
enum cuda_text_class {
    CUDA_TEXT_OK,
    CUDA_TEXT_COMMAND,   /* this command is wrong, the queue is fine */
    CUDA_TEXT_TRANSIENT, /* no room at the moment */
    CUDA_TEXT_DEVICE     /* the context is broken: nothing of it works any more */
};

enum cuda_text_class cuda_text_classify(cuda_result error);

/* FGPU_OK, E_NOMEM, E_DEVMEM, E_BUILD, E_INVAL, E_UNSUPPORTED, E_DEVICE_LOST or E_DEVICE. */
fgpu_status cuda_text_status(cuda_result error);

#endif
