/* Names and meanings of the driver's error numbers, from one list: see text.h. */
#include "dev/cuda/text.h"

/* X(name, class of a failing call, status, words). Those of class DEVICE stay: after them every
 * call in the context gives the same. */
#define TEXT_ERRORS(X)                                                                             \
    X(CUDA_ERROR_INVALID_VALUE, COMMAND, E_INVAL, "")                                              \
    X(CUDA_ERROR_OUT_OF_MEMORY, TRANSIENT, E_DEVMEM, "")                                           \
    X(CUDA_ERROR_NOT_INITIALIZED, DEVICE, E_DEVICE, "")                                            \
    X(CUDA_ERROR_DEINITIALIZED, DEVICE, E_DEVICE_LOST, "the driver is shutting down")              \
    X(CUDA_ERROR_STUB_LIBRARY, DEVICE, E_NODEVICE, "")                                             \
    X(CUDA_ERROR_DEVICE_UNAVAILABLE, DEVICE, E_DEVICE,                                             \
      "another process has the device for itself")                                                 \
    X(CUDA_ERROR_NO_DEVICE, DEVICE, E_NODEVICE, "")                                                \
    X(CUDA_ERROR_INVALID_DEVICE, DEVICE, E_DEVICE, "")                                             \
    X(CUDA_ERROR_DEVICE_NOT_LICENSED, DEVICE, E_DEVICE, "")                                        \
    X(CUDA_ERROR_INVALID_IMAGE, COMMAND, E_BUILD, "")                                              \
    X(CUDA_ERROR_INVALID_CONTEXT, DEVICE, E_DEVICE_LOST, "")                                       \
    X(CUDA_ERROR_NO_BINARY_FOR_GPU, COMMAND, E_BUILD, "")                                          \
    X(CUDA_ERROR_ECC_UNCORRECTABLE, DEVICE, E_DEVICE_LOST,                                         \
      "memory error that could not be corrected")                                                  \
    X(CUDA_ERROR_UNSUPPORTED_LIMIT, COMMAND, E_UNSUPPORTED, "")                                    \
    X(CUDA_ERROR_INVALID_PTX, COMMAND, E_BUILD, "")                                                \
    X(CUDA_ERROR_NVLINK_UNCORRECTABLE, DEVICE, E_DEVICE_LOST, "NVLink error")                      \
    X(CUDA_ERROR_JIT_COMPILER_NOT_FOUND, COMMAND, E_BUILD, "")                                     \
    X(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, COMMAND, E_BUILD, "")                                    \
    X(CUDA_ERROR_JIT_COMPILATION_DISABLED, COMMAND, E_BUILD, "")                                   \
    X(CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY, COMMAND, E_UNSUPPORTED, "")                            \
    X(CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC, COMMAND, E_BUILD, "")                                   \
    X(CUDA_ERROR_CONTAINED, DEVICE, E_DEVICE_LOST, "hardware error, contained")                    \
    X(CUDA_ERROR_INVALID_SOURCE, COMMAND, E_BUILD, "")                                             \
    X(CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND, DEVICE, E_DEVICE, "")                             \
    X(CUDA_ERROR_SHARED_OBJECT_INIT_FAILED, DEVICE, E_DEVICE, "")                                  \
    X(CUDA_ERROR_OPERATING_SYSTEM, DEVICE, E_DEVICE, "")                                           \
    X(CUDA_ERROR_INVALID_HANDLE, DEVICE, E_DEVICE_LOST, "")                                        \
    X(CUDA_ERROR_ILLEGAL_STATE, DEVICE, E_DEVICE, "")                                              \
    X(CUDA_ERROR_NOT_FOUND, COMMAND, E_BUILD, "")                                                  \
    X(CUDA_ERROR_NOT_READY, TRANSIENT, E_AGAIN, "")                                                \
    X(CUDA_ERROR_ILLEGAL_ADDRESS, DEVICE, E_DEVICE_LOST,                                           \
      "a kernel touched memory that is not its own")                                               \
    X(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, COMMAND, E_INVAL, "")                                    \
    X(CUDA_ERROR_LAUNCH_TIMEOUT, DEVICE, E_DEVICE_LOST,                                            \
      "a kernel ran longer than the system allows")                                                \
    X(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, COMMAND, E_INVAL, "")                                \
    X(CUDA_ERROR_CONTEXT_IS_DESTROYED, DEVICE, E_DEVICE_LOST, "")                                  \
    X(CUDA_ERROR_ASSERT, DEVICE, E_DEVICE_LOST, "an assertion in a kernel failed")                 \
    X(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, COMMAND, E_INVAL, "")                             \
    X(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, COMMAND, E_INVAL, "")                                 \
    X(CUDA_ERROR_HARDWARE_STACK_ERROR, DEVICE, E_DEVICE_LOST, "a kernel broke its stack")          \
    X(CUDA_ERROR_ILLEGAL_INSTRUCTION, DEVICE, E_DEVICE_LOST, "illegal instruction in a kernel")    \
    X(CUDA_ERROR_MISALIGNED_ADDRESS, DEVICE, E_DEVICE_LOST,                                        \
      "a kernel touched an address that is not aligned")                                           \
    X(CUDA_ERROR_INVALID_ADDRESS_SPACE, DEVICE, E_DEVICE_LOST,                                     \
      "a kernel used an address of another memory space")                                          \
    X(CUDA_ERROR_INVALID_PC, DEVICE, E_DEVICE_LOST, "a kernel jumped to nowhere")                  \
    X(CUDA_ERROR_LAUNCH_FAILED, DEVICE, E_DEVICE_LOST, "a kernel failed")                          \
    X(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, COMMAND, E_INVAL, "")                               \
    X(CUDA_ERROR_NOT_PERMITTED, COMMAND, E_UNSUPPORTED, "")                                        \
    X(CUDA_ERROR_NOT_SUPPORTED, COMMAND, E_UNSUPPORTED, "")                                        \
    X(CUDA_ERROR_SYSTEM_NOT_READY, DEVICE, E_DEVICE, "")                                           \
    X(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, DEVICE, E_DEVICE, "")                                     \
    X(CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE, DEVICE, E_DEVICE, "")                             \
    X(CUDA_ERROR_MPS_CONNECTION_FAILED, DEVICE, E_DEVICE, "the MPS server cannot be reached")      \
    X(CUDA_ERROR_MPS_RPC_FAILURE, DEVICE, E_DEVICE_LOST, "talking to the MPS server failed")       \
    X(CUDA_ERROR_MPS_SERVER_NOT_READY, DEVICE, E_DEVICE,                                           \
      "the MPS server is not ready for new clients")                                               \
    X(CUDA_ERROR_MPS_MAX_CLIENTS_REACHED, DEVICE, E_DEVICE, "the MPS server has no client left")   \
    X(CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED, DEVICE, E_DEVICE,                                    \
      "the MPS server has no connection left")                                                     \
    X(CUDA_ERROR_MPS_CLIENT_TERMINATED, DEVICE, E_DEVICE_LOST,                                     \
      "the MPS server has ended this client")                                                      \
    X(CUDA_ERROR_CDP_NOT_SUPPORTED, COMMAND, E_UNSUPPORTED, "")                                    \
    X(CUDA_ERROR_CDP_VERSION_MISMATCH, COMMAND, E_BUILD, "")                                       \
    X(CUDA_ERROR_UNKNOWN, DEVICE, E_DEVICE_LOST, "the driver gives no reason")

const char *cuda_text_name(cuda_result error)
{
    switch (error) {
    case CUDA_SUCCESS:
        return "CUDA_SUCCESS";
#define TEXT_NAME(name, class, status, words)                                                      \
    case name:                                                                                     \
        return #name;
        TEXT_ERRORS(TEXT_NAME)
#undef TEXT_NAME
    default:
        return "an unknown CUDA error";
    }
}

const char *cuda_text_reason(cuda_result error)
{
    switch (error) {
#define TEXT_WORDS(name, class, status, words)                                                     \
    case name:                                                                                     \
        return words;
        TEXT_ERRORS(TEXT_WORDS)
#undef TEXT_WORDS
    default:
        return "";
    }
}

enum cuda_text_class cuda_text_classify(cuda_result error)
{
    switch (error) {
    case CUDA_SUCCESS:
        return CUDA_TEXT_OK;
#define TEXT_CLASS(name, class, status, words)                                                     \
    case name:                                                                                     \
        return CUDA_TEXT_##class;
        TEXT_ERRORS(TEXT_CLASS)
#undef TEXT_CLASS
    default:
        return CUDA_TEXT_DEVICE;
    }
}

fgpu_status cuda_text_status(cuda_result error)
{
    switch (error) {
    case CUDA_SUCCESS:
        return FGPU_OK;
#define TEXT_STATUS(name, class, status, words)                                                    \
    case name:                                                                                     \
        return FGPU_##status;
        TEXT_ERRORS(TEXT_STATUS)
#undef TEXT_STATUS
    default:
        return FGPU_E_DEVICE_LOST;
    }
}
