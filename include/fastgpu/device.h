/* Devices of a pool: what they are, and how they are doing now. */
#ifndef FASTGPU_DEVICE_H
#define FASTGPU_DEVICE_H

#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fgpu_device_type {
    FGPU_DEVICE_CPU = 1,
    FGPU_DEVICE_GPU = 2,
    FGPU_DEVICE_ACCELERATOR = 3,
    FGPU_DEVICE_SIMULATED = 4,
    FGPU_DEVICE_NULL = 5
} fgpu_device_type;

/* Bits of fgpu_device_info.valid: a field whose bit is not set is unknown, which is not zero. */
enum fgpu_info_valid {
    FGPU_INFO_UNITS = 1,
    FGPU_INFO_CLOCK = 2,
    FGPU_INFO_MEMORY = 4,
    FGPU_INFO_LOCAL_MEMORY = 8,
    FGPU_INFO_MAX_GROUP = 16,
    FGPU_INFO_ALIGN = 32,
    FGPU_INFO_RESOURCE_GROUP = 64
};

/* Properties that do not change. Strings are cut to fit and always terminated. */
typedef struct fgpu_device_info {
    uint32_t struct_bytes; /* set by the caller to sizeof(fgpu_device_info) before the call */
    uint32_t valid;        /* enum fgpu_info_valid */
    uint32_t type;         /* fgpu_device_type */
    uint32_t index;        /* place in the pool's list, from 0 */
    char name[96];
    char vendor[64];
    char driver[64];  /* driver or library version */
    char backend[16]; /* "cpu", "opencl", "cuda", "sim", "null" */
    char id[64]; /* the name that a pattern matches: "cpu", "opencl:0", "opencl:0.1", "null#0" */
    uint32_t compute_units;
    uint32_t clock_mhz;
    uint64_t memory_bytes;       /* usable by this pool */
    uint64_t local_memory_bytes; /* of a work group */
    uint32_t max_group_items;
    uint32_t memory_align_bytes; /* offsets of kernel arguments must be multiples of it; 1: any */
    uint32_t memory_node;        /* devices with the same node share memory; 0 is the host */
    uint32_t resource_group;     /* devices with the same group share the same cores */
    uint32_t queue_count;        /* for tasks; a device may have others, that only copy */
    uint32_t reserved;
} fgpu_device_info;

enum fgpu_sample_valid {
    FGPU_SAMPLE_UTILISATION = 1,
    FGPU_SAMPLE_MEMORY = 2,
    FGPU_SAMPLE_POWER = 4,
    FGPU_SAMPLE_TEMPERATURE = 8,
    FGPU_SAMPLE_CLOCK = 16
};

/* A live reading. A field counts only if its bit in `valid` is set. */
typedef struct fgpu_device_sample {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t valid;        /* enum fgpu_sample_valid */
    uint64_t time_ns;      /* CLOCK_MONOTONIC */
    double utilisation;    /* 0..1 since the last sample in this pool, by whoever uses it */
    double power_watt;
    double temperature_celsius;
    uint64_t memory_used_bytes; /* by this pool */
    uint32_t clock_mhz;
    uint32_t reserved;
} fgpu_device_sample;

/* Number of devices in the pool, lost ones included. [out] count. Does not block. */
FGPU_API fgpu_status fgpu_device_count(fgpu_pool pool, uint32_t *count);

/* The device at `index`, from 0. [out] device: zero on failure; no release is needed. Errors:
 * FGPU_E_RANGE naming the count. Does not block. */
FGPU_API fgpu_status fgpu_device_at(fgpu_pool pool, uint32_t index, fgpu_device *device);

/* Properties. [in,out] info: struct_bytes set by the caller, else FGPU_E_VERSION; unchanged on
 * failure. Does not block. */
FGPU_API fgpu_status fgpu_device_get_info(fgpu_device device, fgpu_device_info *info);

/* Live sample. [in,out] sample: struct_bytes set by the caller, else FGPU_E_VERSION. Memory is what
 * this pool uses of the device's memory node. Utilisation is that of the whole
 * device, by any process: for devices that compute on the host's processors the busy share of those
 * that this process may use (unknown within a tick of mostly 10 ms), for simulated devices what
 * they have timed since the last sample, for CUDA devices what NVML says; of others, OpenCL's GPUs
 * among them, it is unknown. May
 * take a millisecond. */
FGPU_API fgpu_status fgpu_device_get_sample(fgpu_device device, fgpu_device_sample *sample);

/* How work that runs on a device can make room. */
enum fgpu_preempt {
    FGPU_PREEMPT_SLICES = 1, /* it runs ranges of a grid's work groups */
    FGPU_PREEMPT_GUARD = 2 /* a running kernel sees what the host stores: it can be stopped between
                              any two work groups */
};

/* [out] bits: of enum fgpu_preempt. Tried with a small kernel, once for a device in a process: may
 * take a second then. Errors: FGPU_E_AGAIN, FGPU_E_DEVICE where it could not be tried (bits are
 * those that are sure). */
FGPU_API fgpu_status fgpu_device_get_preempt(fgpu_device device, uint32_t *bits);

/* FGPU_OK while the device works, else FGPU_E_DEVICE_LOST; fgpu_last_error() says why it was lost.
 */
FGPU_API fgpu_status fgpu_device_status(fgpu_device device);

#ifdef __cplusplus
}
#endif

#endif
