/* Simulated devices for tests: memory of their own, real execution, an order that a seed chooses.
 */
#ifndef FASTGPU_DEV_SIM_SIM_H
#define FASTGPU_DEV_SIM_SIM_H

#include <fastgpu/backend.h>

extern const fgpu_backend sim_backend;

#endif
