// OpenCL C 1.2 in CUDA C++: built-in functions of memory. Goes on where cuda_functions.cu ends.

#define FCL_LOAD(N)                                                                                \
    template <class T> inline vec<T, N> vload##N(size_t i, const T *p)                             \
    {                                                                                              \
        vec<T, N> r;                                                                               \
        for (int k = 0; k < N; k++)                                                                \
            r.s[k] = p[i * N + k];                                                                 \
        return r;                                                                                  \
    }                                                                                              \
    template <class T> inline void vstore##N(vec<T, N> v, size_t i, id<T> *p)                      \
    {                                                                                              \
        for (int k = 0; k < N; k++)                                                                \
            p[i * N + k] = v.s[k];                                                                 \
    }
FCL_LOAD(2)
FCL_LOAD(3)
FCL_LOAD(4)
FCL_LOAD(8)
FCL_LOAD(16)

// ---- half: storage only

inline float half_read(half h)
{
    uint sign = (uint)(h.bits & 0x8000u) << 16, body = h.bits & 0x7fffu;
    if (body >= 0x7c00u)
        return as<float>(sign | 0x7f800000u | ((body & 0x3ffu) << 13));
    if (body >= 0x400u)
        return as<float>(sign | ((body << 13) + 0x38000000u));
    float small = (float)body * 5.9604644775390625e-8f;
    return sign != 0 ? -small : small;
}
inline half half_round(float f) // to nearest even
{
    uint bits = as<uint>(f), sign = bits >> 16 & 0x8000u, body = bits & 0x7fffffffu, r;
    if (body > 0x7f800000u)
        r = 0x7e00u;
    else if (body >= 0x47800000u)
        r = 0x7c00u;
    else if (body >= 0x38800000u)
        r = (body - 0x38000000u + 0xfffu + (body >> 13 & 1u)) >> 13;
    else
        r = (uint)::rintf(as<float>(body) * 16777216.0f);
    return half{(ushort)(sign | r)};
}
inline float vload_half(size_t i, const half *p) { return half_read(p[i]); }
inline float vloada_half(size_t i, const half *p) { return half_read(p[i]); }
inline void vstore_half(float v, size_t i, half *p) { p[i] = half_round(v); }
inline void vstore_half_rte(float v, size_t i, half *p) { p[i] = half_round(v); }
inline void vstorea_half(float v, size_t i, half *p) { p[i] = half_round(v); }
inline void vstorea_half_rte(float v, size_t i, half *p) { p[i] = half_round(v); }
#define FCL_HALVES(N, name, step)                                                                  \
    inline vec<float, N> vload##name##N(size_t i, const half *p)                                   \
    {                                                                                              \
        vec<float, N> r;                                                                           \
        for (int k = 0; k < N; k++)                                                                \
            r.s[k] = half_read(p[i * step + k]);                                                   \
        return r;                                                                                  \
    }                                                                                              \
    inline void vstore##name##N(vec<float, N> v, size_t i, half *p)                                \
    {                                                                                              \
        for (int k = 0; k < N; k++)                                                                \
            p[i * step + k] = half_round(v.s[k]);                                                  \
    }                                                                                              \
    inline void vstore##name##N##_rte(vec<float, N> v, size_t i, half *p)                          \
    {                                                                                              \
        vstore##name##N(v, i, p);                                                                  \
    }
FCL_HALVES(2, _half, 2)
FCL_HALVES(3, _half, 3)
FCL_HALVES(4, _half, 4)
FCL_HALVES(8, _half, 8)
FCL_HALVES(16, _half, 16)
FCL_HALVES(2, a_half, 2)
FCL_HALVES(3, a_half, 4)
FCL_HALVES(4, a_half, 4)
FCL_HALVES(8, a_half, 8)
FCL_HALVES(16, a_half, 16)

// ---- atomics, of 4 and 8 bytes; atom_ and atomic_ are the same

#define FCL_ATOMIC(name, call)                                                                     \
    template <class T> inline T atomic_##name(volatile T *p, id<T> v)                              \
    {                                                                                              \
        if constexpr (sizeof(T) == 4)                                                              \
            return as<T>(call((uint *)p, as<uint>(v)));                                            \
        else                                                                                       \
            return as<T>(call((unsigned long long *)p, as<unsigned long long>(v)));                \
    }                                                                                              \
    template <class T> inline T atom_##name(volatile T *p, id<T> v) { return atomic_##name(p, v); }
#define FCL_ATOMIC_SIGNED(name, call)                                                              \
    template <class T> inline T atomic_##name(volatile T *p, id<T> v)                              \
    {                                                                                              \
        if constexpr (kind<T> == 1 && sizeof(T) == 4)                                              \
            return (T)call((int *)p, (int)v);                                                      \
        else if constexpr (kind<T> == 1)                                                           \
            return (T)call((long long *)p, (long long)v);                                          \
        else if constexpr (sizeof(T) == 4)                                                         \
            return (T)call((uint *)p, (uint)v);                                                    \
        else                                                                                       \
            return (T)call((unsigned long long *)p, (unsigned long long)v);                        \
    }                                                                                              \
    template <class T> inline T atom_##name(volatile T *p, id<T> v) { return atomic_##name(p, v); }
FCL_ATOMIC(add, ::atomicAdd)
FCL_ATOMIC(and, ::atomicAnd)
FCL_ATOMIC(or, ::atomicOr)
FCL_ATOMIC(xor, ::atomicXor)
FCL_ATOMIC(xchg, ::atomicExch)
FCL_ATOMIC_SIGNED(max, ::atomicMax)
FCL_ATOMIC_SIGNED(min, ::atomicMin)
template <class T> inline T atomic_sub(volatile T *p, id<T> v)
{
    return atomic_add(p, (T)-(unsigned_of<T>)v);
}
template <class T> inline T atom_sub(volatile T *p, id<T> v) { return atomic_sub(p, v); }
template <class T> inline T atomic_inc(volatile T *p) { return atomic_add(p, (T)1); }
template <class T> inline T atomic_dec(volatile T *p) { return atomic_add(p, (T)-1); }
template <class T> inline T atom_inc(volatile T *p) { return atomic_add(p, (T)1); }
template <class T> inline T atom_dec(volatile T *p) { return atomic_add(p, (T)-1); }
template <class T> inline T atomic_cmpxchg(volatile T *p, id<T> old, id<T> v)
{
    if constexpr (sizeof(T) == 4)
        return as<T>(::atomicCAS((uint *)p, as<uint>(old), as<uint>(v)));
    else
        return as<T>(::atomicCAS((unsigned long long *)p, as<unsigned long long>(old),
                                 as<unsigned long long>(v)));
}
template <class T> inline T atom_cmpxchg(volatile T *p, id<T> old, id<T> v)
{
    return atomic_cmpxchg(p, old, v);
}

// ---- copies by the whole work group

inline size_t local_item()
{
    return ((size_t)threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
}
inline size_t local_items() { return (size_t)blockDim.x * blockDim.y * blockDim.z; }
template <class T>
inline event_t async_work_group_copy(T *to, const id<T> *from, size_t count, event_t event)
{
    for (size_t i = local_item(); i < count; i += local_items())
        to[i] = from[i];
    return event;
}
// The side in global memory is the strided one.
template <class T>
inline event_t async_work_group_strided_copy(T *to, const id<T> *from, size_t count,
                                             size_t stride, event_t event)
{
    bool out = !__isShared(to);
    for (size_t i = local_item(); i < count; i += local_items())
        to[out ? i * stride : i] = from[out ? i : i * stride];
    return event;
}
inline void wait_group_events(int, event_t *) { __syncthreads(); }
template <class T> inline void prefetch(const T *, size_t) {}
using ::printf;

} // namespace fcl

#undef NULL
#define NULL 0
#define CHAR_BIT 8
#define SCHAR_MAX 127
#define SCHAR_MIN (-127 - 1)
#define CHAR_MAX SCHAR_MAX
#define CHAR_MIN SCHAR_MIN
#define UCHAR_MAX 255
#define SHRT_MAX 32767
#define SHRT_MIN (-32767 - 1)
#define USHRT_MAX 65535
#define INT_MAX 2147483647
#define INT_MIN (-2147483647 - 1)
#define UINT_MAX 0xffffffffu
#define LONG_MAX 0x7fffffffffffffffl
#define LONG_MIN (-0x7fffffffffffffffl - 1)
#define ULONG_MAX 0xffffffffffffffffful
#define CLK_LOCAL_MEM_FENCE 1u
#define CLK_GLOBAL_MEM_FENCE 2u
#define FLT_DIG 6
#define FLT_MANT_DIG 24
#define FLT_MAX_10_EXP 38
#define FLT_MAX_EXP 128
#define FLT_MIN_10_EXP (-37)
#define FLT_MIN_EXP (-125)
#define FLT_RADIX 2
#define FLT_MAX 0x1.fffffep127f
#define FLT_MIN 0x1.0p-126f
#define FLT_EPSILON 0x1.0p-23f
#define DBL_DIG 15
#define DBL_MANT_DIG 53
#define DBL_MAX_10_EXP 308
#define DBL_MAX_EXP 1024
#define DBL_MIN_10_EXP (-307)
#define DBL_MIN_EXP (-1021)
#define DBL_MAX 0x1.fffffffffffffp1023
#define DBL_MIN 0x1.0p-1022
#define DBL_EPSILON 0x1.0p-52
#define MAXFLOAT FLT_MAX
#define HUGE_VALF __builtin_huge_valf()
#define HUGE_VAL __builtin_huge_val()
#define INFINITY __builtin_huge_valf()
#define NAN __builtin_nanf("")
#define FP_ILOGB0 (-2147483647 - 1)
#define FP_ILOGBNAN 2147483647
#define M_E 2.7182818284590452354
#define M_LOG2E 1.4426950408889634074
#define M_LOG10E 0.43429448190325182765
#define M_LN2 0.69314718055994530942
#define M_LN10 2.30258509299404568402
#define M_PI 3.14159265358979323846
#define M_PI_2 1.57079632679489661923
#define M_PI_4 0.78539816339744830962
#define M_1_PI 0.31830988618379067154
#define M_2_PI 0.63661977236758134308
#define M_2_SQRTPI 1.12837916709551257390
#define M_SQRT2 1.41421356237309504880
#define M_SQRT1_2 0.70710678118654752440
#define M_E_F 2.7182818284590452354f
#define M_LOG2E_F 1.4426950408889634074f
#define M_LOG10E_F 0.43429448190325182765f
#define M_LN2_F 0.69314718055994530942f
#define M_LN10_F 2.30258509299404568402f
#define M_PI_F 3.14159265358979323846f
#define M_PI_2_F 1.57079632679489661923f
#define M_PI_4_F 0.78539816339744830962f
#define M_1_PI_F 0.31830988618379067154f
#define M_2_PI_F 0.63661977236758134308f
#define M_2_SQRTPI_F 1.12837916709551257390f
#define M_SQRT2_F 1.41421356237309504880f
#define M_SQRT1_2_F 0.70710678118654752440f
extern __shared__ fcl::slot fcl_shared[];
