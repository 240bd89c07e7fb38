// OpenCL C 1.2 in CUDA C++: built-in functions. Goes on where cuda_prelude.cu ends.

// ---- conversions: saturating or not; rounding 0 to zero, 1 to nearest even, 2 up, 3 down

template <class To> constexpr To most = (To)(kind<To> == 1 ? ~(ulong)0 >> (65 - sizeof(To) * 8)
                                                           : ~(ulong)0 >> (64 - sizeof(To) * 8));
template <class To> constexpr To least = kind<To> == 1 ? (To)(-most<To> - 1) : (To)0;

// A double does not hold what has 64 bits.
#define FCL_ROUNDED(To, From, name)                                                                \
    template <int Round> inline To fcl_rounded(To, From v)                                         \
    {                                                                                              \
        return Round == 0 ? ::name##_rz(v) : Round == 2 ? ::name##_ru(v) : ::name##_rd(v);         \
    }
FCL_ROUNDED(float, long long, __ll2float)
FCL_ROUNDED(float, unsigned long long, __ull2float)
FCL_ROUNDED(double, long long, __ll2double)
FCL_ROUNDED(double, unsigned long long, __ull2double)

template <class To, bool Sat, int Round, class From> inline To convert_one(From v)
{
    if constexpr (kind<From> == 3 && integer<To>) {
        double d = Round == 0   ? ::trunc((double)v)
                   : Round == 1 ? ::rint((double)v)
                   : Round == 2 ? ::ceil((double)v)
                                : ::floor((double)v);
        if constexpr (Sat) {
            if (d != d)
                return (To)0;
            if (d >= (double)most<To>)
                return most<To>;
            if (d <= (double)least<To>)
                return least<To>;
        }
        return kind<To> == 2 && sizeof(To) == 8 ? (To)(ulong)d : (To)(long)d;
    } else if constexpr (Sat && integer<To>) {
        if constexpr (kind<From> == 1) {
            if (v < 0 && (kind<To> == 2 || (long)v < (long)least<To>))
                return least<To>;
            return v > 0 && (ulong)v > (ulong)most<To> ? most<To> : (To)v;
        } else {
            return (ulong)v > (ulong)most<To> ? most<To> : (To)v;
        }
    } else if constexpr (kind<To> == 3 && kind<From> == 1 && sizeof(From) == 8 && Round != 1) {
        return fcl_rounded<Round>((To)0, (long long)v);
    } else if constexpr (kind<To> == 3 && kind<From> == 2 && sizeof(From) == 8 && Round != 1) {
        return fcl_rounded<Round>((To)0, (unsigned long long)v);
    } else if constexpr (equal<To, float> && !equal<From, float> && Round != 1) {
        To r = (To)v;
        double d = (double)v, back = (double)r;
        bool above = back > d, below = back < d;
        if ((above && (Round == 3 || (Round == 0 && d > 0))))
            return ::nextafterf(r, -3.402823466e38f);
        if ((below && (Round == 2 || (Round == 0 && d < 0))))
            return ::nextafterf(r, 3.402823466e38f);
        return r;
    } else {
        return (To)v;
    }
}
template <class To, bool Sat, int Round, class From> inline To convert(From v)
{
    if constexpr (vector<To>) {
        static_assert(width<To> == width<From>, "a conversion between different widths");
        To r;
        for (int i = 0; i < width<To>; i++)
            r.s[i] = convert_one<element<To>, Sat, Round>(v.s[i]);
        return r;
    } else {
        static_assert(!vector<From>, "a conversion from a vector to a scalar");
        return convert_one<To, Sat, Round>(v);
    }
}

// ---- functions of components

#define FCL_EACH_1(name)                                                                           \
    template <class T, int N> inline auto name(vec<T, N> a)                                        \
    {                                                                                              \
        vec<decltype(name(a.s[0])), N> r;                                                          \
        for (int i = 0; i < N; i++)                                                                \
            r.s[i] = name(a.s[i]);                                                                 \
        return r;                                                                                  \
    }
#define FCL_EACH_2(name)                                                                           \
    template <class T, class U, int N> inline auto name(vec<T, N> a, vec<U, N> b)                  \
    {                                                                                              \
        vec<decltype(name(a.s[0], b.s[0])), N> r;                                                  \
        for (int i = 0; i < N; i++)                                                                \
            r.s[i] = name(a.s[i], b.s[i]);                                                         \
        return r;                                                                                  \
    }
#define FCL_EACH_3(name)                                                                           \
    template <class T, class U, class V, int N>                                                    \
    inline auto name(vec<T, N> a, vec<U, N> b, vec<V, N> c)                                        \
    {                                                                                              \
        vec<decltype(name(a.s[0], b.s[0], c.s[0])), N> r;                                          \
        for (int i = 0; i < N; i++)                                                                \
            r.s[i] = name(a.s[i], b.s[i], c.s[i]);                                                 \
        return r;                                                                                  \
    }
#define FCL_SCALAR_2ND(name, U)                                                                    \
    template <class T, int N> inline vec<T, N> name(vec<T, N> a, id<U> b)                          \
    {                                                                                              \
        return name(a, vec<id<U>, N>(b));                                                          \
    }
// Truth values among the arguments are ints.
inline int fcl_int(bool a) { return a; }
template <class T> inline T fcl_int(T a) { return a; }
#define FCL_LOGIC_1(name)                                                                          \
    template <class A, class = when<logic<A>>, class = void> inline auto name(A a)                 \
    {                                                                                              \
        return name((int)a);                                                                       \
    }
#define FCL_LOGIC_2(name)                                                                          \
    template <class A, class B, class = when<logic<A> || logic<B>>> inline auto name(A a, B b)     \
    {                                                                                              \
        return name(fcl_int(a), fcl_int(b));                                                       \
    }
#define FCL_LOGIC_3(name)                                                                          \
    template <class A, class B, class C, class = when<logic<A> || logic<B> || logic<C>>>           \
    inline auto name(A a, B b, C c)                                                                \
    {                                                                                              \
        return name(fcl_int(a), fcl_int(b), fcl_int(c));                                           \
    }
#define FCL_MATH_1(name, f, d)                                                                     \
    inline float name(float a) { return f(a); }                                                    \
    inline double name(double a) { return d(a); }                                                  \
    FCL_EACH_1(name)
#define FCL_MATH_2(name, f, d)                                                                     \
    inline float name(float a, float b) { return f(a, b); }                                        \
    inline double name(double a, double b) { return d(a, b); }                                     \
    FCL_EACH_2(name)
#define FCL_MATH_3(name, f, d)                                                                     \
    inline float name(float a, float b, float c) { return f(a, b, c); }                            \
    inline double name(double a, double b, double c) { return d(a, b, c); }                        \
    FCL_EACH_3(name)
// A float function that is native or half: fast, of some precision.
#define FCL_FAST_1(name, f)                                                                        \
    inline float name(float a) { return f(a); }                                                    \
    FCL_EACH_1(name)

FCL_MATH_1(acos, ::acosf, ::acos)
FCL_MATH_1(acosh, ::acoshf, ::acosh)
FCL_MATH_1(asin, ::asinf, ::asin)
FCL_MATH_1(asinh, ::asinhf, ::asinh)
FCL_MATH_1(atan, ::atanf, ::atan)
FCL_MATH_1(atanh, ::atanhf, ::atanh)
FCL_MATH_1(cbrt, ::cbrtf, ::cbrt)
FCL_MATH_1(ceil, ::ceilf, ::ceil)
FCL_MATH_1(cos, ::cosf, ::cos)
FCL_MATH_1(cosh, ::coshf, ::cosh)
FCL_MATH_1(cospi, ::cospif, ::cospi)
FCL_MATH_1(erf, ::erff, ::erf)
FCL_MATH_1(erfc, ::erfcf, ::erfc)
FCL_MATH_1(exp, ::expf, ::exp)
FCL_MATH_1(exp10, ::exp10f, ::exp10)
FCL_MATH_1(exp2, ::exp2f, ::exp2)
FCL_MATH_1(expm1, ::expm1f, ::expm1)
FCL_MATH_1(fabs, ::fabsf, ::fabs)
FCL_MATH_1(floor, ::floorf, ::floor)
FCL_MATH_1(lgamma, ::lgammaf, ::lgamma)
FCL_MATH_1(log, ::logf, ::log)
FCL_MATH_1(log10, ::log10f, ::log10)
FCL_MATH_1(log1p, ::log1pf, ::log1p)
FCL_MATH_1(log2, ::log2f, ::log2)
FCL_MATH_1(logb, ::logbf, ::logb)
FCL_MATH_1(rint, ::rintf, ::rint)
FCL_MATH_1(round, ::roundf, ::round)
FCL_MATH_1(rsqrt, ::rsqrtf, ::rsqrt)
FCL_MATH_1(sin, ::sinf, ::sin)
FCL_MATH_1(sinh, ::sinhf, ::sinh)
FCL_MATH_1(sinpi, ::sinpif, ::sinpi)
FCL_MATH_1(sqrt, ::sqrtf, ::sqrt)
FCL_MATH_1(tan, ::tanf, ::tan)
FCL_MATH_1(tanh, ::tanhf, ::tanh)
FCL_MATH_1(tgamma, ::tgammaf, ::tgamma)
FCL_MATH_1(trunc, ::truncf, ::trunc)
FCL_MATH_2(atan2, ::atan2f, ::atan2)
FCL_MATH_2(copysign, ::copysignf, ::copysign)
FCL_MATH_2(fdim, ::fdimf, ::fdim)
FCL_MATH_2(fmax, ::fmaxf, ::fmax)
FCL_SCALAR_2ND(fmax, T)
FCL_MATH_2(fmin, ::fminf, ::fmin)
FCL_SCALAR_2ND(fmin, T)
FCL_MATH_2(fmod, ::fmodf, ::fmod)
FCL_MATH_2(hypot, ::hypotf, ::hypot)
FCL_MATH_2(nextafter, ::nextafterf, ::nextafter)
FCL_MATH_2(pow, ::powf, ::pow)
FCL_MATH_2(powr, ::powf, ::pow)
FCL_MATH_2(remainder, ::remainderf, ::remainder)
FCL_MATH_3(fma, ::fmaf, ::fma)
#define FCL_MAD(a, b, c) ((a) * (b) + (c))
FCL_MATH_3(mad, FCL_MAD, FCL_MAD)
#define FCL_OVER_PI(f, a, t) ((f) * (t)0.31830988618379067154)
#define FCL_ACOSPI(a) FCL_OVER_PI(acos(a), a, decltype(a))
#define FCL_ASINPI(a) FCL_OVER_PI(asin(a), a, decltype(a))
#define FCL_ATANPI(a) FCL_OVER_PI(atan(a), a, decltype(a))
#define FCL_ATAN2PI(a, b) FCL_OVER_PI(atan2(a, b), a, decltype(a))
#define FCL_TANPI(a) (sinpi(a) / cospi(a))
#define FCL_DEGREES(a) ((decltype(a))57.295779513082320877 * (a))
#define FCL_RADIANS(a) ((decltype(a))0.017453292519943295769 * (a))
#define FCL_SIGN(a) ((a) != (a) ? (decltype(a))0 : (a) > 0 ? 1 : (a) < 0 ? -1 : (a))
#define FCL_MAXMAG(a, b) (fabs(a) > fabs(b) ? (a) : fabs(b) > fabs(a) ? (b) : fmax(a, b))
#define FCL_MINMAG(a, b) (fabs(a) < fabs(b) ? (a) : fabs(b) < fabs(a) ? (b) : fmin(a, b))
FCL_MATH_1(acospi, FCL_ACOSPI, FCL_ACOSPI)
FCL_MATH_1(asinpi, FCL_ASINPI, FCL_ASINPI)
FCL_MATH_1(atanpi, FCL_ATANPI, FCL_ATANPI)
FCL_MATH_2(atan2pi, FCL_ATAN2PI, FCL_ATAN2PI)
FCL_MATH_1(tanpi, FCL_TANPI, FCL_TANPI)
FCL_MATH_1(degrees, FCL_DEGREES, FCL_DEGREES)
FCL_MATH_1(radians, FCL_RADIANS, FCL_RADIANS)
FCL_MATH_1(sign, FCL_SIGN, FCL_SIGN)
FCL_MATH_2(maxmag, FCL_MAXMAG, FCL_MAXMAG)
FCL_MATH_2(minmag, FCL_MINMAG, FCL_MINMAG)

#define FCL_RECIP(a) (1.0f / (a))
#define FCL_DIVIDE(a, b) ((a) / (b))
#define FCL_EXP2_FAST(a) ::__exp10f((a) * 0.30102999566398119521f)
FCL_FAST_1(native_cos, ::__cosf)
FCL_FAST_1(native_exp, ::__expf)
FCL_FAST_1(native_exp10, ::__exp10f)
FCL_FAST_1(native_exp2, FCL_EXP2_FAST)
FCL_FAST_1(native_log, ::__logf)
FCL_FAST_1(native_log10, ::__log10f)
FCL_FAST_1(native_log2, ::__log2f)
FCL_FAST_1(native_recip, FCL_RECIP)
FCL_FAST_1(native_rsqrt, ::rsqrtf)
FCL_FAST_1(native_sin, ::__sinf)
FCL_FAST_1(native_sqrt, ::sqrtf)
FCL_FAST_1(native_tan, ::__tanf)
FCL_FAST_1(half_cos, ::cosf)
FCL_FAST_1(half_exp, ::expf)
FCL_FAST_1(half_exp10, ::exp10f)
FCL_FAST_1(half_exp2, ::exp2f)
FCL_FAST_1(half_log, ::logf)
FCL_FAST_1(half_log10, ::log10f)
FCL_FAST_1(half_log2, ::log2f)
FCL_FAST_1(half_recip, FCL_RECIP)
FCL_FAST_1(half_rsqrt, ::rsqrtf)
FCL_FAST_1(half_sin, ::sinf)
FCL_FAST_1(half_sqrt, ::sqrtf)
FCL_FAST_1(half_tan, ::tanf)
inline float native_divide(float a, float b) { return ::__fdividef(a, b); }
FCL_EACH_2(native_divide)
inline float native_powr(float a, float b) { return ::__powf(a, b); }
FCL_EACH_2(native_powr)
inline float half_divide(float a, float b) { return a / b; }
FCL_EACH_2(half_divide)
inline float half_powr(float a, float b) { return ::powf(a, b); }
FCL_EACH_2(half_powr)

inline float ldexp(float a, int n) { return ::ldexpf(a, n); }
inline double ldexp(double a, int n) { return ::ldexp(a, n); }
FCL_EACH_2(ldexp)
FCL_SCALAR_2ND(ldexp, int)
// A float holds n exactly up to 2^24; beyond that its parity would be lost.
inline float pown(float a, int n)
{
    return n > -16777216 && n < 16777216 ? ::powf(a, (float)n) : (float)::pow((double)a, (double)n);
}
inline double pown(double a, int n) { return ::pow(a, (double)n); }
FCL_EACH_2(pown)
template <class T> inline T fcl_root(T a, int n)
{
    T r = a < 0 && (n & 1) ? -pow(-a, (T)1 / (T)n) : pow(a, (T)1 / (T)n);
    return r;
}
inline float rootn(float a, int n) { return (float)fcl_root((double)a, n); }
inline double rootn(double a, int n) { return fcl_root(a, n); }
FCL_EACH_2(rootn)
inline int ilogb(float a) { return ::ilogbf(a); }
inline int ilogb(double a) { return ::ilogb(a); }
FCL_EACH_1(ilogb)
inline float nan(uint bits) { return as<float>(0x7fc00000u | (bits & 0x3fffffu)); }
inline double nan(ulong bits)
{
    return as<double>(0x7ff8000000000000ul | (bits & 0x7fffffffffffful));
}
FCL_EACH_1(nan)

// Functions that give a second result through a pointer.
#define FCL_WITH_POINTER(name, P)                                                                  \
    template <class T, int N> inline vec<T, N> name(vec<T, N> a, vec<P, N> *p)                     \
    {                                                                                              \
        vec<T, N> r;                                                                               \
        for (int i = 0; i < N; i++)                                                                \
            r.s[i] = name(a.s[i], &p->s[i]);                                                       \
        return r;                                                                                  \
    }
inline float fract(float a, float *whole)
{
    *whole = ::floorf(a);
    if (a != a)
        return a;
    return ::isinf(a) ? ::copysignf(0.0f, a) : ::fminf(a - *whole, 0.99999994f);
}
inline double fract(double a, double *whole)
{
    *whole = ::floor(a);
    if (a != a)
        return a;
    return ::isinf(a) ? ::copysign(0.0, a) : ::fmin(a - *whole, 0.99999999999999988898);
}
FCL_WITH_POINTER(fract, T)
inline float modf(float a, float *whole) { return ::modff(a, whole); }
inline double modf(double a, double *whole) { return ::modf(a, whole); }
FCL_WITH_POINTER(modf, T)
inline float frexp(float a, int *e) { return ::frexpf(a, e); }
inline double frexp(double a, int *e) { return ::frexp(a, e); }
FCL_WITH_POINTER(frexp, int)
inline float sincos(float a, float *c)
{
    float s;
    ::sincosf(a, &s, c);
    return s;
}
inline double sincos(double a, double *c)
{
    double s;
    ::sincos(a, &s, c);
    return s;
}
FCL_WITH_POINTER(sincos, T)
inline float remquo(float a, float b, int *q) { return ::remquof(a, b, q); }
inline double remquo(double a, double b, int *q) { return ::remquo(a, b, q); }

// ---- integers

template <class T, class = when<integer<T>>> inline unsigned_of<T> abs(T a)
{
    return a < 0 ? (unsigned_of<T>)(-(unsigned_of<T>)a) : (unsigned_of<T>)a;
}
FCL_EACH_1(abs)
FCL_LOGIC_1(abs)
template <class T, class = when<integer<T>>> inline unsigned_of<T> abs_diff(T a, T b)
{
    return a > b ? (unsigned_of<T>)((unsigned_of<T>)a - (unsigned_of<T>)b)
                 : (unsigned_of<T>)((unsigned_of<T>)b - (unsigned_of<T>)a);
}
FCL_EACH_2(abs_diff)
FCL_LOGIC_2(abs_diff)
template <class T, class = when<integer<T>>> inline T add_sat(T a, T b)
{
    T r = (T)((unsigned_of<T>)a + (unsigned_of<T>)b);
    if constexpr (kind<T> == 2)
        return r < a ? most<T> : r;
    else
        return ((a ^ r) & (b ^ r)) < 0 ? (a < 0 ? least<T> : most<T>) : r;
}
FCL_EACH_2(add_sat)
FCL_LOGIC_2(add_sat)
template <class T, class = when<integer<T>>> inline T sub_sat(T a, T b)
{
    T r = (T)((unsigned_of<T>)a - (unsigned_of<T>)b);
    if constexpr (kind<T> == 2)
        return a < b ? (T)0 : r;
    else
        return ((a ^ b) & (a ^ r)) < 0 ? (a < 0 ? least<T> : most<T>) : r;
}
FCL_EACH_2(sub_sat)
FCL_LOGIC_2(sub_sat)
template <class T, class = when<integer<T>>> inline T hadd(T a, T b)
{
    return (T)((a & b) + ((a ^ b) >> 1));
}
FCL_EACH_2(hadd)
FCL_LOGIC_2(hadd)
template <class T, class = when<integer<T>>> inline T rhadd(T a, T b)
{
    return (T)((a | b) - ((a ^ b) >> 1));
}
FCL_EACH_2(rhadd)
FCL_LOGIC_2(rhadd)
template <class T, class = when<integer<T>>> inline T clz(T a)
{
    unsigned_of<T> u = (unsigned_of<T>)a;
    return (T)(sizeof(T) == 8 ? ::__clzll((long long)u)
                              : ::__clz((int)u) - (int)(32 - sizeof(T) * 8));
}
FCL_EACH_1(clz)
FCL_LOGIC_1(clz)
template <class T, class = when<integer<T>>> inline T popcount(T a)
{
    return (T)::__popcll((unsigned long long)(unsigned_of<T>)a);
}
FCL_EACH_1(popcount)
FCL_LOGIC_1(popcount)
template <class T, class = when<integer<T>>> inline T rotate(T a, T n)
{
    constexpr int bits = sizeof(T) * 8;
    int k = (int)((unsigned_of<T>)n & (unsigned_of<T>)(bits - 1));
    unsigned_of<T> u = (unsigned_of<T>)a;
    return (T)(unsigned_of<T>)((u << k) | (unsigned_of<T>)(u >> ((bits - k) & (bits - 1))));
}
FCL_EACH_2(rotate)
FCL_LOGIC_2(rotate)
template <class T, class = when<integer<T>>> inline T mul_hi(T a, T b)
{
    if constexpr (sizeof(T) < 8)
        return (T)((long)((ulong)a * (ulong)b) >> (sizeof(T) * 8));
    else if constexpr (kind<T> == 1)
        return (T)::__mul64hi((long long)a, (long long)b);
    else
        return (T)::__umul64hi((unsigned long long)a, (unsigned long long)b);
}
FCL_EACH_2(mul_hi)
FCL_LOGIC_2(mul_hi)
template <class T, class = when<integer<T>>> inline T mad_hi(T a, T b, T c)
{
    return (T)((unsigned_of<T>)mul_hi(a, b) + (unsigned_of<T>)c);
}
FCL_EACH_3(mad_hi)
FCL_LOGIC_3(mad_hi)
template <class T, class = when<integer<T>>> inline T mad_sat(T a, T b, T c)
{
    T low = (T)((unsigned_of<T>)1 * (unsigned_of<T>)a * (unsigned_of<T>)b), high = mul_hi(a, b);
    T r = (T)((unsigned_of<T>)low + (unsigned_of<T>)c);
    if constexpr (kind<T> == 2)
        return high != 0 || r < low ? most<T> : r;
    /* The sum in two words; its high word must be the sign of the low one. */
    high = (T)(high + (c < 0 ? -1 : 0) + ((unsigned_of<T>)r < (unsigned_of<T>)low ? 1 : 0));
    return high == (T)(r < 0 ? -1 : 0) ? r : high < 0 ? least<T> : most<T>;
}
FCL_EACH_3(mad_sat)
FCL_LOGIC_3(mad_sat)
inline int mul24(int a, int b) { return ::__mul24(a, b); }
inline uint mul24(uint a, uint b) { return ::__umul24(a, b); }
FCL_EACH_2(mul24)
inline int mad24(int a, int b, int c) { return ::__mul24(a, b) + c; }
inline uint mad24(uint a, uint b, uint c) { return ::__umul24(a, b) + c; }
FCL_EACH_3(mad24)
#define FCL_UPSAMPLE(H, L, R)                                                                      \
    inline R upsample(H high, L low)                                                               \
    {                                                                                              \
        return (R)((unsigned_of<R>)((unsigned_of<R>)high << (sizeof(L) * 8)) | low);               \
    }
FCL_UPSAMPLE(char, uchar, short)
FCL_UPSAMPLE(uchar, uchar, ushort)
FCL_UPSAMPLE(short, ushort, int)
FCL_UPSAMPLE(ushort, ushort, uint)
FCL_UPSAMPLE(int, uint, long)
FCL_UPSAMPLE(uint, uint, ulong)
FCL_EACH_2(upsample)

// ---- common functions; min and max are of all types

template <class T, class = when<scalar<T> && !logic<T>>> inline T max(T a, T b)
{
    return a < b ? b : a;
}
FCL_EACH_2(max)
FCL_SCALAR_2ND(max, T)
FCL_LOGIC_2(max)
template <class T, class = when<scalar<T> && !logic<T>>> inline T min(T a, T b)
{
    return b < a ? b : a;
}
FCL_EACH_2(min)
FCL_SCALAR_2ND(min, T)
FCL_LOGIC_2(min)
// Where a literal of another type stands beside a float.
#define FCL_FLOAT_2(name)                                                                          \
    inline float name(float a, float b) { return name<float>(a, b); }                              \
    inline double name(double a, double b) { return name<double>(a, b); }
FCL_FLOAT_2(max)
FCL_FLOAT_2(min)
template <class T, class = when<scalar<T> && !logic<T>>> inline T clamp(T a, T low, T high)
{
    return min(max(a, low), high);
}
FCL_EACH_3(clamp)
template <class T, int N> inline vec<T, N> clamp(vec<T, N> a, id<T> low, id<T> high)
{
    return min(max(a, vec<T, N>(low)), vec<T, N>(high));
}
FCL_LOGIC_3(clamp)
inline float mix(float a, float b, float t) { return a + (b - a) * t; }
inline double mix(double a, double b, double t) { return a + (b - a) * t; }
FCL_EACH_3(mix)
template <class T, int N> inline vec<T, N> mix(vec<T, N> a, vec<T, N> b, id<T> t)
{
    return mix(a, b, vec<T, N>(t));
}
inline float step(float edge, float a) { return a < edge ? 0.0f : 1.0f; }
inline double step(double edge, double a) { return a < edge ? 0.0 : 1.0; }
FCL_EACH_2(step)
template <class T, int N> inline vec<T, N> step(id<T> edge, vec<T, N> a)
{
    return step(vec<T, N>(edge), a);
}
template <class T> inline T fcl_smooth(T low, T high, T a)
{
    T t = clamp((a - low) / (high - low), (T)0, (T)1);
    return t * t * (3 - 2 * t);
}
inline float smoothstep(float low, float high, float a) { return fcl_smooth(low, high, a); }
inline double smoothstep(double low, double high, double a) { return fcl_smooth(low, high, a); }
FCL_EACH_3(smoothstep)
template <class T, int N> inline vec<T, N> smoothstep(id<T> low, id<T> high, vec<T, N> a)
{
    return smoothstep(vec<T, N>(low), vec<T, N>(high), a);
}

// ---- geometry

inline float dot(float a, float b) { return a * b; }
inline double dot(double a, double b) { return a * b; }
template <class T, int N> inline T dot(vec<T, N> a, vec<T, N> b)
{
    T sum = a.s[0] * b.s[0];
    for (int i = 1; i < N; i++)
        sum += a.s[i] * b.s[i];
    return sum;
}
template <class T, int N> inline vec<T, N> cross(vec<T, N> a, vec<T, N> b)
{
    vec<T, N> r(0);
    r.s[0] = a.s[1] * b.s[2] - a.s[2] * b.s[1];
    r.s[1] = a.s[2] * b.s[0] - a.s[0] * b.s[2];
    r.s[2] = a.s[0] * b.s[1] - a.s[1] * b.s[0];
    return r;
}
inline float length(float a) { return ::fabsf(a); }
inline double length(double a) { return ::fabs(a); }
// Without overflow on the way where squares leave the range.
template <class T, int N> inline T length(vec<T, N> a)
{
    T square = dot(a, a), most = (T)0;
    if (square > (T)1e-30 && square < (T)1e30)
        return sqrt(square);
    for (int i = 0; i < N; i++)
        most = fmax(most, fabs(a.s[i]));
    if (most == 0 || most - most != 0)
        return square != square && most - most == 0 ? square : most;
    a /= most;
    return most * sqrt(dot(a, a));
}
template <class T, class = when<scalar<T>>> inline T distance(T a, T b) { return length(a - b); }
template <class T, int N> inline T distance(vec<T, N> a, vec<T, N> b) { return length(a - b); }
inline float normalize(float a) { return sign(a); }
inline double normalize(double a) { return sign(a); }
template <class T, int N> inline vec<T, N> normalize(vec<T, N> a)
{
    T l = length(a);
    return l == 0 ? a : a / l;
}
template <class V> inline auto fast_length(V a) { return sqrt(dot(a, a)); }
template <class V> inline auto fast_distance(V a, V b) { return fast_length(a - b); }
template <class V> inline V fast_normalize(V a) { return a * rsqrt(dot(a, a)); }

// ---- relations: 1 for scalars, -1 in vectors

#define FCL_TRUTH_1(name, test)                                                                    \
    inline int name(float a) { return (test) ? 1 : 0; }                                            \
    inline int name(double a) { return (test) ? 1 : 0; }                                           \
    template <class T, int N> inline vec<signed_of<T>, N> name(vec<T, N> a)                        \
    {                                                                                              \
        vec<signed_of<T>, N> r;                                                                    \
        for (int i = 0; i < N; i++)                                                                \
            r.s[i] = (signed_of<T>)-name(a.s[i]);                                                  \
        return r;                                                                                  \
    }
#define FCL_TRUTH_2(name, test)                                                                    \
    inline int name(float a, float b) { return (test) ? 1 : 0; }                                   \
    inline int name(double a, double b) { return (test) ? 1 : 0; }                                 \
    template <class T, int N> inline vec<signed_of<T>, N> name(vec<T, N> a, vec<T, N> b)           \
    {                                                                                              \
        vec<signed_of<T>, N> r;                                                                    \
        for (int i = 0; i < N; i++)                                                                \
            r.s[i] = (signed_of<T>)-name(a.s[i], b.s[i]);                                          \
        return r;                                                                                  \
    }
FCL_TRUTH_1(isfinite, a - a == 0)
FCL_TRUTH_1(isinf, a == a && a - a != 0)
FCL_TRUTH_1(isnan, a != a)
#define FCL_LEAST(a) (sizeof(a) == 4 ? 1.1754943508222875e-38 : 2.2250738585072014e-308)
FCL_TRUTH_1(isnormal, a - a == 0 && fabs(a) >= FCL_LEAST(a))
FCL_TRUTH_1(signbit, as<signed_of<decltype(a)>>(a) < 0)
FCL_TRUTH_2(isequal, a == b)
FCL_TRUTH_2(isnotequal, a != b)
FCL_TRUTH_2(isgreater, a > b)
FCL_TRUTH_2(isgreaterequal, a >= b)
FCL_TRUTH_2(isless, a < b)
FCL_TRUTH_2(islessequal, a <= b)
FCL_TRUTH_2(islessgreater, a < b || a > b)
FCL_TRUTH_2(isordered, a == a && b == b)
FCL_TRUTH_2(isunordered, a != a || b != b)
template <class T, class = when<integer<T>>> inline int any(T a) { return a < 0; }
template <class T, class = when<integer<T>>> inline int all(T a) { return a < 0; }
FCL_LOGIC_1(any)
FCL_LOGIC_1(all)
template <class T, int N> inline int any(vec<T, N> a)
{
    bool r = false;
    for (int i = 0; i < N; i++)
        r |= a.s[i] < 0;
    return r;
}
template <class T, int N> inline int all(vec<T, N> a)
{
    bool r = true;
    for (int i = 0; i < N; i++)
        r &= a.s[i] < 0;
    return r;
}
template <class T, class = when<scalar<T> && !logic<T>>> inline T bitselect(T a, T b, T c)
{
    typedef unsigned_of<T> U;
    return as<T>((U)((as<U>(a) & ~as<U>(c)) | (as<U>(b) & as<U>(c))));
}
FCL_EACH_3(bitselect)
FCL_LOGIC_3(bitselect)
template <class T, class C, class = when<scalar<T> && integer<C>>> inline T select(T a, T b, C c)
{
    return c ? b : a;
}
template <class T, class C, int N> inline vec<T, N> select(vec<T, N> a, vec<T, N> b, vec<C, N> c)
{
    static_assert(sizeof(T) == sizeof(C), "select by a vector of another size");
    vec<T, N> r;
    for (int i = 0; i < N; i++)
        r.s[i] = (signed_of<C>)c.s[i] < 0 ? b.s[i] : a.s[i];
    return r;
}
FCL_LOGIC_3(select)
template <class T, int N, class M, int K> inline vec<T, K> shuffle(vec<T, N> a, vec<M, K> m)
{
    vec<T, K> r;
    for (int i = 0; i < K; i++)
        r.s[i] = a.s[m.s[i] & ((N == 3 ? 4 : N) - 1)];
    return r;
}
template <class T, int N, class M, int K>
inline vec<T, K> shuffle2(vec<T, N> a, vec<T, N> b, vec<M, K> m)
{
    vec<T, K> r;
    for (int i = 0; i < K; i++) {
        int at = (int)(m.s[i] & (2 * (N == 3 ? 4 : N) - 1));
        r.s[i] = at < N ? a.s[at] : b.s[at - N];
    }
    return r;
}
