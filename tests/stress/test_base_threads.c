/* The shared pieces of base/ under real threads; meant for ThreadSanitizer, useful without.
 *
 * Payloads are plain memory, so that a missing order is a data race that TSan sees. A lost wake-up
 * shows as a wait that runs into PATIENCE_NS. Every thread keeps its own sums; the main thread
 * compares them at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include "base/clock.h"
#include "base/doorbell.h"
#include "base/inbox.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/spsc.h"

#define THREADS 4u
#define PATIENCE_NS UINT64_C(60000000000)

/* Fewer rounds where everything is slower. */
static uint32_t scaled(uint32_t rounds)
{
    const char *sanitize = getenv("FASTGPU_SANITIZE");
    return ATOMIC_TSAN || (sanitize != NULL && sanitize[0] != '\0') ? rounds / 8 : rounds;
}

static void run_threads(uint32_t n, void *(*body)(void *), void *args, size_t arg_bytes)
{
    pthread_t threads[16];
    assert_true(n <= 16);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, (char *)args + i * arg_bytes), 0);
    for (uint32_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
}

/* ---- free list: an index has one owner, who writes plain memory that belongs to it */

struct list_shared {
    struct freelist list;
    uint32_t owner[8];
};

struct list_arg {
    struct list_shared *shared;
    uint32_t self, rounds;
    uint64_t taken, wrong;
};

static void *list_body(void *in)
{
    struct list_arg *arg = in;
    struct list_shared *s = arg->shared;
    struct rng rng;
    rng_init(&rng, arg->self);
    for (uint32_t i = 0; i < arg->rounds; i++) {
        uint32_t held[3], n = 1 + (uint32_t)rng_below(&rng, 3), got = 0;
        if (n == 1) {
            held[0] = freelist_pop(&s->list);
            got = held[0] != FREELIST_NONE;
        } else {
            got = freelist_pop_n(&s->list, held, n);
        }
        for (uint32_t k = 0; k < got; k++) {
            arg->wrong += s->owner[held[k]] != 0;
            s->owner[held[k]] = arg->self;
        }
        arg->taken += got;
        for (uint32_t k = 0; k < got; k++) {
            arg->wrong += s->owner[held[k]] != arg->self;
            s->owner[held[k]] = 0;
        }
        for (uint32_t k = 1; k < got; k++)
            freelist_link(&s->list, held[k - 1], held[k]);
        if (got > 0)
            freelist_push_chain(&s->list, held[0], held[got - 1]);
    }
    return NULL;
}

static void test_freelist(void **unused)
{
    struct list_shared shared = {0};
    struct list_arg args[THREADS];
    uint32_t out[9];
    uint64_t taken = 0;
    (void)unused;
    assert_int_equal(freelist_init(&shared.list, 8), FGPU_OK);
    for (uint32_t i = 0; i < 8; i++)
        freelist_push(&shared.list, i);
    for (uint32_t i = 0; i < THREADS; i++)
        args[i] = (struct list_arg){.shared = &shared, .self = i + 1, .rounds = scaled(200000)};
    run_threads(THREADS, list_body, args, sizeof args[0]);
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_int_equal(args[i].wrong, 0);
        taken += args[i].taken;
    }
    assert_true(taken > 0);
    assert_int_equal(freelist_pop_n(&shared.list, out, 9), 8);
    freelist_fini(&shared.list);
}

/* ---- table: grown by several threads while all read what the others have published */

struct slot {
    uint64_t value; /* of the owner, plain */
    char rest[4088];
};

struct table_arg {
    struct table *table;
    uint32_t self, rounds;
    uint64_t wrong;
};

static void *table_body(void *in)
{
    enum { HOLD = 64 };
    struct table_arg *arg = in;
    uint32_t held[HOLD], count = 0;
    struct rng rng;
    rng_init(&rng, arg->self);
    for (uint32_t i = 0; i < arg->rounds; i++) {
        if (count < HOLD && rng_below(&rng, 2) == 0) {
            if (table_alloc(arg->table, &held[count]) == FGPU_OK) {
                struct slot *slot = table_at(arg->table, held[count]);
                arg->wrong += slot->value != 0;
                slot->value = (uint64_t)arg->self << 32 | held[count++];
            }
        } else if (count > 0) {
            uint32_t index = held[--count];
            struct slot *slot = table_find(arg->table, index);
            arg->wrong += slot == NULL || slot->value != ((uint64_t)arg->self << 32 | index);
            slot->value = 0;
            table_free(arg->table, index);
        }
    }
    while (count > 0) {
        ((struct slot *)table_at(arg->table, held[--count]))->value = 0;
        table_free(arg->table, held[count]);
    }
    return NULL;
}

static void test_table(void **unused)
{
    struct table table;
    struct table_arg args[THREADS];
    (void)unused;
    assert_int_equal(table_init(&table, sizeof(struct slot), 200, NULL), FGPU_OK);
    for (uint32_t i = 0; i < THREADS; i++)
        args[i] = (struct table_arg){.table = &table, .self = i + 1, .rounds = scaled(200000)};
    run_threads(THREADS, table_body, args, sizeof args[0]);
    for (uint32_t i = 0; i < THREADS; i++)
        assert_int_equal(args[i].wrong, 0);
    assert_true(table_high_water(&table) <= 200);
    table_fini(&table);
}

/* ---- a fresh table, again and again: who sees a chunk that another thread has just made must see
 * its zeros, and never the slot of another */

struct fresh_shared {
    struct table table;
    pthread_barrier_t start, end;
    uint32_t rounds;
};

struct fresh_arg {
    struct fresh_shared *shared;
    uint32_t self;
    uint64_t wrong;
};

static void *fresh_body(void *in)
{
    struct fresh_arg *arg = in;
    struct fresh_shared *s = arg->shared;
    for (uint32_t i = 0; i < s->rounds; i++) {
        if (arg->self == 0)
            arg->wrong += table_init(&s->table, 16, 8, NULL) != FGPU_OK;
        pthread_barrier_wait(&s->start);
        for (int k = 0; k < 4; k++) {
            uint32_t index;
            arg->wrong += table_alloc(&s->table, &index) != FGPU_OK;
            uint64_t *slot = table_at(&s->table, index);
            arg->wrong += *slot != 0;
            *slot = arg->self + 1;
        }
        pthread_barrier_wait(&s->end);
        if (arg->self == 0)
            table_fini(&s->table);
    }
    return NULL;
}

static void test_fresh_table(void **unused)
{
    struct fresh_shared shared = {.rounds = scaled(4000)};
    struct fresh_arg args[2] = {{.shared = &shared, .self = 0}, {.shared = &shared, .self = 1}};
    (void)unused;
    assert_int_equal(pthread_barrier_init(&shared.start, NULL, 2), 0);
    assert_int_equal(pthread_barrier_init(&shared.end, NULL, 2), 0);
    run_threads(2, fresh_body, args, sizeof args[0]);
    assert_int_equal(args[0].wrong + args[1].wrong, 0);
    pthread_barrier_destroy(&shared.start);
    pthread_barrier_destroy(&shared.end);
}

/* ---- inbox and doorbell: tasks from several producers, the consumer sleeps when there are none */

struct mail {
    _Atomic uint32_t next;
    uint32_t producer;
    uint64_t number; /* plain */
};

struct mail_shared {
    struct table table;
    struct inbox inbox;
    struct doorbell bell;
    uint32_t rounds;
};

struct mail_arg {
    struct mail_shared *shared;
    uint32_t self;
    uint64_t wrong;
};

static void mail_produce(struct mail_arg *arg)
{
    struct mail_shared *s = arg->shared;
    for (uint64_t i = 0; i < s->rounds; i++) {
        uint32_t index;
        while (table_alloc(&s->table, &index) != FGPU_OK)
            atomic_pause();
        struct mail *mail = table_at(&s->table, index);
        mail->producer = arg->self;
        mail->number = i;
        if (inbox_push(&s->inbox, index) == 1)
            doorbell_ring(&s->bell);
    }
}

static void mail_consume(struct mail_arg *arg)
{
    struct mail_shared *s = arg->shared;
    uint64_t next_number[THREADS] = {0}, got = 0;
    while (got < (uint64_t)s->rounds * (THREADS - 1)) {
        uint32_t seen = doorbell_read(&s->bell);
        uint32_t index = inbox_drain(&s->inbox);
        if (index == INBOX_NONE &&
            !doorbell_wait(&s->bell, seen, got % 3 * 5000, clock_now_ns() + PATIENCE_NS)) {
            arg->wrong++;
            return;
        }
        while (index != INBOX_NONE) {
            struct mail *mail = table_at(&s->table, index);
            uint32_t next = inbox_next(&s->inbox, index);
            arg->wrong += mail->number != next_number[mail->producer]++;
            table_free(&s->table, index);
            index = next;
            got++;
        }
    }
}

static void *mail_body(void *in)
{
    struct mail_arg *arg = in;
    if (arg->self == 0)
        mail_consume(arg);
    else
        mail_produce(arg);
    return NULL;
}

static void test_inbox_and_doorbell(void **unused)
{
    struct mail_shared shared = {.rounds = scaled(100000)};
    struct mail_arg args[THREADS];
    (void)unused;
    assert_int_equal(table_init(&shared.table, sizeof(struct mail), 1000, NULL), FGPU_OK);
    inbox_init(&shared.inbox, &shared.table, offsetof(struct mail, next));
    doorbell_init(&shared.bell);
    for (uint32_t i = 0; i < THREADS; i++)
        args[i] = (struct mail_arg){.shared = &shared, .self = i};
    run_threads(THREADS, mail_body, args, sizeof args[0]);
    assert_int_equal(args[0].wrong, 0);
    assert_true(inbox_is_empty(&shared.inbox));
    table_fini(&shared.table);
}

/* ---- doorbells: two threads wake each other, always asleep; every wake-up counts */

struct pair {
    struct doorbell bell[2];
    uint64_t ball; /* plain: whoever has been rung may touch it */
    uint32_t rounds;
};

struct pair_arg {
    struct pair *pair;
    uint32_t self;
    uint64_t wrong;
};

static void *pair_body(void *in)
{
    struct pair_arg *arg = in;
    struct pair *pair = arg->pair;
    for (uint32_t i = 0; i < pair->rounds; i++) {
        if ((arg->self == 1 || i > 0) &&
            !doorbell_wait(&pair->bell[arg->self], arg->self == 1 ? i : i - 1, 0,
                           clock_now_ns() + PATIENCE_NS)) {
            arg->wrong++;
            return NULL;
        }
        arg->wrong += pair->ball++ != 2 * (uint64_t)i + arg->self;
        doorbell_ring(&pair->bell[1 - arg->self]);
    }
    return NULL;
}

static void test_doorbells(void **unused)
{
    struct pair pair = {.rounds = scaled(20000)};
    struct pair_arg args[2] = {{.pair = &pair, .self = 0}, {.pair = &pair, .self = 1}};
    (void)unused;
    doorbell_init(&pair.bell[0]);
    doorbell_init(&pair.bell[1]);
    run_threads(2, pair_body, args, sizeof args[0]);
    assert_int_equal(args[0].wrong + args[1].wrong, 0);
    assert_true(pair.ball == 2 * (uint64_t)pair.rounds);
}

/* ---- ring: numbers in order, in batches of any size */

struct ring_arg {
    struct spsc *ring;
    uint32_t self;
    uint64_t items, wrong;
};

static void *ring_body(void *in)
{
    struct ring_arg *arg = in;
    uint64_t batch[7], n;
    struct rng rng;
    rng_init(&rng, arg->self);
    for (uint64_t done = 0; done < arg->items;) {
        uint64_t want = 1 + rng_below(&rng, 7), left = arg->items - done;
        want = want < left ? want : left;
        if (arg->self == 0) {
            for (uint64_t i = 0; i < want; i++)
                batch[i] = done + i;
            n = spsc_push_n(arg->ring, batch, want);
        } else {
            const uint64_t *oldest = spsc_peek(arg->ring, &n);
            n = n < want ? n : want;
            for (uint64_t i = 0; i < n; i++)
                arg->wrong += oldest[i] != done + i;
            spsc_pop_n(arg->ring, n);
        }
        done += n;
        if (n == 0)
            sched_yield();
    }
    return NULL;
}

static void test_ring(void **unused)
{
    struct spsc ring;
    (void)unused;
    assert_int_equal(spsc_init(&ring, sizeof(uint64_t), 16, NULL), FGPU_OK);
    struct ring_arg args[2] = {{.ring = &ring, .self = 0, .items = scaled(1000000)},
                               {.ring = &ring, .self = 1, .items = scaled(1000000)}};
    run_threads(2, ring_body, args, sizeof args[0]);
    assert_int_equal(args[1].wrong, 0);
    assert_int_equal(spsc_count(&ring), 0);
    spsc_fini(&ring);
}

/* ---- log lines from several threads do not mix, and the sink is called by one at a time */

struct log_shared {
    struct log log;
    uint64_t lines, wrong; /* plain: written by the sink, under the logger's lock */
};

static void log_sink(void *user, int level, const char *text)
{
    struct log_shared *s = user;
    s->wrong += level != FGPU_LOG_WARN || strncmp(text, "area: line ", 11) != 0;
    s->lines++;
}

static void *log_body(void *in)
{
    struct log_shared *s = *(struct log_shared **)in;
    for (uint32_t i = 0; i < 2000; i++) {
        LOG_WARN(&s->log, "area", "line %u", i);
        log_set_level(&s->log, FGPU_LOG_WARN);
    }
    return NULL;
}

static void test_log(void **unused)
{
    struct log_shared shared = {0}, *args[THREADS] = {&shared, &shared, &shared, &shared};
    (void)unused;
    log_init(&shared.log, FGPU_LOG_WARN);
    log_set_callback(&shared.log, log_sink, &shared);
    run_threads(THREADS, log_body, args, sizeof args[0]);
    assert_int_equal(shared.lines, 2000 * THREADS);
    assert_int_equal(shared.wrong, 0);
    log_fini(&shared.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_freelist),    cmocka_unit_test(test_table),
        cmocka_unit_test(test_fresh_table), cmocka_unit_test(test_inbox_and_doorbell),
        cmocka_unit_test(test_doorbells),   cmocka_unit_test(test_ring),
        cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
