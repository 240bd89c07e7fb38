/* The machine behind a public handle, for the simulator. The handle is a pointer, for a machine
 * belongs to no pool.
 */
#ifndef FASTGPU_API_MACHINE_H
#define FASTGPU_API_MACHINE_H

#include <fastgpu/device.h>
#include <fastgpu/machine.h>

#include "machine/machine.h"

/* [borrow] until fgpu_machine_destroy(). [in] handle: not NULL. Thread: any. */
const struct machine *machine_of(const fgpu_machine *handle);

#endif
