/* Energy counters: one meter for the process, opened by the first reading. See fastgpu/energy.h.
 * Thread: any, under a lock of its own.
 */
#include <fastgpu/energy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/lock.h"
#include "dev/host/energy.h"

static struct lock energy_lock; /* LOCK_FREE */
static struct host_energy energy_meter;
static bool energy_is_open;

/* As many names as fit, whole. */
static void energy_sources(char *sources, size_t bytes)
{
    size_t used = 0;
    for (uint32_t i = 0; i < energy_meter.count; i++) {
        int length = snprintf(sources + used, bytes - used, "%s%s", i > 0 ? ", " : "",
                              energy_meter.counters[i].name);
        if (length < 0 || (size_t)length >= bytes - used) {
            sources[used] = '\0';
            return;
        }
        used += (size_t)length;
    }
}

fgpu_status fgpu_energy_read(fgpu_energy *energy)
{
    if (energy == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_energy_read: energy is NULL");
    if (energy->struct_bytes != sizeof *energy)
        return error_set(FGPU_E_VERSION,
                         "fgpu_energy_read: energy.struct_bytes is %u, this library's is %zu",
                         energy->struct_bytes, sizeof *energy);
    fgpu_energy now = {.struct_bytes = sizeof now};
    char why[HOST_ENERGY_WHY_BYTES];
    lock_acquire(&energy_lock);
    if (!energy_is_open) {
        const char *root = getenv("FASTGPU_SYSFS");
        host_energy_init(&energy_meter, root != NULL && root[0] != '\0' ? root : "/sys");
        energy_is_open = true;
    }
    bool known = host_energy_read(&energy_meter, &now.joule);
    now.time_ns = clock_now_ns();
    now.counters = energy_meter.count;
    now.epoch = energy_meter.epoch;
    energy_sources(now.sources, sizeof now.sources);
    memcpy(why, energy_meter.why, sizeof why);
    lock_release(&energy_lock);
    if (!known)
        return error_set(FGPU_E_NODEVICE, "fgpu_energy_read: %s", why);
    *energy = now;
    return FGPU_OK;
}
