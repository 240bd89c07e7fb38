/* Log levels and the callback that receives a pool's log lines. */
#ifndef FASTGPU_LOG_H
#define FASTGPU_LOG_H

#include <fastgpu/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A logger set to a level passes lines of that level and of the lower numbers. */
enum fgpu_log_level {
    FGPU_LOG_OFF = -1,  /* nothing at all */
    FGPU_LOG_ERROR = 0, /* something was lost: a device, data, a task */
    FGPU_LOG_WARN = 1,  /* it goes on, but worse than it should */
    FGPU_LOG_INFO = 2,  /* once per pool or device */
    FGPU_LOG_DEBUG = 3, /* once per decision */
    FGPU_LOG_TRACE = 4  /* several per task */
};

/* How lines are written to a file or stderr. */
enum fgpu_log_format {
    FGPU_LOG_TEXT = 0, /* "fastgpu: level: area: sentence" */
    FGPU_LOG_JSON = 1  /* a JSON object a line: time_ns (CLOCK_MONOTONIC), level, area, text */
};

/* Receives one log line.
 * [in] user: the pointer given with the callback.
 * [in] level: enum fgpu_log_level.
 * [borrow] text: "area: sentence" without line end, valid during the call only.
 * Thread: any thread of the pool, one at a time. Must not call into the pool that logs. */
typedef void (*fgpu_log_fn)(void *user, int level, const char *text);

#ifdef __cplusplus
}
#endif

#endif
