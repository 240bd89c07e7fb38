/* What the tests of the fake OpenCL library share: the library itself, its switches and counts.
 *
 * The main() of each calls fakeicd_open() first. FAKEICD_LIB names the library.
 */
#ifndef FASTGPU_TESTS_LIB_FAKEICD_RIG_H
#define FASTGPU_TESTS_LIB_FAKEICD_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fakeicd/cl_api.h"

static struct cl_api cl;

/* Loads it; false, and why is printed, where there is none or it cannot compile. */
static inline bool fakeicd_open(void)
{
    const char *path = getenv("FAKEICD_LIB");
    cl_bool compiles = CL_FALSE;
    cl_device_id device;
    if (path == NULL || !cl_open(&cl, path)) {
        printf("skipped: FAKEICD_LIB does not name the fake OpenCL library\n");
        return false;
    }
    cl.clGetDeviceIDs(NULL, CL_DEVICE_TYPE_ALL, 1, &device, NULL);
    cl.clGetDeviceInfo(device, CL_DEVICE_COMPILER_AVAILABLE, sizeof(compiles), &compiles, NULL);
    if (!compiles)
        printf("skipped: there is no clang\n");
    return compiles;
}

static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

static inline void ok(cl_int error)
{
    assert_int_equal(error, CL_SUCCESS);
}

static inline void set(const char *name, long value)
{
    assert_int_equal(cl.fakecl_set(name, value), 0);
}

static inline struct fakecl_stats stats_now(void)
{
    struct fakecl_stats stats;
    cl.fakecl_stats(&stats);
    return stats;
}

/* The end of a test that may misuse the library: it leaves no object behind. */
static inline int reset_after(void **state)
{
    (void)state;
    int left = cl.fakecl_reset();
    if (left != 0)
        print_error("%d objects are left\n", left);
    return left != 0;
}

/* The end of any other: nor was there a misuse. */
static inline int clean_after(void **state)
{
    struct fakecl_stats stats = stats_now();
    if (stats.misuses != 0)
        print_error("misuse: %s\n", stats.last_misuse);
    return reset_after(state) != 0 || stats.misuses != 0;
}

#endif
