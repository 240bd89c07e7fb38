/*
 * What the fake OpenCL library does not have: images, samplers, native kernels, separate
 * compilation. Each entry point exists, so that looking its name up succeeds, and answers as OpenCL
 * 1.2 prescribes for a device without that feature.
 */
#include "internal.h"

static void *refuse(cl_int *errcode_ret)
{
    if (errcode_ret != NULL)
        *errcode_ret = CL_INVALID_OPERATION;
    return NULL;
}

FAKECL_API cl_mem CL_API_CALL clCreateImage(cl_context context, cl_mem_flags flags,
                                            const cl_image_format *format,
                                            const cl_image_desc *desc, void *host_ptr,
                                            cl_int *errcode_ret)
{
    (void)context, (void)flags, (void)format, (void)desc, (void)host_ptr;
    return refuse(errcode_ret);
}

FAKECL_API cl_mem CL_API_CALL clCreateImage2D(cl_context context, cl_mem_flags flags,
                                              const cl_image_format *format, size_t width,
                                              size_t height, size_t pitch, void *host_ptr,
                                              cl_int *errcode_ret)
{
    (void)context, (void)flags, (void)format, (void)width, (void)height, (void)pitch;
    (void)host_ptr;
    return refuse(errcode_ret);
}

FAKECL_API cl_mem CL_API_CALL clCreateImage3D(cl_context context, cl_mem_flags flags,
                                              const cl_image_format *format, size_t width,
                                              size_t height, size_t depth, size_t row_pitch,
                                              size_t slice_pitch, void *host_ptr,
                                              cl_int *errcode_ret)
{
    (void)context, (void)flags, (void)format, (void)width, (void)height, (void)depth;
    (void)row_pitch, (void)slice_pitch, (void)host_ptr;
    return refuse(errcode_ret);
}

FAKECL_API cl_int CL_API_CALL clGetSupportedImageFormats(cl_context context, cl_mem_flags flags,
                                                         cl_mem_object_type type, cl_uint entries,
                                                         cl_image_format *formats, cl_uint *count)
{
    (void)context, (void)flags, (void)type, (void)entries, (void)formats;
    if (count != NULL)
        *count = 0;
    return CL_SUCCESS;
}

FAKECL_API cl_int CL_API_CALL clGetImageInfo(cl_mem image, cl_image_info name, size_t size,
                                             void *value, size_t *ret)
{
    (void)image, (void)name, (void)size, (void)value, (void)ret;
    return CL_INVALID_MEM_OBJECT;
}

FAKECL_API cl_sampler CL_API_CALL clCreateSampler(cl_context context, cl_bool normalized,
                                                  cl_addressing_mode addressing,
                                                  cl_filter_mode filter, cl_int *errcode_ret)
{
    (void)context, (void)normalized, (void)addressing, (void)filter;
    return refuse(errcode_ret);
}

FAKECL_API cl_int CL_API_CALL clRetainSampler(cl_sampler sampler)
{
    (void)sampler;
    return CL_INVALID_SAMPLER;
}

FAKECL_API cl_int CL_API_CALL clReleaseSampler(cl_sampler sampler)
{
    (void)sampler;
    return CL_INVALID_SAMPLER;
}

FAKECL_API cl_int CL_API_CALL clGetSamplerInfo(cl_sampler sampler, cl_sampler_info name,
                                               size_t size, void *value, size_t *ret)
{
    (void)sampler, (void)name, (void)size, (void)value, (void)ret;
    return CL_INVALID_SAMPLER;
}

FAKECL_API cl_int CL_API_CALL clEnqueueReadImage(cl_command_queue queue, cl_mem image,
                                                 cl_bool blocking, const size_t *origin,
                                                 const size_t *region, size_t row_pitch,
                                                 size_t slice_pitch, void *ptr, cl_uint count,
                                                 const cl_event *waits, cl_event *event)
{
    (void)queue, (void)image, (void)blocking, (void)origin, (void)region, (void)row_pitch;
    (void)slice_pitch, (void)ptr, (void)count, (void)waits, (void)event;
    return CL_INVALID_OPERATION;
}

FAKECL_API cl_int CL_API_CALL clEnqueueWriteImage(cl_command_queue queue, cl_mem image,
                                                  cl_bool blocking, const size_t *origin,
                                                  const size_t *region, size_t row_pitch,
                                                  size_t slice_pitch, const void *ptr,
                                                  cl_uint count, const cl_event *waits,
                                                  cl_event *event)
{
    (void)queue, (void)image, (void)blocking, (void)origin, (void)region, (void)row_pitch;
    (void)slice_pitch, (void)ptr, (void)count, (void)waits, (void)event;
    return CL_INVALID_OPERATION;
}

FAKECL_API cl_int CL_API_CALL clEnqueueFillImage(cl_command_queue queue, cl_mem image,
                                                 const void *color, const size_t *origin,
                                                 const size_t *region, cl_uint count,
                                                 const cl_event *waits, cl_event *event)
{
    (void)queue, (void)image, (void)color, (void)origin, (void)region, (void)count;
    (void)waits, (void)event;
    return CL_INVALID_OPERATION;
}

FAKECL_API cl_int CL_API_CALL clEnqueueCopyImage(cl_command_queue queue, cl_mem from, cl_mem to,
                                                 const size_t *from_origin, const size_t *to_origin,
                                                 const size_t *region, cl_uint count,
                                                 const cl_event *waits, cl_event *event)
{
    (void)queue, (void)from, (void)to, (void)from_origin, (void)to_origin, (void)region;
    (void)count, (void)waits, (void)event;
    return CL_INVALID_OPERATION;
}

FAKECL_API cl_int CL_API_CALL clEnqueueCopyImageToBuffer(cl_command_queue queue, cl_mem from,
                                                         cl_mem to, const size_t *origin,
                                                         const size_t *region, size_t offset,
                                                         cl_uint count, const cl_event *waits,
                                                         cl_event *event)
{
    (void)queue, (void)from, (void)to, (void)origin, (void)region, (void)offset;
    (void)count, (void)waits, (void)event;
    return CL_INVALID_OPERATION;
}

FAKECL_API cl_int CL_API_CALL clEnqueueCopyBufferToImage(cl_command_queue queue, cl_mem from,
                                                         cl_mem to, size_t offset,
                                                         const size_t *origin, const size_t *region,
                                                         cl_uint count, const cl_event *waits,
                                                         cl_event *event)
{
    (void)queue, (void)from, (void)to, (void)offset, (void)origin, (void)region;
    (void)count, (void)waits, (void)event;
    return CL_INVALID_OPERATION;
}

FAKECL_API void *CL_API_CALL clEnqueueMapImage(cl_command_queue queue, cl_mem image,
                                               cl_bool blocking, cl_map_flags flags,
                                               const size_t *origin, const size_t *region,
                                               size_t *row_pitch, size_t *slice_pitch,
                                               cl_uint count, const cl_event *waits,
                                               cl_event *event, cl_int *errcode_ret)
{
    (void)queue, (void)image, (void)blocking, (void)flags, (void)origin, (void)region;
    (void)row_pitch, (void)slice_pitch, (void)count, (void)waits, (void)event;
    return refuse(errcode_ret);
}

FAKECL_API cl_int CL_API_CALL clEnqueueNativeKernel(cl_command_queue queue,
                                                    void(CL_CALLBACK *function)(void *), void *args,
                                                    size_t args_bytes, cl_uint mem_count,
                                                    const cl_mem *mems, const void **locations,
                                                    cl_uint count, const cl_event *waits,
                                                    cl_event *event)
{
    (void)queue, (void)function, (void)args, (void)args_bytes, (void)mem_count, (void)mems;
    (void)locations, (void)count, (void)waits, (void)event;
    return CL_INVALID_OPERATION;
}

FAKECL_API cl_int CL_API_CALL clCompileProgram(cl_program program, cl_uint count,
                                               const cl_device_id *list, const char *options,
                                               cl_uint header_count, const cl_program *headers,
                                               const char **names,
                                               void(CL_CALLBACK *notify)(cl_program, void *),
                                               void *user)
{
    (void)program, (void)count, (void)list, (void)options, (void)header_count, (void)headers;
    (void)names, (void)notify, (void)user;
    return CL_COMPILER_NOT_AVAILABLE;
}

FAKECL_API cl_program CL_API_CALL clLinkProgram(cl_context context, cl_uint count,
                                                const cl_device_id *list, const char *options,
                                                cl_uint program_count, const cl_program *programs,
                                                void(CL_CALLBACK *notify)(cl_program, void *),
                                                void *user, cl_int *errcode_ret)
{
    (void)context, (void)count, (void)list, (void)options, (void)program_count;
    (void)programs, (void)notify, (void)user;
    if (errcode_ret != NULL)
        *errcode_ret = CL_LINKER_NOT_AVAILABLE;
    return NULL;
}
