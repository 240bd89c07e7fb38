/* NVIDIA's driver, compiler and management libraries of our own, for tests: the same entry points
 * over host memory. What makes it a driver: streams have threads and order, memory has bounds and
 * kinds, errors stay in the context, enqueueing blocks where a real driver's does. Kernels are CUDA
 * C, compiled by the system's clang with a prelude. Faults and delays come from named settings
 * (fakecuda_set), so that a test says what happens.
 */
#ifndef FASTGPU_TESTS_FAKECUDA_FAKE_H
#define FASTGPU_TESTS_FAKECUDA_FAKE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Prototype and head of an exported function. */
#define FAKE(type, name, params)                                                                   \
    __attribute__((visibility("default"))) type name params;                                       \
    type name params

/* X(name, usual value). Those that end in _once are used up. */
#define FAKE_SETTINGS(X)                                                                           \
    X(version, 12040) /* of the driver API */                                                      \
    X(init_error, 0)  /* of cuInit */                                                              \
    X(devices, 2)                                                                                  \
    X(retain_error, 0) /* of cuDevicePrimaryCtxRetain */                                           \
    X(compute_mode, 0)                                                                             \
    X(capability, 90)                                                                              \
    X(memory, 1 << 28) /* bytes of a card */                                                       \
    X(pools, 1)        /* has memory pools */                                                      \
    X(alloc_error, 0)                                                                              \
    X(alloc_error_once, 0)                                                                         \
    X(host_alloc_error, 0)                                                                         \
    X(register_error, 0)                                                                           \
    X(registered, 0)        /* [counted] pieces of host memory */                                  \
    X(pin_after, 0)         /* n: pageable memory is told to be pinned from the nth question on */ \
    X(staged, 0)            /* [counted] functions that streams call */                            \
    X(launch_error_once, 0) /* what the launching call returns */                                  \
    X(launch_error, 0)                                                                             \
    X(run_error_once, 0) /* what the next kernel does to the context */                            \
    X(copy_2d_error, 0)                                                                            \
    X(batch, 13)         /* newest interface of cuMemcpyBatchAsync that works; 0: none */          \
    X(batched, 0)        /* [counted] its calls */                                                 \
    X(pitch, 2147483647) /* of 2-D copies, at most */                                              \
    X(param_error, 0)    /* of cuFuncGetParamInfo */                                               \
    X(delay_us, 30)      /* of each command, at most; drawn */                                     \
    X(depth, 1024)       /* commands in a stream before enqueueing blocks */                       \
    X(load_error_once, 0)                                                                          \
    X(nvrtc_least, 50) /* architectures it compiles for */                                         \
    X(nvrtc_most, 100)                                                                             \
    X(nvml_error, 0)                                                                               \
    X(param_info, 1) /* tells of parameters */                                                     \
    X(compiled, 0)   /* [counted] compilations */                                                  \
    X(pageable, 0)   /* [counted] copies from or to memory that is not pinned */                   \
    X(waited, 0)     /* [counted] calls that wait for all that runs, while something does */       \
    X(blocked, 0)    /* [counted] enqueueing calls that had to wait */

enum fake_setting {
#define FAKE_ENUM(name, value) FAKE_##name,
    FAKE_SETTINGS(FAKE_ENUM)
#undef FAKE_ENUM
        FAKE_SETTING_COUNT
};

extern _Atomic long fake_settings[FAKE_SETTING_COUNT];

static inline long fake_get(enum fake_setting setting)
{
    return atomic_load(&fake_settings[setting]);
}

/* The value, which is 0 from then on. */
static inline int fake_take(enum fake_setting setting)
{
    return (int)atomic_exchange(&fake_settings[setting], 0);
}

/* ---- the context (all cards share one error, which is enough) ----------------------------------
 */

/* Has this thread a context? */
bool fake_current(void);

/* The error that broke it, or 0. */
int fake_broken(void);
void fake_break(int error);

/* ---- memory --------------------------------------------------------------------------------- */

enum fake_memory { FAKE_NOWHERE, FAKE_HOST, FAKE_DEVICE };

/* Where all of the bytes lie. */
enum fake_memory fake_where(uint64_t address, uint64_t bytes);

/* A context that is gone pins nothing. */
void fake_unpin_all(void);

/* ---- streams -------------------------------------------------------------------------------- */

struct fake_op {
    void (*run)(struct fake_op *op); /* on the stream's thread; frees what it owns */
    struct fake_op *next;
};

/* Appends; waits where the stream is full. Takes the op over, also where it fails. */
int fake_enqueue(void *stream, struct fake_op *op);

/* A call that waits for all that runs on the card, in all streams. */
void fake_wait_all(void);

uint64_t fake_now_ns(void);

#endif
