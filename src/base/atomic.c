/* The one word that base/atomic.h needs in ThreadSanitizer builds; see there. */
#include "base/atomic.h"

#if ATOMIC_TSAN
_Atomic uint32_t atomic_tsan_fence_word;
#endif
