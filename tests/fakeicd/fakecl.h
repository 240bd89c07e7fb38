/*
 * The control interface of the fake OpenCL library libfakeicd.so.
 *
 * Stands beside the walk of a task: tests that link the library, or look these names up in it, turn
 * its faults on and off and read what it saw. All functions may be called from any thread.
 *
 * Every setting can also be given in the environment as FAKECL_<NAME>, read when the library is
 * first used and again by fakecl_reset():
 *
 *   DEVICES       2     GPU devices shown (1..16)
 *   SEED          1     seed of every random decision
 *   MEMORY        1 GiB global memory of each device in bytes (of all together when UNIFIED)
 *   MAX_ALLOC     0     largest buffer in bytes; 0 means a quarter of MEMORY
 *   LAZY          0     1: memory is taken at the first enqueue that uses the buffer on a device,
 *                       and that enqueue fails; 0: at clCreateBuffer where the context has one
 *                       memory (with several, creation only refuses what fits in none of them)
 *   DELAY_US      0     largest random delay before a command runs
 *   FAIL_ENQUEUE  0     permille of enqueues that return CL_OUT_OF_RESOURCES
 *   FAIL_ALLOC    0     permille of allocations that fail
 *   FAIL_BUILD    0     permille of builds that fail
 *   LOSE_AFTER    -1    executed commands after which LOSE_DEVICE is lost; -1 means never.
 *                       The command in which it dies is torn: a part of its work is done
 *   LOSE_DEVICE   0     which device that is
 *   UNIFIED       0     1: one memory for host and devices, CL_MEM_USE_HOST_PTR is used in place
 *   ALIGN         1024  CL_DEVICE_MEM_BASE_ADDR_ALIGN in bits
 *   UNITS         4     compute units of each device
 *   STRICT        0     1: a misuse of the API prints its text and aborts
 *
 * Only in the environment: FAKECL_CC (compiler, default clang), FAKECL_CACHE (compiled kernels,
 * default /tmp/fakecl-<uid>).
 */
#ifndef FASTGPU_FAKEICD_FAKECL_H
#define FASTGPU_FAKEICD_FAKECL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FAKECL_MAX_DEVICES = 16 };

/* Counters since the last fakecl_reset(); live_* and memory_used are as of now. */
struct fakecl_stats {
    uint64_t enqueued;         /* commands accepted */
    uint64_t executed;         /* commands that ran, whole or torn */
    uint64_t failed;           /* commands that ended with a negative status */
    uint64_t refused_enqueues; /* enqueues refused by FAIL_ENQUEUE, a lost device or no memory */
    uint64_t failed_allocs;    /* allocations refused, injected or because memory was full */
    uint64_t builds;           /* clBuildProgram calls with a source */
    uint64_t compiles;         /* of these, those that ran the compiler (the rest were cached) */
    uint64_t migrations;       /* times a buffer's contents moved to another device by themselves */
    uint64_t misuses;          /* violations of the API's rules */
    uint64_t lost_devices;     /* devices that are lost now */
    uint64_t live_objects; /* contexts, queues, buffers, programs, kernels, events, sub-devices */
    uint64_t live_buffers;
    uint64_t live_events;
    uint64_t memory_used[FAKECL_MAX_DEVICES]; /* bytes; all in [0] when UNIFIED */
    uint64_t memory_peak[FAKECL_MAX_DEVICES];
    char last_misuse[200]; /* text of the newest misuse, or "" */
};

/* Sets one of the settings above, by name with or without the prefix FAKECL_, in any case.
 * Takes effect for calls and commands from now on. Returns 0, or -1: unknown name or bad value. */
int fakecl_set(const char *name, long value);

/* Fills *stats [out]. */
void fakecl_stats(struct fakecl_stats *stats);

/* Settings back to the environment, counters to zero, lost devices alive, random sequences back to
 * their beginning. Returns the number of objects that are still alive: 0 in a clean test that has
 * finished its queues (a command that runs holds its queue, event and buffers). */
int fakecl_reset(void);

#ifdef __cplusplus
}
#endif

#endif
