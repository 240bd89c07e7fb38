/* FastGPU: one GPU pool for many tasks. Everything that is needed to use it. (To implement a
 * device: fastgpu/backend.h.) */
#ifndef FASTGPU_FASTGPU_H
#define FASTGPU_FASTGPU_H

#include <fastgpu/buffer.h>
#include <fastgpu/device.h>
#include <fastgpu/energy.h>
#include <fastgpu/graph.h>
#include <fastgpu/kernel.h>
#include <fastgpu/log.h>
#include <fastgpu/machine.h>
#include <fastgpu/pool.h>
#include <fastgpu/reduction.h>
#include <fastgpu/replay.h>
#include <fastgpu/source.h>
#include <fastgpu/stats.h>
#include <fastgpu/status.h>
#include <fastgpu/task.h>
#include <fastgpu/tenant.h>
#include <fastgpu/types.h>

#endif
