// OpenCL C 1.2 in CUDA C++: what stands before every translated text (cuda.h).
//
// Types are those of OpenCL in size, alignment and order; a vector is an array of its components,
// which the translation names: v.x is v.at<0>(), v.xz is v.get<0, 2>(), and v.ref<0, 2>() where
// it is assigned to. What OpenCL calls by plain names is here under these names, in namespace fcl,
// where it hides CUDA's own; the translated text is in fcl::user. Templates that take anything are
// fcl_..., names that no text has: calls of the text have arguments of types from here, so
// functions of this namespace are looked at beside the text's own. Everything is for the device
// (NVRTC's -default-device). Only what CUDA itself declares is used, so that tests can run it with
// definitions of their own. Source: OpenCL C 1.2 specification, 6.1 to 6.12.
namespace fcl {

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef unsigned long size_t;
typedef unsigned long uintptr_t;
typedef long intptr_t;
typedef long ptrdiff_t;
typedef uint cl_mem_fence_flags;
struct half { ushort bits; };
struct event_t {
    event_t() = default;
    event_t(int) {}
};

// ---- types of types

template <class T> using same = T;
template <class T> struct id_of { typedef T type; };
template <class T> using id = typename id_of<T>::type;
template <bool B, class T = void> struct when_of {};
template <class T> struct when_of<true, T> { typedef T type; };
template <bool B, class T = void> using when = typename when_of<B, T>::type;
template <class A, class B> constexpr bool equal = false;
template <class A> constexpr bool equal<A, A> = true;

template <class T> constexpr int kind = 0; // 1 signed, 2 unsigned, 3 floating
template <> constexpr int kind<bool> = 2;
template <> constexpr int kind<char> = 1;
template <> constexpr int kind<signed char> = 1;
template <> constexpr int kind<uchar> = 2;
template <> constexpr int kind<short> = 1;
template <> constexpr int kind<ushort> = 2;
template <> constexpr int kind<int> = 1;
template <> constexpr int kind<uint> = 2;
template <> constexpr int kind<long> = 1;
template <> constexpr int kind<ulong> = 2;
template <> constexpr int kind<long long> = 1;
template <> constexpr int kind<unsigned long long> = 2;
template <> constexpr int kind<float> = 3;
template <> constexpr int kind<double> = 3;
// What comparisons give is an int in C; functions of integers take it as that (FCL_LOGIC).
template <class T> constexpr bool logic = equal<T, bool>;
template <class T> constexpr bool integer = (kind<T> == 1 || kind<T> == 2) && !logic<T>;
template <class T> constexpr bool scalar = kind<T> != 0 || __is_enum(T);

template <int Bytes> struct sized;
template <> struct sized<1> { typedef char s; typedef uchar u; };
template <> struct sized<2> { typedef short s; typedef ushort u; };
template <> struct sized<4> { typedef int s; typedef uint u; };
template <> struct sized<8> { typedef long s; typedef ulong u; };
template <class T> using signed_of = typename sized<sizeof(T)>::s;
template <class T> using unsigned_of = typename sized<sizeof(T)>::u;

// ---- vectors

template <class T, int N, int... I> struct part;
template <class T> constexpr int width = 1; // components; a part counts as the vector it reads as

template <class T, int N> struct alignas(sizeof(T) * (N == 3 ? 4 : N)) vec {
    typedef T element;
    T s[N];

    vec() = default;
    template <class S, class = when<scalar<S>>> constexpr vec(S value) : s{}
    {
        for (int i = 0; i < N; i++)
            s[i] = (T)value;
    }
    template <int I> constexpr T &at() { return s[I]; }
    template <int I> constexpr const T &at() const { return s[I]; }
    template <int... I> constexpr vec<T, sizeof...(I)> get() const
    {
        vec<T, sizeof...(I)> r{};
        int k = 0;
        ((r.s[k++] = s[I]), ...);
        return r;
    }
    template <int... I> constexpr part<T, N, I...> ref() { return part<T, N, I...>{*this}; }
    constexpr vec<T, N == 3 ? 2 : N / 2> some(int first, int step) const
    {
        vec<T, N == 3 ? 2 : N / 2> r{};
        for (int i = 0; i < (N == 3 ? 2 : N / 2); i++)
            r.s[i] = first + i * step < N ? s[first + i * step] : T();
        return r;
    }
    constexpr auto lo() const { return some(0, 1); }
    constexpr auto hi() const { return some(N == 3 ? 2 : N / 2, 1); }
    constexpr auto even() const { return some(0, 2); }
    constexpr auto odd() const { return some(1, 2); }
    constexpr T &operator[](size_t i) { return s[i]; }
    constexpr const T &operator[](size_t i) const { return s[i]; }
};

// Components of a vector that is assigned to.
template <class T, int N, int... I> struct part {
    static constexpr int count = sizeof...(I);
    static constexpr int where(int k)
    {
        int at[] = {I...};
        return at[k];
    }
    vec<T, N> &of;

    constexpr vec<T, count> read() const { return of.template get<I...>(); }
    constexpr operator vec<T, count>() const { return read(); }
    constexpr vec<T, count> operator=(vec<T, count> v) const
    {
        int k = 0;
        ((of.s[I] = v.s[k++]), ...);
        return v;
    }
    constexpr vec<T, count> operator=(const part &other) const { return *this = other.read(); }
    template <int K> constexpr T &at() const { return of.s[where(K)]; }
    template <int... K> constexpr auto ref() const
    {
        return part<T, N, where(K)...>{of};
    }
    template <int... K> constexpr auto get() const { return read().template get<K...>(); }
    constexpr T &operator[](size_t i) const { return of.s[where((int)i)]; }
};
template <class T, int N> constexpr int width<vec<T, N>> = N;
template <class T> constexpr bool vector = width<T> > 1;
template <class T> struct element_of { typedef T type; };
template <class T, int N> struct element_of<vec<T, N>> { typedef T type; };
template <class T> using element = typename element_of<T>::type;
template <class T, int N> struct wide_of { typedef vec<T, N> type; };
template <class T> struct wide_of<T, 1> { typedef T type; };
template <class T, int N> using wide = typename wide_of<T, N>::type;

#define FCL_NAMES(T)                                                                               \
    typedef vec<T, 2> T##2;                                                                        \
    typedef vec<T, 3> T##3;                                                                        \
    typedef vec<T, 4> T##4;                                                                        \
    typedef vec<T, 8> T##8;                                                                        \
    typedef vec<T, 16> T##16;
FCL_NAMES(char)
FCL_NAMES(uchar)
FCL_NAMES(short)
FCL_NAMES(ushort)
FCL_NAMES(int)
FCL_NAMES(uint)
FCL_NAMES(long)
FCL_NAMES(ulong)
FCL_NAMES(float)
FCL_NAMES(double)

// vec_step of a type; of a value it is sizeof(steps_of(value)).
template <class T> constexpr int steps = width<T> == 3 ? 4 : width<T>;
template <class T> struct steps_t { char bytes[steps<T>]; };
template <class T> steps_t<T> steps_of(T);

// (float4)(a, b.xy, c) and (float4)(a).
template <class T, int N, class A> constexpr void fcl_put(vec<T, N> &to, int &at, A value)
{
    if constexpr (vector<A>) {
        static_assert(equal<element<A>, T>, "a vector literal has a vector of another type in it");
        for (int i = 0; i < width<A>; i++)
            to.s[at++] = value.s[i];
    } else {
        to.s[at++] = (T)value;
    }
}
template <class V, class... A> constexpr V make(A... values)
{
    if constexpr (sizeof...(A) == 1) {
        return V(values...);
    } else {
        static_assert((width<A> + ...) == width<V>, "a vector literal has not as many components");
        V r{};
        int at = 0;
        (fcl_put(r, at, values), ...);
        return r;
    }
}

// {a, b} where a vector is initialised: what is not said is 0.
template <class... A> struct braced {};
template <class A, class... B> struct braced<A, B...> {
    A first;
    braced<B...> rest;
    template <class T, int N> constexpr void fill(vec<T, N> &to, int at) const
    {
        fcl_put(to, at, first);
        if constexpr (sizeof...(B) > 0)
            rest.fill(to, at);
    }
    template <class T, int N> constexpr operator vec<T, N>() const
    {
        vec<T, N> r{};
        fill(r, 0);
        return r;
    }
};
template <class... A> constexpr braced<A...> fcl_braces(A... values);
template <> constexpr braced<> fcl_braces() { return {}; }
template <class A, class... B> constexpr braced<A, B...> fcl_link(A first, B... rest)
{
    return braced<A, B...>{first, fcl_braces(rest...)};
}
template <class... A> constexpr braced<A...> fcl_braces(A... values)
{
    return fcl_link(values...);
}

// Bits of one type as another.
template <class To, class From> inline To as(From from)
{
    static_assert(sizeof(To) == sizeof(From), "as_type between types of different sizes");
    union U {
        From from;
        To to;
        U() {}
    } u;
    u.from = from;
    return u.to;
}
template <class To> inline To as(bool from) { return as<To>((int)from); }

// ---- operators

#define FCL_OPERATOR(op)                                                                           \
    template <class T, int N> constexpr vec<T, N> operator op(vec<T, N> a, vec<T, N> b)            \
    {                                                                                              \
        vec<T, N> r{};                                                                             \
        for (int i = 0; i < N; i++)                                                                \
            r.s[i] = (T)(a.s[i] op b.s[i]);                                                        \
        return r;                                                                                  \
    }                                                                                              \
    template <class T, int N, class S, class = when<scalar<S>>>                                    \
    constexpr vec<T, N> operator op(vec<T, N> a, S b)                                              \
    {                                                                                              \
        return a op vec<T, N>(b);                                                                  \
    }                                                                                              \
    template <class T, int N, class S, class = when<scalar<S>>>                                    \
    constexpr vec<T, N> operator op(S a, vec<T, N> b)                                              \
    {                                                                                              \
        return vec<T, N>(a) op b;                                                                  \
    }                                                                                              \
    template <class T, int N, class B>                                                             \
    constexpr vec<T, N> &operator op##=(vec<T, N> &a, B b)                                         \
    {                                                                                              \
        return a = a op b;                                                                         \
    }                                                                                              \
    template <class T, int N, int... I, class B>                                                   \
    constexpr auto operator op##=(part<T, N, I...> a, B b)                                         \
    {                                                                                              \
        return a = a.read() op b;                                                                  \
    }
FCL_OPERATOR(+)
FCL_OPERATOR(-)
FCL_OPERATOR(*)
FCL_OPERATOR(/)
FCL_OPERATOR(%)
FCL_OPERATOR(&)
FCL_OPERATOR(|)
FCL_OPERATOR(^)

#define FCL_COMPARE(op)                                                                            \
    template <class T, int N> constexpr vec<signed_of<T>, N> operator op(vec<T, N> a, vec<T, N> b) \
    {                                                                                              \
        vec<signed_of<T>, N> r{};                                                                  \
        for (int i = 0; i < N; i++)                                                                \
            r.s[i] = (signed_of<T>)(a.s[i] op b.s[i] ? -1 : 0);                                    \
        return r;                                                                                  \
    }                                                                                              \
    template <class T, int N, class S, class = when<scalar<S>>>                                    \
    constexpr auto operator op(vec<T, N> a, S b)                                                   \
    {                                                                                              \
        return a op vec<T, N>(b);                                                                  \
    }                                                                                              \
    template <class T, int N, class S, class = when<scalar<S>>>                                    \
    constexpr auto operator op(S a, vec<T, N> b)                                                   \
    {                                                                                              \
        return vec<T, N>(a) op b;                                                                  \
    }
FCL_COMPARE(==)
FCL_COMPARE(!=)
FCL_COMPARE(<)
FCL_COMPARE(>)
FCL_COMPARE(<=)
FCL_COMPARE(>=)
FCL_COMPARE(&&)
FCL_COMPARE(||)

template <class T, int N> constexpr vec<T, N> operator+(vec<T, N> a) { return a; }
template <class T, int N> constexpr vec<T, N> operator-(vec<T, N> a)
{
    vec<T, N> r{};
    for (int i = 0; i < N; i++)
        r.s[i] = (T)-a.s[i];
    return r;
}
template <class T, int N> constexpr vec<T, N> operator~(vec<T, N> a)
{
    vec<T, N> r{};
    for (int i = 0; i < N; i++)
        r.s[i] = (T)~a.s[i];
    return r;
}
template <class T, int N> constexpr vec<signed_of<T>, N> operator!(vec<T, N> a)
{
    return a == vec<T, N>(0);
}
#define FCL_STEP(op, by)                                                                           \
    template <class T, int N> constexpr vec<T, N> &operator op(vec<T, N> &a)                       \
    {                                                                                              \
        return a = a by 1;                                                                         \
    }                                                                                              \
    template <class T, int N> constexpr vec<T, N> operator op(vec<T, N> &a, int)                   \
    {                                                                                              \
        vec<T, N> old = a;                                                                         \
        a = a by 1;                                                                                \
        return old;                                                                                \
    }                                                                                              \
    template <class T, int N, int... I> constexpr auto operator op(part<T, N, I...> a)             \
    {                                                                                              \
        return a = a.read() by 1;                                                                  \
    }                                                                                              \
    template <class T, int N, int... I> constexpr auto operator op(part<T, N, I...> a, int)        \
    {                                                                                              \
        auto old = a.read();                                                                       \
        a = old by 1;                                                                              \
        return old;                                                                                \
    }
FCL_STEP(++, +)
FCL_STEP(--, -)

// Shifts count modulo the width of the left side: a << b is a << sh() << b, a <<= b is
// a <<= sh() = b.
template <class S> struct by { S count; };
struct sh {
    template <class S> constexpr by<S> operator=(S count) const { return by<S>{count}; }
};
template <class T> struct left { T value; };
template <class T> struct right { T value; };
template <class T> using promoted = decltype(+T());
template <class T, class = when<scalar<T> || vector<T>>>
constexpr left<T> operator<<(T a, sh) { return left<T>{a}; }
template <class T, class = when<scalar<T> || vector<T>>>
constexpr right<T> operator>>(T a, sh) { return right<T>{a}; }
template <class T, class S> constexpr auto fcl_shift(T a, S b, bool to_left)
{
    if constexpr (vector<T>) {
        typedef element<T> E;
        T r{};
        vec<E, width<T>> counts{};
        if constexpr (vector<S>) {
            static_assert(width<S> == width<T>, "a shift by another number of components");
            for (int i = 0; i < width<T>; i++)
                counts.s[i] = (E)b.s[i];
        } else {
            counts = vec<E, width<T>>(b);
        }
        for (int i = 0; i < width<T>; i++) {
            int count = (int)(counts.s[i] & (E)(sizeof(E) * 8 - 1));
            r.s[i] = to_left ? (E)((unsigned_of<E>)a.s[i] << count) : (E)(a.s[i] >> count);
        }
        return r;
    } else {
        typedef promoted<T> E;
        static_assert(!vector<S>, "a scalar is shifted by a vector");
        int count = (int)((unsigned_of<E>)b & (unsigned_of<E>)(sizeof(E) * 8 - 1));
        return to_left ? (E)((unsigned_of<E>)(E)a << count) : (E)((E)a >> count);
    }
}
template <class T, class S> constexpr auto operator<<(left<T> a, S b)
{
    return fcl_shift(a.value, b, true);
}
template <class T, class S> constexpr auto operator>>(right<T> a, S b)
{
    return fcl_shift(a.value, b, false);
}
template <class T, class S> constexpr T &operator<<=(T &a, by<S> b)
{
    return a = (T)fcl_shift(a, b.count, true);
}
template <class T, class S> constexpr T &operator>>=(T &a, by<S> b)
{
    return a = (T)fcl_shift(a, b.count, false);
}
template <class T, int N, int... I, class S>
constexpr auto operator<<=(part<T, N, I...> a, by<S> b)
{
    return a = fcl_shift(a.read(), b.count, true);
}
template <class T, int N, int... I, class S>
constexpr auto operator>>=(part<T, N, I...> a, by<S> b)
{
    return a = fcl_shift(a.read(), b.count, false);
}

// c ? a : b where c may be a vector: then both are computed, and sign bits choose.
template <class C, class A, class B> inline auto fcl_choose(C c, A first, B second)
{
    typedef decltype(first()) F;
    typedef decltype(second()) S;
    if constexpr (vector<C>) {
        typedef element<decltype(true ? first() : second())> E;
        vec<E, width<C>> a = first(), b = second(), r;
        static_assert(sizeof(E) == sizeof(element<C>), "a choice by a vector of another type");
        for (int i = 0; i < width<C>; i++)
            r.s[i] = c.s[i] < 0 ? a.s[i] : b.s[i];
        return r;
    } else if constexpr (equal<F, S> && integer<F> && sizeof(F) < 4) {
        return (int)(c ? first() : second());
    } else if constexpr (equal<F, S>) {
        return c ? first() : second();
    } else {
        typedef decltype(true ? first() : second()) R;
        return c ? (R)first() : (R)second();
    }
}

// void * to what is wanted.
struct any {
    const volatile void *address;
    template <class T> constexpr operator T *() const { return (T *)address; }
};
inline any pointer(const volatile void *address) { return any{address}; }

// ---- where a work item is

struct grid {
    ulong first[3];
    size_t get_global_offset(uint d) const { return d < 3 ? first[d] : 0; }
    size_t get_global_id(uint d) const
    {
        return d == 0   ? (size_t)blockIdx.x * blockDim.x + threadIdx.x + first[0]
               : d == 1 ? (size_t)blockIdx.y * blockDim.y + threadIdx.y + first[1]
               : d == 2 ? (size_t)blockIdx.z * blockDim.z + threadIdx.z + first[2]
                        : 0;
    }
};
#define FCL_INDEX(name, x0, y0, z0, other)                                                         \
    inline size_t name(uint d)                                                                     \
    {                                                                                              \
        return d == 0 ? (size_t)(x0) : d == 1 ? (size_t)(y0) : d == 2 ? (size_t)(z0) : other;      \
    }
FCL_INDEX(get_local_id, threadIdx.x, threadIdx.y, threadIdx.z, 0)
FCL_INDEX(get_group_id, blockIdx.x, blockIdx.y, blockIdx.z, 0)
FCL_INDEX(get_local_size, blockDim.x, blockDim.y, blockDim.z, 1)
FCL_INDEX(get_num_groups, gridDim.x, gridDim.y, gridDim.z, 1)
FCL_INDEX(get_global_size, (size_t)gridDim.x *blockDim.x, (size_t)gridDim.y *blockDim.y,
          (size_t)gridDim.z *blockDim.z, 1)

inline void barrier(uint) { __syncthreads(); }
inline void mem_fence(uint flags)
{
    if (flags & 2)
        __threadfence();
    else
        __threadfence_block();
}
inline void read_mem_fence(uint flags) { mem_fence(flags); }
inline void write_mem_fence(uint flags) { mem_fence(flags); }

struct alignas(16) slot { uchar bytes[16]; };
