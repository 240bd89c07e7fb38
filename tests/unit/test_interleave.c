/* Explores all interleavings of the lock-free pieces of base/ that make threads meet: doorbell,
 * lock and ring. Free list and inbox are in test_interleave_lists.c.
 *
 * Each step function below repeats the real code line by line, one access to shared memory a step
 * (the comment names the line); who changes the code changes its model. Every piece has planted
 * bugs that the explorer must find: that is how we know that it looks. Words are sequentially
 * consistent here; the weaker orders are for tests/stress under ThreadSanitizer.
 */
#include "lib/explore_check.h"

/* ---- doorbell: thread 0 (and 2 of three) waits for all work, the others post work and ring */

enum bell_bug {
    BELL_RIGHT,
    BELL_LOOKS_FIRST,    /* ring looks for sleepers before it counts */
    BELL_NO_BIT,         /* the waiter sleeps without saying so */
    BELL_COMPARES_COUNT, /* the futex compares the count without the bit */
    BELL_READS_LATE      /* the waiter reads the count after it has looked for work */
};

struct bell_thread {
    uint8_t at, seen, word, rings;
};

struct bell {
    uint8_t word;   /* doorbell.word */
    uint8_t posted; /* pieces of work */
    uint8_t asleep; /* set of threads inside the futex */
    uint8_t bug, waiters, rings;
    struct bell_thread thread[3];
};

/* futex_wake(&bell->word, UINT32_MAX): one step, as the kernel does it under its own lock. */
static enum explore_step bell_ring(struct bell *b, struct bell_thread *t)
{
    switch (t->at) {
    case 0: /* caller: make work visible */
        if (t->rings == b->rings)
            return EXPLORE_DONE;
        b->posted++;
        t->at = b->bug == BELL_LOOKS_FIRST ? 10 : 1;
        break;
    case 10: /* planted: before = load(word) */
        t->word = b->word;
        t->at = 11;
        break;
    case 11: /* planted: word += ONE */
        b->word = (uint8_t)(b->word + 2);
        t->at = t->word & 1 ? 2 : 0;
        t->rings++;
        break;
    case 1: /* before = atomic_add_seqcst(word, ONE); if (before & SLEEPS) */
        t->word = b->word;
        b->word = (uint8_t)(b->word + 2);
        t->at = t->word & 1 ? 2 : 0;
        t->rings++;
        break;
    case 2: /* if (atomic_and_seqcst(word, ~SLEEPS) & SLEEPS) */
        t->at = b->word & 1 ? 3 : 0;
        b->word &= (uint8_t)~1u;
        break;
    case 3: /* futex_wake(word, all) */
        b->asleep = 0;
        t->at = 0;
        break;
    }
    return EXPLORE_MOVED;
}

static enum explore_step bell_wait(struct bell *b, struct bell_thread *t, int self)
{
    uint8_t all = (uint8_t)((3 - b->waiters) * b->rings);
    uint8_t bit = (uint8_t)(1u << self);
    switch (t->at) {
    case 0: /* caller: seen = doorbell_read() */
        t->seen = b->bug == BELL_READS_LATE && t->seen == 0 ? 0 : (uint8_t)(b->word >> 1);
        t->at = 1;
        break;
    case 1: /* caller: look for work; all of it done ends the loop */
        if (b->posted == all)
            return EXPLORE_DONE;
        t->at = b->bug == BELL_READS_LATE ? 7 : 2;
        break;
    case 7: /* planted: seen = doorbell_read() only now */
        t->seen = (uint8_t)(b->word >> 1);
        t->at = 2;
        break;
    case 2: /* doorbell_wait: word = load(word); if (word >> 1 != seen) return true */
        t->word = b->word;
        if (t->word >> 1 != t->seen)
            t->at = 0;
        else
            t->at = t->word & 1 || b->bug == BELL_NO_BIT ? 4 : 3;
        break;
    case 3: /* if (word != asleep && !cas(word, asleep)) continue */
        t->at = b->word == t->word ? 4 : 2;
        if (b->word == t->word)
            b->word |= 1;
        break;
    case 4: /* futex_wait_until(word, asleep): the kernel compares and falls asleep in one step */
        if (b->bug == BELL_NO_BIT || b->bug == BELL_COMPARES_COUNT
                ? b->word >> 1 == t->seen
                : b->word == (uint8_t)(t->seen << 1 | 1))
            b->asleep |= bit;
        t->at = 5;
        break;
    case 5: /* asleep until woken, then around the loop */
        if (b->asleep & bit)
            return EXPLORE_BLOCKED;
        t->at = 2;
        break;
    }
    return EXPLORE_MOVED;
}

static enum explore_step bell_step(void *state, int thread)
{
    struct bell *b = state;
    struct bell_thread *t = &b->thread[thread];
    return thread < b->waiters ? bell_wait(b, t, thread) : bell_ring(b, t);
}

#define BELL_INIT(name, bug_, waiters_, rings_)                                                    \
    static void name(void *state)                                                                  \
    {                                                                                              \
        *(struct bell *)state = (struct bell){.bug = bug_, .waiters = waiters_, .rings = rings_};  \
    }
BELL_INIT(bell_init_two_ringers, BELL_RIGHT, 1, 3)
BELL_INIT(bell_init_two_waiters, BELL_RIGHT, 2, 4)
BELL_INIT(bell_init_looks_first, BELL_LOOKS_FIRST, 1, 1)
BELL_INIT(bell_init_no_bit, BELL_NO_BIT, 1, 1)
BELL_INIT(bell_init_compares_count, BELL_COMPARES_COUNT, 2, 2)
BELL_INIT(bell_init_reads_late, BELL_READS_LATE, 1, 1)

static struct explore_model bell_model(const char *name, void (*init)(void *))
{
    return (struct explore_model){.name = name,
                                  .state_bytes = sizeof(struct bell),
                                  .thread_count = 3,
                                  .init = init,
                                  .step = bell_step,
                                  .state_limit = 2000000};
}

static void test_doorbell(void **unused)
{
    (void)unused;
    struct explore_model model = bell_model("doorbell, two ringers", bell_init_two_ringers);
    explore_must_hold(&model, 1000);
    model = bell_model("doorbell, two waiters", bell_init_two_waiters);
    explore_must_hold(&model, 1000);
    model = bell_model("doorbell that looks for sleepers first", bell_init_looks_first);
    explore_must_break(&model, "stuck");
    model = bell_model("doorbell whose waiter does not say so", bell_init_no_bit);
    explore_must_break(&model, "stuck");
    model = bell_model("doorbell whose futex ignores the bit", bell_init_compares_count);
    explore_must_break(&model, "stuck");
    model = bell_model("doorbell read after looking", bell_init_reads_late);
    explore_must_break(&model, "stuck");
}

/* ---- lock: three threads enter the critical section twice each */

enum lock_bug {
    LOCK_RIGHT,
    LOCK_FORGETS_SLEEPERS, /* a woken thread takes the lock as if nobody else slept */
    LOCK_TAKES_APART       /* release loads the state and then stores FREE */
};

struct mutex_thread {
    uint8_t at, entered, before;
};

struct mutex {
    uint8_t state; /* lock.state: 0 free, 1 held, 2 held with sleepers */
    uint8_t inside, asleep, bug;
    struct mutex_thread thread[3];
};

static void mutex_wake_one(struct mutex *m, int which)
{
    m->asleep &= (uint8_t) ~(1u << which);
}

/* futex_wake(1) wakes the lowest sleeper: threads are alike, so any choice is the same. */
static int mutex_sleeper(const struct mutex *m)
{
    return m->asleep & 1 ? 0 : m->asleep & 2 ? 1 : 2;
}

static enum explore_step mutex_step(void *state, int thread)
{
    struct mutex *m = state;
    struct mutex_thread *t = &m->thread[thread];
    uint8_t bit = (uint8_t)(1u << thread), before = m->state;
    switch (t->at) {
    case 0: /* lock_try: cas(state, FREE, HELD) */
        if (t->entered == 2)
            return EXPLORE_DONE;
        if (before == 0)
            m->state = 1;
        t->at = before == 0 ? 4 : 1;
        break;
    case 1: /* while (exchange(state, CONTENDED) != FREE) */
        m->state = m->bug == LOCK_FORGETS_SLEEPERS && before == 0 ? 1 : 2;
        t->at = before == 0 ? 4 : 2;
        break;
    case 2: /* futex_wait(state, CONTENDED): compare and fall asleep */
        if (before == 2)
            m->asleep |= bit;
        t->at = 3;
        break;
    case 3:
        if (m->asleep & bit)
            return EXPLORE_BLOCKED;
        t->at = 1;
        break;
    case 4: /* critical section: alone here? */
        if (m->inside++ != 0)
            return EXPLORE_BROKEN;
        t->at = 5;
        break;
    case 5: /* leave; lock_release: before = exchange(state, FREE) */
        m->inside = 0;
        t->before = before;
        if (m->bug != LOCK_TAKES_APART)
            m->state = 0;
        t->entered++;
        t->at = m->bug == LOCK_TAKES_APART ? 7 : before == 2 ? 6 : 0;
        break;
    case 7: /* planted: the other half of the exchange */
        m->state = 0;
        t->at = t->before == 2 ? 6 : 0;
        break;
    case 6: /* if (before == CONTENDED) futex_wake(state, 1) */
        mutex_wake_one(m, mutex_sleeper(m));
        t->at = 0;
        break;
    }
    return EXPLORE_MOVED;
}

#define MUTEX_INIT(name, bug_)                                                                     \
    static void name(void *state)                                                                  \
    {                                                                                              \
        *(struct mutex *)state = (struct mutex){.bug = bug_};                                      \
    }
MUTEX_INIT(mutex_init_right, LOCK_RIGHT)
MUTEX_INIT(mutex_init_forgets, LOCK_FORGETS_SLEEPERS)
MUTEX_INIT(mutex_init_takes_apart, LOCK_TAKES_APART)

static struct explore_model mutex_model(const char *name, void (*init)(void *))
{
    return (struct explore_model){.name = name,
                                  .state_bytes = sizeof(struct mutex),
                                  .thread_count = 3,
                                  .init = init,
                                  .step = mutex_step,
                                  .state_limit = 2000000};
}

static void test_lock(void **unused)
{
    (void)unused;
    struct explore_model model = mutex_model("lock", mutex_init_right);
    explore_must_hold(&model, 500);
    model = mutex_model("lock that forgets other sleepers", mutex_init_forgets);
    explore_must_break(&model, "stuck");
    model = mutex_model("lock released in two steps", mutex_init_takes_apart);
    explore_must_break(&model, "stuck");
}

/* ---- ring of four places: thread 0 pushes 1..11 by threes, thread 1 takes them by twos */

enum ring_bug {
    RING_RIGHT,
    RING_TAIL_FIRST, /* push publishes the index before the items */
    RING_HEAD_FIRST, /* pop gives the place back before the item is read */
    RING_NO_LOOK     /* the producer trusts its old copy of head after a wrap */
};

#define RING_PLACES 4
#define RING_ITEMS 11
#define RING_PUSH 3
#define RING_POP 2

struct ring {
    uint8_t items[RING_PLACES];
    uint8_t tail, head;           /* spsc.tail, spsc.head; they count for ever */
    uint8_t head_copy, tail_copy; /* private to producer and consumer */
    uint8_t at[2], bug;
    uint8_t take, done; /* producer: items of this batch, and those already written */
    uint8_t n, read;    /* consumer: what peek said, and what has been read of it */
};

/* spsc_push_n(ring, the next items, RING_PUSH) */
static enum explore_step ring_push(struct ring *r)
{
    uint8_t left = (uint8_t)(RING_ITEMS - r->tail), want = left < RING_PUSH ? left : RING_PUSH,
            room;
    switch (r->at[0]) {
    case 0: /* room = capacity - (tail - head_copy), both private; enough: no look at head */
        if (r->tail == RING_ITEMS)
            return EXPLORE_DONE;
        room = (uint8_t)(RING_PLACES - (r->tail - r->head_copy));
        r->take = room < want ? room : want;
        r->at[0] = room < want ? 1 : 2;
        if (r->bug == RING_NO_LOOK) {
            r->take = want;
            r->at[0] = 2;
        }
        break;
    case 1: /* head_copy = load(head); nothing free: return 0, the caller comes again */
        if (r->head == r->head_copy && r->take == 0)
            return EXPLORE_BLOCKED;
        r->head_copy = r->head;
        room = (uint8_t)(RING_PLACES - (r->tail - r->head_copy));
        r->take = room < want ? room : want;
        r->at[0] = 2;
        break;
    case 2: /* memcpy, one item a step; planted: store(tail) before */
        if (r->bug == RING_TAIL_FIRST && r->done == 0)
            r->tail = (uint8_t)(r->tail + r->take);
        if (r->bug == RING_TAIL_FIRST && r->done == 0 && r->take > 0) {
            r->at[0] = 4;
            break;
        }
        r->items[(r->tail + r->done) % RING_PLACES] = (uint8_t)(r->tail + r->done + 1);
        r->done++;
        r->at[0] = r->done < r->take ? 2 : 3;
        break;
    case 3: /* store_release(tail, tail + take) */
        r->tail = (uint8_t)(r->tail + r->take);
        r->done = 0;
        r->at[0] = 0;
        break;
    case 4: /* planted: the items after the index */
        r->items[(r->tail - r->take + r->done) % RING_PLACES] =
            (uint8_t)(r->tail - r->take + r->done + 1);
        r->done++;
        if (r->done == r->take)
            r->done = r->at[0] = 0;
        break;
    }
    return EXPLORE_MOVED;
}

/* spsc_peek, reading the items in place, spsc_pop_n */
static enum explore_step ring_pop(struct ring *r)
{
    uint8_t until_wrap = (uint8_t)(RING_PLACES - r->head % RING_PLACES), ready;
    switch (r->at[1]) {
    case 0: /* if (head == tail_copy) tail_copy = load(tail); n == 0: the caller comes again */
        if (r->head == RING_ITEMS)
            return EXPLORE_DONE;
        if (r->head == r->tail_copy && r->tail == r->tail_copy)
            return EXPLORE_BLOCKED;
        if (r->head == r->tail_copy)
            r->tail_copy = r->tail;
        ready = (uint8_t)(r->tail_copy - r->head);
        r->n = ready < until_wrap ? ready : until_wrap;
        r->n = r->n < RING_POP ? r->n : RING_POP; /* the caller takes its time */
        r->read = 0;
        r->at[1] = r->bug == RING_HEAD_FIRST ? 2 : 1;
        break;
    case 1: /* read one item */
        if (r->items[(r->head + r->read) % RING_PLACES] != r->head + r->read + 1)
            return EXPLORE_BROKEN;
        r->read++;
        r->at[1] = r->read < r->n ? 1 : 2;
        break;
    case 2: /* store_release(head, head + n) */
        r->head = (uint8_t)(r->head + r->n);
        r->at[1] = r->bug == RING_HEAD_FIRST ? 3 : 0;
        break;
    case 3: /* planted: the items after the index */
        if (r->items[(r->head - r->n + r->read) % RING_PLACES] != r->head - r->n + r->read + 1)
            return EXPLORE_BROKEN;
        r->read++;
        r->at[1] = r->read < r->n ? 3 : 0;
        break;
    }
    return EXPLORE_MOVED;
}

static enum explore_step ring_step(void *state, int thread)
{
    return thread == 0 ? ring_push(state) : ring_pop(state);
}

static bool ring_final(const void *state)
{
    const struct ring *r = state;
    return r->tail == RING_ITEMS && r->head == RING_ITEMS;
}

#define RING_INIT(name, bug_)                                                                      \
    static void name(void *state)                                                                  \
    {                                                                                              \
        *(struct ring *)state = (struct ring){.bug = bug_};                                        \
    }
RING_INIT(ring_init_right, RING_RIGHT)
RING_INIT(ring_init_tail_first, RING_TAIL_FIRST)
RING_INIT(ring_init_head_first, RING_HEAD_FIRST)
RING_INIT(ring_init_no_look, RING_NO_LOOK)

static struct explore_model ring_model(const char *name, void (*init)(void *))
{
    return (struct explore_model){.name = name,
                                  .state_bytes = sizeof(struct ring),
                                  .thread_count = 2,
                                  .init = init,
                                  .step = ring_step,
                                  .final = ring_final,
                                  .state_limit = 100000};
}

static void test_spsc(void **unused)
{
    (void)unused;
    struct explore_model model = ring_model("ring", ring_init_right);
    explore_must_hold(&model, 50);
    model = ring_model("ring that publishes before it writes", ring_init_tail_first);
    explore_must_break(&model, "broken step");
    model = ring_model("ring that gives back before it reads", ring_init_head_first);
    explore_must_break(&model, "broken step");
    model = ring_model("ring whose producer does not look", ring_init_no_look);
    explore_must_break(&model, "broken step");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doorbell),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_spsc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
