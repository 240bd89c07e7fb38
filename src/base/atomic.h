/* Atomic operations with their memory order in the name, over C11 <stdatomic.h>.
 *
 * Atomics appear nowhere else in the tree under another name, so that a reader sees the order at
 * each use. Objects are plain `_Atomic uint32_t`, `_Atomic uint64_t`, `_Atomic(void *)`. Everything
 * is visible to ThreadSanitizer: in its builds the full fence, which it does not model, is a
 * read-modify-write of one global word (two such operations are ordered, so it is at least as
 * strong).
 */
#ifndef FASTGPU_BASE_ATOMIC_H
#define FASTGPU_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__SANITIZE_THREAD__)
#define ATOMIC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ATOMIC_TSAN 1
#endif
#endif
#ifndef ATOMIC_TSAN
#define ATOMIC_TSAN 0
#endif

/* One family of functions per type: S is the suffix, T the plain type. */
#define ATOMIC_DEFINE_COMMON(S, T)                                                                 \
    static inline T atomic_load_relaxed_##S(const _Atomic(T) *p)                                   \
    {                                                                                              \
        return atomic_load_explicit(p, memory_order_relaxed);                                      \
    }                                                                                              \
    static inline T atomic_load_acquire_##S(const _Atomic(T) *p)                                   \
    {                                                                                              \
        return atomic_load_explicit(p, memory_order_acquire);                                      \
    }                                                                                              \
    static inline T atomic_load_seqcst_##S(const _Atomic(T) *p)                                    \
    {                                                                                              \
        return atomic_load_explicit(p, memory_order_seq_cst);                                      \
    }                                                                                              \
    static inline void atomic_store_relaxed_##S(_Atomic(T) *p, T value)                            \
    {                                                                                              \
        atomic_store_explicit(p, value, memory_order_relaxed);                                     \
    }                                                                                              \
    static inline void atomic_store_release_##S(_Atomic(T) *p, T value)                            \
    {                                                                                              \
        atomic_store_explicit(p, value, memory_order_release);                                     \
    }                                                                                              \
    static inline void atomic_store_seqcst_##S(_Atomic(T) *p, T value)                             \
    {                                                                                              \
        atomic_store_explicit(p, value, memory_order_seq_cst);                                     \
    }                                                                                              \
    static inline T atomic_exchange_acqrel_##S(_Atomic(T) *p, T value)                             \
    {                                                                                              \
        return atomic_exchange_explicit(p, value, memory_order_acq_rel);                           \
    }                                                                                              \
    static inline T atomic_exchange_seqcst_##S(_Atomic(T) *p, T value)                             \
    {                                                                                              \
        return atomic_exchange_explicit(p, value, memory_order_seq_cst);                           \
    }                                                                                              \
    /* Strong; on failure *expected holds the value found (acquire). */                            \
    static inline bool atomic_cas_acqrel_##S(_Atomic(T) *p, T *expected, T desired)                \
    {                                                                                              \
        return atomic_compare_exchange_strong_explicit(p, expected, desired, memory_order_acq_rel, \
                                                       memory_order_acquire);                      \
    }                                                                                              \
    static inline bool atomic_cas_seqcst_##S(_Atomic(T) *p, T *expected, T desired)                \
    {                                                                                              \
        return atomic_compare_exchange_strong_explicit(p, expected, desired, memory_order_seq_cst, \
                                                       memory_order_seq_cst);                      \
    }                                                                                              \
    /* May fail for no reason: only inside a loop. */                                              \
    static inline bool atomic_cas_weak_acqrel_##S(_Atomic(T) *p, T *expected, T desired)           \
    {                                                                                              \
        return atomic_compare_exchange_weak_explicit(p, expected, desired, memory_order_acq_rel,   \
                                                     memory_order_acquire);                        \
    }

/* All return the value before the operation. */
#define ATOMIC_DEFINE_ARITHMETIC(S, T)                                                             \
    static inline T atomic_add_relaxed_##S(_Atomic(T) *p, T value)                                 \
    {                                                                                              \
        return atomic_fetch_add_explicit(p, value, memory_order_relaxed);                          \
    }                                                                                              \
    static inline T atomic_add_acqrel_##S(_Atomic(T) *p, T value)                                  \
    {                                                                                              \
        return atomic_fetch_add_explicit(p, value, memory_order_acq_rel);                          \
    }                                                                                              \
    static inline T atomic_add_seqcst_##S(_Atomic(T) *p, T value)                                  \
    {                                                                                              \
        return atomic_fetch_add_explicit(p, value, memory_order_seq_cst);                          \
    }                                                                                              \
    static inline T atomic_sub_relaxed_##S(_Atomic(T) *p, T value)                                 \
    {                                                                                              \
        return atomic_fetch_sub_explicit(p, value, memory_order_relaxed);                          \
    }                                                                                              \
    static inline T atomic_sub_acqrel_##S(_Atomic(T) *p, T value)                                  \
    {                                                                                              \
        return atomic_fetch_sub_explicit(p, value, memory_order_acq_rel);                          \
    }                                                                                              \
    static inline T atomic_sub_seqcst_##S(_Atomic(T) *p, T value)                                  \
    {                                                                                              \
        return atomic_fetch_sub_explicit(p, value, memory_order_seq_cst);                          \
    }                                                                                              \
    static inline T atomic_or_acqrel_##S(_Atomic(T) *p, T value)                                   \
    {                                                                                              \
        return atomic_fetch_or_explicit(p, value, memory_order_acq_rel);                           \
    }                                                                                              \
    static inline T atomic_or_seqcst_##S(_Atomic(T) *p, T value)                                   \
    {                                                                                              \
        return atomic_fetch_or_explicit(p, value, memory_order_seq_cst);                           \
    }                                                                                              \
    static inline T atomic_and_acqrel_##S(_Atomic(T) *p, T value)                                  \
    {                                                                                              \
        return atomic_fetch_and_explicit(p, value, memory_order_acq_rel);                          \
    }                                                                                              \
    static inline T atomic_and_seqcst_##S(_Atomic(T) *p, T value)                                  \
    {                                                                                              \
        return atomic_fetch_and_explicit(p, value, memory_order_seq_cst);                          \
    }

ATOMIC_DEFINE_COMMON(u32, uint32_t)
ATOMIC_DEFINE_COMMON(u64, uint64_t)
ATOMIC_DEFINE_COMMON(i32, int32_t)
ATOMIC_DEFINE_COMMON(ptr, void *)
ATOMIC_DEFINE_ARITHMETIC(u32, uint32_t)
ATOMIC_DEFINE_ARITHMETIC(u64, uint64_t)

#undef ATOMIC_DEFINE_COMMON
#undef ATOMIC_DEFINE_ARITHMETIC

#if ATOMIC_TSAN
extern _Atomic uint32_t atomic_tsan_fence_word;
#endif

/* Orders everything before it against everything after it, for every thread that also fences. */
static inline void atomic_fence_seqcst(void)
{
#if ATOMIC_TSAN
    (void)atomic_fetch_add_explicit(&atomic_tsan_fence_word, 1, memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* Tells the core that this is a spin loop. */
static inline void atomic_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

#endif
