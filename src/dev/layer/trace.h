/* A layer that tells what a device is asked and answers, call by call. It changes nothing.
 *
 * For tests and for looking at a device that misbehaves. Thread: the record function is called by
 * whichever thread made the call, several at a time; it must not block and must not call the
 * device.
 */
#ifndef FASTGPU_DEV_LAYER_TRACE_H
#define FASTGPU_DEV_LAYER_TRACE_H

#include "dev/layer/layer.h"

enum layer_trace_kind {
    LAYER_TRACE_ALLOC = 1,
    LAYER_TRACE_FREE,
    LAYER_TRACE_BUILD,
    LAYER_TRACE_CODE_FREE,
    LAYER_TRACE_QUEUE_OPEN,
    LAYER_TRACE_QUEUE_CLOSE,
    LAYER_TRACE_COMMAND,  /* a command was accepted */
    LAYER_TRACE_REFUSED,  /* the rest of a submission was not accepted: `value` commands */
    LAYER_TRACE_FINISHED, /* poll gave a new number or an error */
    LAYER_TRACE_CLOSE
};

struct layer_trace_event {
    uint32_t kind;       /* enum layer_trace_kind */
    uint32_t queue;      /* COMMAND, REFUSED, FINISHED, QUEUE_... */
    fgpu_status status;  /* what the call returned; FGPU_OK where it returns none */
    uint64_t number;     /* COMMAND, REFUSED: of the (last accepted) command; FINISHED: polled */
    uint64_t value;      /* ALLOC: bytes; FREE: the handle; BUILD, CODE_FREE: the code */
    const fgpu_cmd *cmd; /* COMMAND: valid during the call */
};

struct layer_trace_sink {
    void (*record)(void *user, const struct layer_trace_event *event);
    void *user;
};

/* Wraps the device. [borrow] sink->user until it is closed. FGPU_E_NOMEM. */
fgpu_status layer_trace_wrap(struct layer_device *device, const struct layer_trace_sink *sink);

#endif
