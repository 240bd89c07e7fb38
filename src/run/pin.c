/* Host memory that copies use without a detour: slabs of the host's heap, pinned by a device.
 *
 * Where a device has host_pin (backend.h), each slab is handed to a thread as it comes, since
 * pinning one takes about as long as copying it; until then its copies are staged by the device. A
 * slab that goes is handed to the same thread behind that, which unpins and frees it. One device's
 * pinning serves all of its kind. Runs under the driver's lock but for the thread's part. Owns the
 * slabs that are to be freed. Keeps true: what is pinned is never freed.
 */
#include <unistd.h>
#include "base/error.h"
#include "run/driver.h"

#define PIN_SHARE 2u /* of the machine's memory, one in so many bytes may be pinned */

struct pin_job {
    void *memory;
    uint64_t bytes;
    bool release;
};

static uint64_t pin_machine_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);

    return pages > 0 && bytes > 0 ? (uint64_t)pages * (uint64_t)bytes : 0;
}

void pin_init(struct driver *driver)
{
    worker_init(&driver->pins.worker, sizeof(struct pin_job), driver->alloc);
    map_init(&driver->pins.asked, driver->alloc);
    map_init(&driver->pins.by, driver->alloc);
}

/* Thread: the pinning thread, or none runs any more. */
static void pin_try(struct driver *driver, void *memory, uint64_t bytes)
{
    for (uint32_t d = 0; d < driver->device_count; d++) {
        if (device_host_pin(&driver->devices[d], memory, bytes) != FGPU_OK)
            continue;
        if (map_put(&driver->pins.by, (uint64_t)(uintptr_t)memory, d) == FGPU_OK)
            return;
        (void)device_host_unpin(&driver->devices[d], memory);
    }
}

/* False: it must stay. Thread: as above. */
static bool pin_undo(struct driver *driver, void *memory)
{
    uint64_t device = 0, key = (uint64_t)(uintptr_t)memory;

    if (!map_get(&driver->pins.by, key, &device))
        return true;
    (void)map_del(&driver->pins.by, key);
    return device_host_unpin(&driver->devices[device], memory) == FGPU_OK;
}

static void pin_job_run(struct driver *driver, void *arg)
{
    const struct pin_job *job = arg;

    if (!job->release)
        pin_try(driver, job->memory, job->bytes);
    else if (pin_undo(driver, job->memory))
        alloc_put(driver->alloc, job->memory, (size_t)job->bytes);
}

static bool pin_wanted(struct driver *driver, uint64_t bytes)
{
    struct driver_pins *pins = &driver->pins;

    if (!pins->looked) {
        pins->looked = true;
        pins->left_bytes = 0;
        for (uint32_t d = 0; d < driver->device_count; d++)
            if (driver->devices[d].caps.host_pins)
                pins->left_bytes = pin_machine_bytes() / PIN_SHARE;
    }
    return bytes <= pins->left_bytes;
}

void pin_memory(struct driver *driver, void *memory, uint64_t bytes)
{
    struct driver_pins *pins = &driver->pins;
    struct pin_job job = {memory, bytes, false};

    if (memory == NULL || !pin_wanted(driver, bytes) ||
        worker_start(driver, &pins->worker, "fgpu-pin", pin_job_run) != FGPU_OK ||
        map_put(&pins->asked, (uint64_t)(uintptr_t)memory, bytes) != FGPU_OK)
        return;
    if (worker_add(&pins->worker, &job))
        pins->left_bytes -= bytes;
    else
        (void)map_del(&pins->asked, (uint64_t)(uintptr_t)memory);
}

void pin_free(struct driver *driver, void *memory, uint64_t bytes)
{
    struct driver_pins *pins = &driver->pins;
    struct pin_job job = {memory, bytes, true};

    if (!map_del(&pins->asked, (uint64_t)(uintptr_t)memory)) {
        alloc_put(driver->alloc, memory, (size_t)bytes);
        return;
    }
    pins->left_bytes += bytes;
    if (!atomic_load_acquire_u32(&pins->worker.started))
        pin_job_run(driver, &job);
    else if (!worker_add(&pins->worker, &job))
        LOG_WARN(&driver->log, "memory", "%llu bytes of host memory are not freed: no memory",
                 (unsigned long long)bytes);
}

void pin_stop(struct driver *driver)
{
    worker_fini(&driver->pins.worker);
}

void pin_fini(struct driver *driver)
{
    map_fini(&driver->pins.asked);
    map_fini(&driver->pins.by);
}
