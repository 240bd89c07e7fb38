/* Every device that the conformance suite can find: the built-in ones and what OpenCL offers, bare
 * and inside layers. */
#ifndef FASTGPU_TESTS_LIB_DEVICE_TARGETS_H
#define FASTGPU_TESTS_LIB_DEVICE_TARGETS_H

#include "lib/device_rig.h"

#define TARGETS_MAX 32
#define TARGETS_NAME_BYTES 96

/* Fills targets[0..TARGETS_MAX) and returns how many. FAKEICD_LIB adds the fake OpenCL driver. */
size_t targets_find(struct rig_target *targets);

#endif
