/* Start, devices, contexts of the fake driver. */
#include <stdio.h>
#include <string.h>
#include "dev/cuda/driver.h"
#include "fakecuda/fake.h"

#define DRIVER_DEVICES 8

static atomic_bool driver_started;
static atomic_int driver_error; /* that broke the context */
static atomic_int driver_refs[DRIVER_DEVICES];
static _Thread_local int driver_pushed;

bool fake_current(void)
{
    return driver_pushed > 0;
}

int fake_broken(void)
{
    return atomic_load(&driver_error);
}

void fake_break(int error)
{
    int none = 0;

    (void)atomic_compare_exchange_strong(&driver_error, &none, error);
}

FAKE(int, cuInit, (unsigned flags))
{
    if (flags != 0)
        return CUDA_ERROR_INVALID_VALUE;
    if (fake_get(FAKE_init_error) != 0)
        return (int)fake_get(FAKE_init_error);
    atomic_store(&driver_started, true);
    return CUDA_SUCCESS;
}

FAKE(int, cuDriverGetVersion, (int *version))
{
    *version = (int)fake_get(FAKE_version);
    return CUDA_SUCCESS;
}

FAKE(int, cuGetErrorName, (int error, const char **name))
{
    *name = "FAKE";
    return error >= 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

FAKE(int, cuDeviceGetCount, (int *count))
{
    *count = (int)fake_get(FAKE_devices);
    return atomic_load(&driver_started) ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

static bool driver_has(int device)
{
    return device >= 100 && device < 100 + fake_get(FAKE_devices);
}

/* Ordinals are no indices, so that nobody takes the one for the other. */
FAKE(int, cuDeviceGet, (int *device, int index))
{
    *device = 100 + index;
    return driver_has(100 + index) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

FAKE(int, cuDeviceGetName, (char *name, int bytes, int device))
{
    (void)snprintf(name, (size_t)bytes, "Fake GPU %d", device - 100);
    return driver_has(device) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

FAKE(int, cuDeviceTotalMem_v2, (size_t * bytes, int device))
{
    *bytes = (size_t)fake_get(FAKE_memory);
    return driver_has(device) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

FAKE(int, cuDeviceGetPCIBusId, (char *text, int bytes, int device))
{
    (void)snprintf(text, (size_t)bytes, "0000:%02x:00.0", device - 100);
    return driver_has(device) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

FAKE(int, cuDeviceGetUuid_v2, (struct cuda_uuid * uuid, int device))
{
    for (int i = 0; i < 16; i++)
        uuid->bytes[i] = (unsigned char)(device + i);
    return driver_has(device) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

FAKE(int, cuDeviceGetAttribute, (int *value, int which, int device))
{
    switch (which) {
    case 1: /* threads in a block */
        *value = 1024;
        break;
    case 8: /* shared memory */
        *value = 49152;
        break;
    case 97: /* ... where asked for */
        *value = 101376;
        break;
    case 11: /* pitch */
        *value = (int)fake_get(FAKE_pitch);
        break;
    case 13: /* kHz */
        *value = 1755000;
        break;
    case 16: /* multiprocessors */
        *value = 132;
        break;
    case 20:
        *value = (int)fake_get(FAKE_compute_mode);
        break;
    case 75:
        *value = (int)fake_get(FAKE_capability) / 10;
        break;
    case 76:
        *value = (int)fake_get(FAKE_capability) % 10;
        break;
    case 115:
        *value = (int)fake_get(FAKE_pools);
        break;
    default:
        return CUDA_ERROR_INVALID_VALUE;
    }
    return driver_has(device) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

FAKE(int, cuDevicePrimaryCtxRetain, (void **context, int device))
{
    if (!driver_has(device))
        return CUDA_ERROR_INVALID_DEVICE;
    if (fake_get(FAKE_retain_error) != 0)
        return (int)fake_get(FAKE_retain_error);
    if (fake_broken() != 0)
        return fake_broken();
    (void)atomic_fetch_add(&driver_refs[device - 100], 1);
    *context = (void *)(uintptr_t)(0x1000 + device);
    return CUDA_SUCCESS;
}

/* Contexts that are held. */
FAKE(int, fakecuda_held, (void))
{
    int held = 0;

    for (int i = 0; i < DRIVER_DEVICES; i++)
        held += atomic_load(&driver_refs[i]);
    return held;
}

/* A context that nobody holds is gone, with its error. */
FAKE(int, cuDevicePrimaryCtxRelease_v2, (int device))
{
    if (!driver_has(device) || atomic_load(&driver_refs[device - 100]) == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (atomic_fetch_sub(&driver_refs[device - 100], 1) == 1) {
        if (fakecuda_held() == 0)
            fake_unpin_all();
        atomic_store(&driver_error, 0);
    }
    return CUDA_SUCCESS;
}

/* Contexts that this thread has pushed and not popped. */
FAKE(int, fakecuda_pushed, (void))
{
    return driver_pushed;
}

FAKE(int, cuCtxPushCurrent_v2, (void *context))
{
    if (context == NULL)
        return CUDA_ERROR_INVALID_CONTEXT;
    driver_pushed++;
    return CUDA_SUCCESS;
}

FAKE(int, cuCtxPopCurrent_v2, (void **context))
{
    *context = NULL;
    if (driver_pushed == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    driver_pushed--;
    return CUDA_SUCCESS;
}
