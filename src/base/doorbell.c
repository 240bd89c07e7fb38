/* The slow paths of the doorbell: waking and waiting. Protocol and proof in base/doorbell.h. */
#include "base/doorbell.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/limits.h"

void doorbell_wake(struct doorbell *bell)
{
    /* Only the ringer that clears the bit makes the system call. */
    if (atomic_and_seqcst_u32(&bell->word, ~DOORBELL_SLEEPS) & DOORBELL_SLEEPS)
        futex_wake(&bell->word, UINT32_MAX);
}

/* True when it rang within spin_ns. */
static bool doorbell_spin(const struct doorbell *bell, uint32_t seen, uint64_t spin_ns)
{
    if (doorbell_read(bell) != seen)
        return true;
    if (spin_ns == 0)
        return false;
    uint64_t limit_ns = spin_ns < LIMITS_SPIN_NS ? spin_ns : LIMITS_SPIN_NS;
    uint64_t until_ns = clock_now_ns() + limit_ns;
    do {
        for (int i = 0; i < 16; i++) {
            atomic_pause();
            if (doorbell_read(bell) != seen)
                return true;
        }
    } while (clock_now_ns() < until_ns);
    return false;
}

bool doorbell_wait(struct doorbell *bell, uint32_t seen, uint64_t spin_ns, uint64_t deadline_ns)
{
    if (doorbell_spin(bell, seen, spin_ns))
        return true;
    for (;;) {
        uint32_t word = atomic_load_seqcst_u32(&bell->word);
        if (word >> 1 != seen)
            return true;
        if (deadline_ns != DOORBELL_FOREVER && clock_now_ns() >= deadline_ns)
            return false;
        uint32_t asleep = word | DOORBELL_SLEEPS;
        if (word != asleep && !atomic_cas_seqcst_u32(&bell->word, &word, asleep))
            continue;
        futex_wait_until(&bell->word, asleep, deadline_ns);
    }
}
