/* The doors of the fake NVIDIA libraries (tests/fakecuda) for tests of the cuda device. */
#ifndef FASTGPU_TESTS_LIB_FAKECUDA_RIG_H
#define FASTGPU_TESTS_LIB_FAKECUDA_RIG_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/device_kernels.h"

static struct {
    const char *path;
    void (*set)(const char *name, long value);
    long (*get)(const char *name);
    void (*reset)(void);
    int (*blocks)(void); /* allocations that live */
    long (*kept)(void);  /* bytes that the card's pool keeps for nobody */
    int (*held)(void);   /* contexts that are held */
    int (*pushed)(void); /* contexts that this thread has not popped */
    int (*host_alloc)(void **memory, size_t bytes, unsigned flags);
    int (*host_free)(void *memory);
} fake;

static inline void fake_door(void *library, const char *name, void *field)
{
    *(void **)field = dlsym(library, name);
    if (*(void **)field == NULL)
        abort();
}

/* False, with a message, where the library is absent. */
static inline bool fake_open(void)
{
    void *library = NULL;

    fake.path = getenv("FAKECUDA_LIB");
    if (fake.path != NULL)
        library = dlopen(fake.path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        (void)fprintf(stderr, "skipped: FAKECUDA_LIB names no library\n");
        return false;
    }
    fake_door(library, "fakecuda_set", &fake.set);
    fake_door(library, "fakecuda_get", &fake.get);
    fake_door(library, "fakecuda_reset", &fake.reset);
    fake_door(library, "fakecuda_blocks", &fake.blocks);
    fake_door(library, "fakecuda_kept", &fake.kept);
    fake_door(library, "fakecuda_held", &fake.held);
    fake_door(library, "fakecuda_pushed", &fake.pushed);
    fake_door(library, "cuMemHostAlloc", &fake.host_alloc);
    fake_door(library, "cuMemFreeHost", &fake.host_free);
    rig_cuda_library(fake.path);
    return true;
}

/* Nothing of the driver's was left lying, and no copy would have waited in its call. */
static inline void fake_check_clean(void)
{
    assert_int_equal(fake.blocks(), 0);
    assert_int_equal(fake.kept(), 0);
    assert_int_equal(fake.held(), 0);
    assert_int_equal(fake.pushed(), 0);
    assert_int_equal(fake.get("pageable"), 0);
    assert_int_equal(fake.get("blocked"), 0);
}

#endif
