/* What is used of NVIDIA's driver library, of its compiler library and of its management library:
 * types, numbers and entry points, declared here, so that no CUDA header is needed to build.
 *
 * Handles are plain pointers. Names and numbers are those of the CUDA driver API 12.0; symbols
 * carry the version suffix whose parameters are meant, which later drivers keep. Constants only.
 */
#ifndef FASTGPU_CUDA_DRIVER_H
#define FASTGPU_CUDA_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#define CUDA_DRIVER_LEAST 12000 /* 1000 * major + 10 * minor, of cuDriverGetVersion() */

typedef int cuda_result; /* CUresult */
typedef int cuda_ordinal;
typedef uint64_t cuda_ptr;
typedef void *cuda_context;
typedef void *cuda_stream;
typedef void *cuda_event;
typedef void *cuda_module;
typedef void *cuda_function;
typedef void *cuda_pool;

enum cuda_error {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NOT_INITIALIZED = 3,
    CUDA_ERROR_DEINITIALIZED = 4,
    CUDA_ERROR_STUB_LIBRARY = 34,
    CUDA_ERROR_DEVICE_UNAVAILABLE = 46,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_INVALID_DEVICE = 101,
    CUDA_ERROR_DEVICE_NOT_LICENSED = 102,
    CUDA_ERROR_INVALID_IMAGE = 200,
    CUDA_ERROR_INVALID_CONTEXT = 201,
    CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
    CUDA_ERROR_ECC_UNCORRECTABLE = 214,
    CUDA_ERROR_UNSUPPORTED_LIMIT = 215,
    CUDA_ERROR_INVALID_PTX = 218,
    CUDA_ERROR_NVLINK_UNCORRECTABLE = 220,
    CUDA_ERROR_JIT_COMPILER_NOT_FOUND = 221,
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
    CUDA_ERROR_JIT_COMPILATION_DISABLED = 223,
    CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY = 224,
    CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC = 225,
    CUDA_ERROR_CONTAINED = 226,
    CUDA_ERROR_INVALID_SOURCE = 300,
    CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND = 302,
    CUDA_ERROR_SHARED_OBJECT_INIT_FAILED = 303,
    CUDA_ERROR_OPERATING_SYSTEM = 304,
    CUDA_ERROR_INVALID_HANDLE = 400,
    CUDA_ERROR_ILLEGAL_STATE = 401,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_NOT_READY = 600,
    CUDA_ERROR_ILLEGAL_ADDRESS = 700,
    CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
    CUDA_ERROR_LAUNCH_TIMEOUT = 702,
    CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED = 704,
    CUDA_ERROR_CONTEXT_IS_DESTROYED = 709,
    CUDA_ERROR_ASSERT = 710,
    CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED = 712,
    CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED = 713,
    CUDA_ERROR_HARDWARE_STACK_ERROR = 714,
    CUDA_ERROR_ILLEGAL_INSTRUCTION = 715,
    CUDA_ERROR_MISALIGNED_ADDRESS = 716,
    CUDA_ERROR_INVALID_ADDRESS_SPACE = 717,
    CUDA_ERROR_INVALID_PC = 718,
    CUDA_ERROR_LAUNCH_FAILED = 719,
    CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE = 720,
    CUDA_ERROR_NOT_PERMITTED = 800,
    CUDA_ERROR_NOT_SUPPORTED = 801,
    CUDA_ERROR_SYSTEM_NOT_READY = 802,
    CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803,
    CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE = 804,
    CUDA_ERROR_MPS_CONNECTION_FAILED = 805,
    CUDA_ERROR_MPS_RPC_FAILURE = 806,
    CUDA_ERROR_MPS_SERVER_NOT_READY = 807,
    CUDA_ERROR_MPS_MAX_CLIENTS_REACHED = 808,
    CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED = 809,
    CUDA_ERROR_MPS_CLIENT_TERMINATED = 810,
    CUDA_ERROR_CDP_NOT_SUPPORTED = 811,
    CUDA_ERROR_CDP_VERSION_MISMATCH = 812,
    CUDA_ERROR_UNKNOWN = 999
};

enum cuda_attribute {
    CUDA_MAX_THREADS_PER_BLOCK = 1,
    CUDA_MAX_SHARED_PER_BLOCK = 8,
    CUDA_MAX_PITCH = 11,
    CUDA_CLOCK_RATE_KHZ = 13,
    CUDA_MULTIPROCESSORS = 16,
    CUDA_COMPUTE_MODE = 20, /* 0: shared, 2: prohibited, 3: one process */
    CUDA_CAPABILITY_MAJOR = 75,
    CUDA_CAPABILITY_MINOR = 76,
    CUDA_MAX_SHARED_OPTIN = 97,
    CUDA_MEMORY_POOLS = 115
};

enum cuda_function_attribute {
    CUDA_FUNCTION_MAX_THREADS = 0,
    CUDA_FUNCTION_SHARED_BYTES = 1,
    CUDA_FUNCTION_DYNAMIC_SHARED = 8
};

#define CUDA_STREAM_NON_BLOCKING 1u
#define CUDA_EVENT_TIMED 0u
#define CUDA_EVENT_UNTIMED 2u
#define CUDA_POINTER_MEMORY_TYPE 2 /* of cuPointerGetAttribute */
#define CUDA_HOSTALLOC_PORTABLE 1u
#define CUDA_HOSTREGISTER_PORTABLE 1u
#define CUDA_HOSTALLOC_MAPPED 2u
#define CUDA_JIT_ERROR_LOG 5
#define CUDA_JIT_ERROR_LOG_BYTES 6

enum cuda_memory_type { CUDA_MEMORY_HOST = 1, CUDA_MEMORY_DEVICE = 2 };

struct cuda_uuid {
    unsigned char bytes[16];
};

/* CUDA_MEMCPY2D */
struct cuda_copy_2d {
    size_t src_x, src_y;
    unsigned src_type; /* enum cuda_memory_type */
    const void *src_host;
    cuda_ptr src_device;
    void *src_array;
    size_t src_pitch;
    size_t dst_x, dst_y;
    unsigned dst_type;
    void *dst_host;
    cuda_ptr dst_device;
    void *dst_array;
    size_t dst_pitch;
    size_t width, height;
};

/* CUmemcpyAttributes */
struct cuda_copy_attributes {
    int src_order;
    int src_location[2], dst_location[2]; /* for managed memory only */
    unsigned flags;
};

#define CUDA_COPY_ORDER_STREAM 1

/* X(field, symbol, parameters): part of every driver since 12.0. */
#define CUDA_DRIVER_REQUIRED(X)                                                                    \
    X(init, "cuInit", (unsigned flags))                                                            \
    X(driver_version, "cuDriverGetVersion", (int *version))                                        \
    X(error_name, "cuGetErrorName", (cuda_result error, const char **name))                        \
    X(device_count, "cuDeviceGetCount", (int *count))                                              \
    X(device_get, "cuDeviceGet", (cuda_ordinal * device, int index))                               \
    X(device_name, "cuDeviceGetName", (char *name, int bytes, cuda_ordinal device))                \
    X(device_memory, "cuDeviceTotalMem_v2", (size_t * bytes, cuda_ordinal device))                 \
    X(device_attribute, "cuDeviceGetAttribute", (int *value, int which, cuda_ordinal device))      \
    X(device_pci, "cuDeviceGetPCIBusId", (char *text, int bytes, cuda_ordinal device))             \
    X(context_retain, "cuDevicePrimaryCtxRetain", (cuda_context * context, cuda_ordinal device))   \
    X(context_release, "cuDevicePrimaryCtxRelease_v2", (cuda_ordinal device))                      \
    X(context_push, "cuCtxPushCurrent_v2", (cuda_context context))                                 \
    X(context_pop, "cuCtxPopCurrent_v2", (cuda_context * context))                                 \
    X(mem_alloc, "cuMemAlloc_v2", (cuda_ptr * address, size_t bytes))                              \
    X(mem_free, "cuMemFree_v2", (cuda_ptr address))                                                \
    X(host_alloc, "cuMemHostAlloc", (void **memory, size_t bytes, unsigned flags))                 \
    X(host_register, "cuMemHostRegister_v2", (void *memory, size_t bytes, unsigned flags))         \
    X(host_unregister, "cuMemHostUnregister", (void *memory))                                      \
    X(host_free, "cuMemFreeHost", (void *memory))                                                  \
    X(pointer_attribute, "cuPointerGetAttribute", (void *value, int which, cuda_ptr address))      \
    X(stream_create, "cuStreamCreate", (cuda_stream * stream, unsigned flags))                     \
    X(stream_destroy, "cuStreamDestroy_v2", (cuda_stream stream))                                  \
    X(stream_query, "cuStreamQuery", (cuda_stream stream))                                         \
    X(event_create, "cuEventCreate", (cuda_event * event, unsigned flags))                         \
    X(event_destroy, "cuEventDestroy_v2", (cuda_event event))                                      \
    X(event_record, "cuEventRecord", (cuda_event event, cuda_stream stream))                       \
    X(event_query, "cuEventQuery", (cuda_event event))                                             \
    X(event_elapsed, "cuEventElapsedTime", (float *ms, cuda_event begin, cuda_event end))          \
    X(copy_in, "cuMemcpyHtoDAsync_v2",                                                             \
      (cuda_ptr dst, const void *src, size_t bytes, cuda_stream stream))                           \
    X(copy_out, "cuMemcpyDtoHAsync_v2",                                                            \
      (void *dst, cuda_ptr src, size_t bytes, cuda_stream stream))                                 \
    X(copy_inside, "cuMemcpyDtoDAsync_v2",                                                         \
      (cuda_ptr dst, cuda_ptr src, size_t bytes, cuda_stream stream))                              \
    X(copy_2d, "cuMemcpy2DAsync_v2", (const struct cuda_copy_2d *copy, cuda_stream stream))        \
    X(set_8, "cuMemsetD2D8Async",                                                                  \
      (cuda_ptr dst, size_t pitch, unsigned char value, size_t width, size_t height,               \
       cuda_stream stream))                                                                        \
    X(set_16, "cuMemsetD2D16Async",                                                                \
      (cuda_ptr dst, size_t pitch, unsigned short value, size_t width, size_t height,              \
       cuda_stream stream))                                                                        \
    X(set_32, "cuMemsetD2D32Async",                                                                \
      (cuda_ptr dst, size_t pitch, unsigned value, size_t width, size_t height,                    \
       cuda_stream stream))                                                                        \
    X(module_load, "cuModuleLoadDataEx",                                                           \
      (cuda_module * module, const void *image, unsigned count, int *options, void **values))      \
    X(module_unload, "cuModuleUnload", (cuda_module module))                                       \
    X(module_function, "cuModuleGetFunction",                                                      \
      (cuda_function * function, cuda_module module, const char *name))                            \
    X(function_get, "cuFuncGetAttribute", (int *value, int which, cuda_function function))         \
    X(function_set, "cuFuncSetAttribute", (cuda_function function, int which, int value))          \
    X(launch, "cuLaunchKernel",                                                                    \
      (cuda_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,                  \
       unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,                \
       cuda_stream stream, void **arguments, void **extra))                                        \
    X(host_call, "cuLaunchHostFunc", (cuda_stream stream, void (*call)(void *user), void *user))

/* NULL where the driver lacks them: newer than 12.0, or not needed. */
#define CUDA_DRIVER_OPTIONAL(X)                                                                    \
    X(device_uuid, "cuDeviceGetUuid_v2", (struct cuda_uuid * uuid, cuda_ordinal device))           \
    X(pool_default, "cuDeviceGetDefaultMemPool", (cuda_pool * pool, cuda_ordinal device))          \
    X(pool_alloc, "cuMemAllocFromPoolAsync",                                                       \
      (cuda_ptr * address, size_t bytes, cuda_pool pool, cuda_stream stream))                      \
    X(pool_trim, "cuMemPoolTrimTo", (cuda_pool pool, size_t keep_bytes))                           \
    X(pool_free, "cuMemFreeAsync", (cuda_ptr address, cuda_stream stream))                         \
    X(copy_batch_12, "cuMemcpyBatchAsync",                                                         \
      (cuda_ptr * dsts, cuda_ptr * srcs, size_t * sizes, size_t count,                             \
       struct cuda_copy_attributes * attributes, size_t * firsts, size_t attribute_count,          \
       size_t * failed, cuda_stream stream))                                                       \
    X(copy_batch_13, "cuMemcpyBatchAsync_v2",                                                      \
      (cuda_ptr * dsts, cuda_ptr * srcs, size_t * sizes, size_t count,                             \
       struct cuda_copy_attributes * attributes, size_t * firsts, size_t attribute_count,          \
       cuda_stream stream))                                                                        \
    X(function_load, "cuFuncLoad", (cuda_function function))                                       \
    X(function_param, "cuFuncGetParamInfo",                                                        \
      (cuda_function function, size_t index, size_t * offset, size_t * bytes))

#define NVRTC_ERROR_OUT_OF_MEMORY 1
#define NVRTC_ERROR_INVALID_OPTION 5
#define NVRTC_ERROR_COMPILATION 6
#define NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID 10

/* X(field, symbol, result, parameters) */
#define CUDA_NVRTC_REQUIRED(X)                                                                     \
    X(version, "nvrtcVersion", int, (int *major, int *minor))                                      \
    X(error_string, "nvrtcGetErrorString", const char *, (int error))                              \
    X(create, "nvrtcCreateProgram", int,                                                           \
      (void **program, const char *text, const char *name, int count, const char *const *headers,  \
       const char *const *names))                                                                  \
    X(destroy, "nvrtcDestroyProgram", int, (void **program))                                       \
    X(add_name, "nvrtcAddNameExpression", int, (void *program, const char *name))                  \
    X(compile, "nvrtcCompileProgram", int, (void *program, int count, const char *const *options)) \
    X(log_bytes, "nvrtcGetProgramLogSize", int, (void *program, size_t *bytes))                    \
    X(log, "nvrtcGetProgramLog", int, (void *program, char *log))                                  \
    X(lowered, "nvrtcGetLoweredName", int, (void *program, const char *name, const char **found))  \
    X(arch_count, "nvrtcGetNumSupportedArchs", int, (int *count))                                  \
    X(archs, "nvrtcGetSupportedArchs", int, (int *archs))                                          \
    X(ptx_bytes, "nvrtcGetPTXSize", int, (void *program, size_t *bytes))                           \
    X(ptx, "nvrtcGetPTX", int, (void *program, char *ptx))                                         \
    X(cubin_bytes, "nvrtcGetCUBINSize", int, (void *program, size_t *bytes))                       \
    X(cubin, "nvrtcGetCUBIN", int, (void *program, char *cubin))

#define NVML_TEMPERATURE_GPU 0
#define NVML_CLOCK_SM 1

struct nvml_utilisation {
    unsigned gpu, memory; /* percent */
};

/* Reading only: nothing in here changes a device. */
#define CUDA_NVML_REQUIRED(X)                                                                      \
    X(init, "nvmlInit_v2", int, (void))                                                            \
    X(by_uuid, "nvmlDeviceGetHandleByUUID", int, (const char *uuid, void **device))                \
    X(by_pci, "nvmlDeviceGetHandleByPciBusId_v2", int, (const char *pci, void **device))           \
    X(utilisation, "nvmlDeviceGetUtilizationRates", int,                                           \
      (void *device, struct nvml_utilisation *rates))                                              \
    X(power, "nvmlDeviceGetPowerUsage", int, (void *device, unsigned *milliwatt))                  \
    X(temperature, "nvmlDeviceGetTemperature", int, (void *device, int sensor, unsigned *celsius)) \
    X(clock, "nvmlDeviceGetClockInfo", int, (void *device, int which, unsigned *mhz))              \
    X(driver, "nvmlSystemGetDriverVersion", int, (char *text, unsigned bytes))

#endif
