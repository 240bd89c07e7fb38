/* Status codes: one X-macro list, from which names, texts and the enum are made.
 *
 * Every fallible function returns `fgpu_status`: FGPU_OK (0) or a negative code. The code says what
 * class of thing went wrong; fgpu_last_error() gives the sentence that names the argument, the
 * value and the limit.
 */
#ifndef FASTGPU_STATUS_H
#define FASTGPU_STATUS_H

#include <fastgpu/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, number, one-line meaning). Numbers are ABI: never reuse one. */
#define FGPU_STATUS_LIST(X)                                                                        \
    X(OK, 0, "success")                                                                            \
    X(E_INVAL, -1, "an argument has a value that is not allowed")                                  \
    X(E_HANDLE, -2, "the handle is not one of this library, or of the wrong kind")                 \
    X(E_STALE, -3, "the handle's object has been destroyed")                                       \
    X(E_FOREIGN, -4, "the handle belongs to another pool")                                         \
    X(E_RANGE, -5, "an offset or a size reaches beyond the object")                                \
    X(E_NOMEM, -6, "host memory is exhausted")                                                     \
    X(E_DEVMEM, -7, "device memory is exhausted and nothing more can be evicted")                  \
    X(E_LIMIT, -8, "a limit of the pool is reached")                                               \
    X(E_AGAIN, -9, "the pool is full now and the caller asked not to wait")                        \
    X(E_TIMEOUT, -10, "the time-out passed before the event")                                      \
    X(E_BUILD, -11, "a kernel does not compile; its build log says why")                           \
    X(E_NOVARIANT, -12, "no chosen device can run any variant of the kernel")                      \
    X(E_UNSUPPORTED, -13, "the operation is not supported by this device or this version")         \
    X(E_NODEVICE, -14, "no device matches, or none is left")                                       \
    X(E_DEVICE_LOST, -15, "the device has failed and is no longer used")                           \
    X(E_DEVICE, -16, "the device reported an error")                                               \
    X(E_CANCELLED, -17, "the task was cancelled, or depends on one that was")                      \
    X(E_POISONED, -18, "the task depends on one that failed; see its root cause")                  \
    X(E_TASK, -19, "the task's own function reported failure")                                     \
    X(E_CYCLE, -20, "the dependencies form a cycle")                                               \
    X(E_OVERLAP, -21, "one task writes a range that it also accesses elsewhere")                   \
    X(E_BUSY, -22, "the object is in use in a way that forbids this call")                         \
    X(E_CLOSED, -23, "the pool is closed or closing")                                              \
    X(E_FORKED, -24, "the pool was opened by the parent of this process")                          \
    X(E_IO, -25, "a file or a socket could not be read or written")                                \
    X(E_VERSION, -26, "the struct size or version does not fit this library")                      \
    X(E_SYSTEM, -27, "the operating system refused a resource (thread, lock, map)")                \
    X(E_NOTFOUND, -28, "there is no such thing under that name")                                   \
    X(E_DEADLINE, -29, "the task would end, or would have ended, after its deadline")              \
    X(E_QUOTA, -30, "the tenant has used up the device time that it may use")

typedef enum fgpu_status {
#define FGPU_STATUS_ENUM(name, number, text) FGPU_##name = (number),
    FGPU_STATUS_LIST(FGPU_STATUS_ENUM)
#undef FGPU_STATUS_ENUM
} fgpu_status;

/* Name of a status code, for example "FGPU_E_RANGE".
 * [in] status: any integer, also one that is no status.
 * Returns a static string, never NULL; "FGPU_E_UNKNOWN" for a number outside the list.
 * Thread: any. Does not block. */
FGPU_API const char *fgpu_status_name(int status);

/* One-line meaning of a status code, in English. Same rules as fgpu_status_name(). */
FGPU_API const char *fgpu_status_text(int status);

/* Sentence for the last failure of a FastGPU call on the calling thread.
 * Returns a string owned by the thread, valid until its next FastGPU call that fails; "" before any
 * failure. Successful calls leave it as it is. Longer ones are cut at 511 bytes. Thread: any. Does
 * not block. */
FGPU_API const char *fgpu_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
