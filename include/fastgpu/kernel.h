/* Kernels: one computation, in one or several variants.
 *
 * A variant is OpenCL C text, a native C function over a range of work groups, or CUDA C text. The
 * pool uses what the chosen device can run. Argument access modes are declared with
 * fgpu_kernel_set_arg() or, where nothing is declared, read from the OpenCL C source; a native-only
 * kernel must declare them. A kernel is open for changes, by one thread at a time, until it is
 * built or its first task is submitted or recorded (then FGPU_E_BUSY). The other functions may be
 * called from any thread. None blocks but fgpu_kernel_build().
 */
#ifndef FASTGPU_KERNEL_H
#define FASTGPU_KERNEL_H

#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The part of a grid that a native function is called for: the work groups group_begin <= g <
 * group_end in linear order (dimension 0 fastest: g = x + groups[0] * (y + groups[1] * z)). */
typedef struct fgpu_range {
    uint32_t dims;
    uint32_t worker;    /* which worker thread of the device runs this, from 0 */
    uint64_t global[3]; /* work items in each dimension (1 beyond dims) */
    uint64_t local[3];  /* work items in a group */
    uint64_t groups[3]; /* work groups: global / local, rounded up */
    uint64_t group_begin;
    uint64_t group_end;
} fgpu_range;

/* Native variant. Called concurrently on disjoint ranges of one task, from the device's worker
 * threads. [in] args[i]: for a buffer argument the address of its region's first byte; for a scalar
 * the address of its value; for local memory the address of scratch of the size asked for, private
 * to the call. [borrow] all of it until return. Returns 0, or any other value to make the task fail
 * with FGPU_E_TASK. Must not call blocking FastGPU functions. */
typedef int (*fgpu_native_fn)(const fgpu_range *range, void *const *args, void *user);

/* May the native function that calls it go on? True when something urgent waits for this thread, so
 * that the function should return fgpu_yield_at() soon, within some 100 us. One relaxed load: cheap
 * enough for each row of a tile. False on threads that run no task, and wherever nothing is to give
 * way. */
FGPU_API bool fgpu_should_yield(void);

/* What a native function returns that has run the groups of its range up to `next_group`, not
 * included, and gives way: `return fgpu_yield_at(g);`. It is called again later, perhaps by another
 * thread, with a range that begins at next_group and may end elsewhere; nothing of what it has done
 * is undone. A function that cannot stop between groups names the group that it is in and finds in
 * its buffers how far it was. Called again at once where nobody waits, so it must not yield without
 * being told to. Counts for the function that runs on this thread; what lies outside of its range
 * is taken as the range's nearest end. */
FGPU_API int fgpu_yield_at(uint64_t next_group);

/* Make an empty kernel. [in] name: for traces, models and error texts; 1..63 bytes. [out] kernel:
 * zero on failure. Errors: FGPU_E_INVAL, FGPU_E_LIMIT (65536 kernels in a pool), FGPU_E_NOMEM. */
FGPU_API fgpu_status fgpu_kernel_create(fgpu_pool pool, const char *name, fgpu_kernel *kernel);

/* Shorthand: create, named after the entry (cut to 63 bytes), and add one OpenCL C variant. On
 * failure there is no kernel. Errors as for the two. */
FGPU_API fgpu_status fgpu_kernel_create_opencl(fgpu_pool pool, const char *source,
                                               const char *entry, const char *options,
                                               fgpu_kernel *kernel);

/* Add an OpenCL C 1.2 variant. [in] source: NUL terminated, up to 16 MiB, copied. [in] entry: name
 * of the __kernel function. [in] options: build options, may be NULL. Errors: FGPU_E_NOTFOUND when
 * the source has no such kernel (the text lists those it has), FGPU_E_INVAL when its parameters
 * contradict those declared, FGPU_E_UNSUPPORTED for parameters of other kinds (images),
 * FGPU_E_LIMIT (16 MiB, 64 parameters, 16 variants), FGPU_E_SYSTEM when no thread can be started
 * that would compile it, FGPU_E_NOMEM. Compilation happens later, per device; `cuda` devices
 * translate it (docs/gpu.md says what they do not take) unless the kernel has a CUDA C variant too.
 */
FGPU_API fgpu_status fgpu_kernel_add_opencl(fgpu_kernel kernel, const char *source,
                                            const char *entry, const char *options);

/* Add a CUDA C variant, for `cuda` devices, which compile it with NVRTC. [in] entry: a __global__
 * function, with or without extern "C". A buffer is a pointer, a scalar itself; a local argument is
 * an `unsigned`: where its bytes begin in the dynamic shared memory (extern __shared__), a multiple
 * of 16. Arguments and errors as above, but the source is not read: declare the arguments. */
FGPU_API fgpu_status fgpu_kernel_add_cuda(fgpu_kernel kernel, const char *source, const char *entry,
                                          const char *options);

/* Add a native variant. [borrow] user: handed to each call. Errors: FGPU_E_INVAL (fn is NULL),
 * FGPU_E_LIMIT (16 variants). */
FGPU_API fgpu_status fgpu_kernel_add_native(fgpu_kernel kernel, fgpu_native_fn fn, void *user);

typedef enum fgpu_arg_kind {
    FGPU_ARG_BUFFER = 1,
    FGPU_ARG_SCALAR = 2,
    FGPU_ARG_LOCAL = 3 /* work-group scratch */
} fgpu_arg_kind;

/* Declare argument `index` (0-based, at most 64 arguments).
 * [in] access: of a buffer (FGPU_READ, FGPU_WRITE, FGPU_READ_WRITE or FGPU_REDUCE); others ignore
 * it. [in] size_bytes: of a scalar (1..4096, which is also what all scalars of a task may have
 * together); others ignore it. Errors: FGPU_E_INVAL (a value, or the source of an OpenCL C variant
 * says otherwise). */
FGPU_API fgpu_status fgpu_kernel_set_arg(fgpu_kernel kernel, uint32_t index, fgpu_arg_kind kind,
                                         fgpu_access access, uint32_t size_bytes);

/* Compile for every device of the pool that can take a variant, now. Blocks. Tasks build what they
 * need by themselves; this moves the time, and the error, to a place of your choice. Errors:
 * FGPU_E_BUILD (fgpu_last_error() has the log's beginning; other devices may have succeeded),
 * FGPU_E_NOVARIANT, FGPU_E_BUSY in a task's own function or a callback. */
FGPU_API fgpu_status fgpu_kernel_build(fgpu_kernel kernel);

/* Copy the last build log for `device` (zero handle: the first that has one).
 * [out] text: always terminated when text_bytes > 0; may be NULL with 0. [out] needed_bytes: full
 * length with the terminator; may be NULL. Errors: FGPU_E_NOTFOUND when nothing was built. */
FGPU_API fgpu_status fgpu_kernel_build_log(fgpu_kernel kernel, fgpu_device device, char *text,
                                           size_t text_bytes, size_t *needed_bytes);

/* Destroy. Tasks already submitted still run; a native function and its user data must stay until
 * fgpu_pool_wait() has returned, for a finished task may be running again where a device was lost
 * with its result. A zero handle is accepted. */
FGPU_API fgpu_status fgpu_kernel_destroy(fgpu_kernel kernel);

#ifdef __cplusplus
}
#endif

#endif
