// Kernels that macros define, one per type.
// expect: fill_int dst=READ_WRITE:writes_only
// expect: fill_float4 dst=READ_WRITE:writes_only
// expect: copy_uchar src=READ dst=READ_WRITE:writes_only
// expect: copy_double2 src=READ dst=READ_WRITE:writes_only
// expect: scale_float data=READ_WRITE
// class: copy_double2 free FP64
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define FILL(T)                                                     \
    __kernel void CAT(fill_, T)(__global T *dst, T value)           \
    {                                                               \
        dst[get_global_id(0)] = value;                              \
    }
#define COPY(T)                                                     \
    kernel void copy_##T(global const T *src, global T *dst) {      \
        size_t i = get_global_id(0); dst[i] = src[i]; }
#define KERNEL_HEAD(name) __kernel void name
#define ARG(space, type, name) space type *name

FILL(int)
FILL(float4)
COPY(uchar) COPY(double2)

KERNEL_HEAD(scale_float)(ARG(__global, float, data), float by)
{
#define EACH(stmt) do { stmt; } while (0)
    EACH(data[get_global_id(0)] *= by);
}
