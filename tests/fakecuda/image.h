/* What the fake NVRTC makes and the fake driver loads: a head, then a shared object. */
#ifndef FASTGPU_TESTS_FAKECUDA_IMAGE_H
#define FASTGPU_TESTS_FAKECUDA_IMAGE_H

#include <stdint.h>

#define IMAGE_MAGIC UINT64_C(0x4249425543454b46) /* "FKECUBIB" */
#define IMAGE_PARAMS 65

struct image_head {
    uint64_t magic;
    uint64_t bytes; /* of the shared object behind this */
    char name[128]; /* lowered */
};

/* A launch as the shared object's fakecuda_run() takes it. */
struct image_launch {
    unsigned grid[3], block[3];
    void **args;
};

#endif
