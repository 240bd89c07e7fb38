/* Names and meanings of OpenCL's error numbers, from one list: see text.h. */
#include "dev/opencl/text.h"

/* X(name, class of a failing enqueue, status). */
#define TEXT_ERRORS(X)                                                                             \
    X(CL_DEVICE_NOT_FOUND, DEVICE, E_NODEVICE)                                                     \
    X(CL_DEVICE_NOT_AVAILABLE, DEVICE, E_DEVICE_LOST)                                              \
    X(CL_COMPILER_NOT_AVAILABLE, COMMAND, E_UNSUPPORTED)                                           \
    X(CL_MEM_OBJECT_ALLOCATION_FAILURE, TRANSIENT, E_DEVMEM)                                       \
    X(CL_OUT_OF_RESOURCES, TRANSIENT, E_DEVMEM)                                                    \
    X(CL_OUT_OF_HOST_MEMORY, TRANSIENT, E_NOMEM)                                                   \
    X(CL_PROFILING_INFO_NOT_AVAILABLE, DEVICE, E_DEVICE)                                           \
    X(CL_MEM_COPY_OVERLAP, COMMAND, E_OVERLAP)                                                     \
    X(CL_BUILD_PROGRAM_FAILURE, COMMAND, E_BUILD)                                                  \
    X(CL_MAP_FAILURE, DEVICE, E_DEVICE)                                                            \
    X(CL_MISALIGNED_SUB_BUFFER_OFFSET, COMMAND, E_INVAL)                                           \
    X(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, DEVICE, E_DEVICE)                              \
    X(CL_COMPILE_PROGRAM_FAILURE, COMMAND, E_BUILD)                                                \
    X(CL_LINKER_NOT_AVAILABLE, COMMAND, E_UNSUPPORTED)                                             \
    X(CL_LINK_PROGRAM_FAILURE, COMMAND, E_BUILD)                                                   \
    X(CL_DEVICE_PARTITION_FAILED, DEVICE, E_DEVICE)                                                \
    X(CL_KERNEL_ARG_INFO_NOT_AVAILABLE, DEVICE, E_DEVICE)                                          \
    X(CL_INVALID_VALUE, COMMAND, E_INVAL)                                                          \
    X(CL_INVALID_DEVICE_TYPE, DEVICE, E_DEVICE)                                                    \
    X(CL_INVALID_PLATFORM, DEVICE, E_DEVICE)                                                       \
    X(CL_INVALID_DEVICE, DEVICE, E_DEVICE)                                                         \
    X(CL_INVALID_CONTEXT, DEVICE, E_DEVICE_LOST)                                                   \
    X(CL_INVALID_QUEUE_PROPERTIES, DEVICE, E_UNSUPPORTED)                                          \
    X(CL_INVALID_COMMAND_QUEUE, DEVICE, E_DEVICE_LOST)                                             \
    X(CL_INVALID_HOST_PTR, COMMAND, E_INVAL)                                                       \
    X(CL_INVALID_MEM_OBJECT, COMMAND, E_INVAL)                                                     \
    X(CL_INVALID_BINARY, COMMAND, E_BUILD)                                                         \
    X(CL_INVALID_BUILD_OPTIONS, COMMAND, E_BUILD)                                                  \
    X(CL_INVALID_PROGRAM, DEVICE, E_DEVICE)                                                        \
    X(CL_INVALID_PROGRAM_EXECUTABLE, COMMAND, E_BUILD)                                             \
    X(CL_INVALID_KERNEL_NAME, COMMAND, E_BUILD)                                                    \
    X(CL_INVALID_KERNEL_DEFINITION, COMMAND, E_BUILD)                                              \
    X(CL_INVALID_KERNEL, COMMAND, E_INVAL)                                                         \
    X(CL_INVALID_ARG_INDEX, COMMAND, E_INVAL)                                                      \
    X(CL_INVALID_ARG_VALUE, COMMAND, E_INVAL)                                                      \
    X(CL_INVALID_ARG_SIZE, COMMAND, E_INVAL)                                                       \
    X(CL_INVALID_KERNEL_ARGS, COMMAND, E_INVAL)                                                    \
    X(CL_INVALID_WORK_DIMENSION, COMMAND, E_INVAL)                                                 \
    X(CL_INVALID_WORK_GROUP_SIZE, COMMAND, E_INVAL)                                                \
    X(CL_INVALID_WORK_ITEM_SIZE, COMMAND, E_INVAL)                                                 \
    X(CL_INVALID_GLOBAL_OFFSET, COMMAND, E_INVAL)                                                  \
    X(CL_INVALID_EVENT_WAIT_LIST, DEVICE, E_DEVICE)                                                \
    X(CL_INVALID_EVENT, DEVICE, E_DEVICE)                                                          \
    X(CL_INVALID_OPERATION, COMMAND, E_UNSUPPORTED)                                                \
    X(CL_INVALID_BUFFER_SIZE, COMMAND, E_DEVMEM)                                                   \
    X(CL_INVALID_GLOBAL_WORK_SIZE, COMMAND, E_INVAL)                                               \
    X(CL_INVALID_PROPERTY, DEVICE, E_UNSUPPORTED)                                                  \
    X(CL_INVALID_COMPILER_OPTIONS, COMMAND, E_BUILD)                                               \
    X(CL_INVALID_LINKER_OPTIONS, COMMAND, E_BUILD)                                                 \
    X(CL_INVALID_DEVICE_PARTITION_COUNT, DEVICE, E_DEVICE)                                         \
    X(CL_PLATFORM_NOT_FOUND_KHR, DEVICE, E_NODEVICE)

#ifndef CL_PLATFORM_NOT_FOUND_KHR
#define CL_PLATFORM_NOT_FOUND_KHR (-1001)
#endif

const char *ocl_text_name(cl_int error)
{
    switch (error) {
    case CL_SUCCESS:
        return "CL_SUCCESS";
#define TEXT_NAME(name, class, status)                                                             \
    case name:                                                                                     \
        return #name;
        TEXT_ERRORS(TEXT_NAME)
#undef TEXT_NAME
    default:
        return "an unknown OpenCL error";
    }
}

enum ocl_text_class ocl_text_classify(cl_int error)
{
    switch (error) {
    case CL_SUCCESS:
        return OCL_TEXT_OK;
#define TEXT_CLASS(name, class, status)                                                            \
    case name:                                                                                     \
        return OCL_TEXT_##class;
        TEXT_ERRORS(TEXT_CLASS)
#undef TEXT_CLASS
    default:
        return OCL_TEXT_DEVICE;
    }
}

fgpu_status ocl_text_status(cl_int error)
{
    switch (error) {
    case CL_SUCCESS:
        return FGPU_OK;
#define TEXT_STATUS(name, class, status)                                                           \
    case name:                                                                                     \
        return FGPU_##status;
        TEXT_ERRORS(TEXT_STATUS)
#undef TEXT_STATUS
    default:
        return FGPU_E_DEVICE;
    }
}
