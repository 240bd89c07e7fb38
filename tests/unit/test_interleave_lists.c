/* Explores all interleavings of the lists of base/: free list and inbox. See test_interleave.c for
 * how the models are made: each repeats its real code line by line.
 */
#include "lib/explore_check.h"

#define NONE 0xffu

/* ---- free list: three threads run little programs of pop, pop_n(3), push and push_chain(2) */

enum list_bug {
    LIST_RIGHT,
    LIST_NO_TAG,   /* the head is its index alone */
    LIST_NO_BOUNDS /* pop_n follows whatever a link holds */
};

enum list_op { LIST_END, LIST_POP, LIST_POP_N, LIST_PUSH, LIST_PUSH_CHAIN };

#define LIST_ITEMS 4
#define LIST_BATCH 3       /* of pop_n */
#define LIST_GARBAGE 0xeeu /* in a link that has never been written */

struct list_thread {
    uint8_t at, op;     /* step inside the operation, place in the program */
    uint8_t index, tag; /* head as it was loaded */
    uint8_t next, count;
    uint8_t out[LIST_BATCH];
    uint8_t own[LIST_ITEMS], owned; /* what it holds, oldest first */
};

struct list {
    uint8_t index, tag; /* freelist.head */
    uint8_t next[LIST_ITEMS];
    uint8_t owner[LIST_ITEMS]; /* who holds it: what the list must never hand out twice */
    uint8_t bug, program[3][4];
    struct list_thread thread[3];
};

static bool list_swap(struct list *l, struct list_thread *t, uint8_t to)
{
    if (l->index != t->index || l->tag != t->tag) {
        t->index = l->index;
        t->tag = l->tag;
        return false;
    }
    l->index = to;
    l->tag = (uint8_t)(l->tag + (l->bug != LIST_NO_TAG));
    return true;
}

static bool list_take(struct list *l, struct list_thread *t, int self, uint8_t item)
{
    if (item >= LIST_ITEMS || l->owner[item] != NONE)
        return false;
    l->owner[item] = (uint8_t)self;
    t->own[t->owned++] = item;
    return true;
}

static void list_next_op(struct list_thread *t)
{
    t->at = 0;
    t->count = 0;
    t->op++;
}

/* freelist_pop_n(list, out, n); freelist_pop is the case n = 1. */
static enum explore_step list_pop(struct list *l, struct list_thread *t, int self, uint8_t n)
{
    switch (t->at) {
    case 0: /* head = load(head) */
        t->index = l->index;
        t->tag = l->tag;
        t->next = t->index;
        t->count = 0;
        t->at = 1;
        break;
    case 1: /* walk: out[count++] = index; index = load(next[index]) */
        if (t->next == NONE && t->count == 0) { /* empty: return NONE */
            list_next_op(t);
            break;
        }
        if (t->next != NONE && t->count < n) {
            if (t->next >= LIST_ITEMS)
                return EXPLORE_BROKEN;
            t->out[t->count++] = t->next;
            t->next = l->next[t->next];
            if (t->next >= LIST_ITEMS && t->next != NONE && l->bug != LIST_NO_BOUNDS)
                t->at = 0; /* not a link: head = load(head), once more */
            break;
        }
        t->at = 2;
        break;
    case 2: /* cas(head, index with the tag one up); on failure head is what it found */
        if (list_swap(l, t, t->next)) {
            for (uint8_t i = 0; i < t->count; i++) {
                if (!list_take(l, t, self, t->out[i]))
                    return EXPLORE_BROKEN;
            }
            list_next_op(t);
            break;
        }
        t->next = t->index;
        t->count = 0;
        t->at = 1;
        break;
    }
    return EXPLORE_MOVED;
}

/* freelist_push_chain(list, first, last) of the n things owned for longest. */
static enum explore_step list_push(struct list *l, struct list_thread *t, uint8_t n)
{
    uint8_t first = t->own[n - 1], last = t->own[0];
    if (t->owned < n) { /* a pop before found the list empty: nothing to give back */
        list_next_op(t);
        return EXPLORE_MOVED;
    }
    switch (t->at) {
    case 0: /* freelist_link(first, last) by the owner; head = load(head) */
        if (n == 2)
            l->next[first] = last;
        t->index = l->index;
        t->tag = l->tag;
        t->at = 1;
        break;
    case 1: /* store(next[last], head) */
        l->next[last] = t->index;
        t->at = 2;
        break;
    case 2: /* cas(head, first with the tag one up), else once more */
        t->at = 1;
        for (uint8_t i = 0; i < n; i++)
            l->owner[t->own[i]] = NONE;
        if (!list_swap(l, t, first)) {
            for (uint8_t i = 0; i < n; i++)
                l->owner[t->own[i]] = (uint8_t)(t - l->thread);
            break;
        }
        memmove(t->own, t->own + n, (size_t)(LIST_ITEMS - n));
        memset(t->own + LIST_ITEMS - n, 0, n);
        t->owned = (uint8_t)(t->owned - n);
        list_next_op(t);
        break;
    }
    return EXPLORE_MOVED;
}

static enum explore_step list_step(void *state, int thread)
{
    struct list *l = state;
    struct list_thread *t = &l->thread[thread];
    switch (l->program[thread][t->op]) {
    case LIST_POP:
        return list_pop(l, t, thread, 1);
    case LIST_POP_N:
        return list_pop(l, t, thread, LIST_BATCH);
    case LIST_PUSH:
        return list_push(l, t, 1);
    case LIST_PUSH_CHAIN:
        return list_push(l, t, 2);
    default:
        return EXPLORE_DONE;
    }
}

/* Whoever is not owned is in the list exactly once, and the list ends. */
static bool list_final(const void *state)
{
    const struct list *l = state;
    int seen[LIST_ITEMS] = {0}, count = 0;
    for (uint8_t i = l->index; i != NONE; i = l->next[i]) {
        if (i >= LIST_ITEMS || ++seen[i] > 1 || l->owner[i] != NONE)
            return false;
        count++;
    }
    for (int i = 0; i < LIST_ITEMS; i++)
        count += l->owner[i] != NONE;
    return count == LIST_ITEMS;
}

static void list_init(struct list *l, enum list_bug bug, const uint8_t program[3][4])
{
    for (uint8_t i = 0; i < LIST_ITEMS; i++) {
        l->next[i] = i + 1 < LIST_ITEMS ? (uint8_t)(i + 1) : NONE;
        l->owner[i] = NONE;
    }
    l->bug = (uint8_t)bug;
    memcpy(l->program, program, sizeof l->program);
}

/* A full list 0 -> 1 -> 2 -> 3: pops and pushes that bring an old head back. */
static const uint8_t list_program_aba[3][4] = {{LIST_POP, LIST_PUSH, LIST_END},
                                               {LIST_POP_N, LIST_PUSH_CHAIN, LIST_END},
                                               {LIST_POP, LIST_POP, LIST_PUSH, LIST_END}};

static void list_init_right(void *state)
{
    list_init(state, LIST_RIGHT, list_program_aba);
}

static void list_init_no_tag(void *state)
{
    list_init(state, LIST_NO_TAG, list_program_aba);
}

/* 0 -> 1 -> 2, and thread 1 holds item 3, which has never been in the list. */
static const uint8_t list_program_fresh[3][4] = {{LIST_POP, LIST_PUSH, LIST_END},
                                                 {LIST_POP, LIST_PUSH_CHAIN, LIST_END},
                                                 {LIST_POP_N, LIST_PUSH_CHAIN, LIST_END}};

static void list_init_fresh(void *state)
{
    struct list *l = state;
    list_init(l, LIST_RIGHT, list_program_fresh);
    l->next[2] = NONE;
    l->next[3] = LIST_GARBAGE;
    list_take(l, &l->thread[1], 1, 3);
}

static void list_init_no_bounds(void *state)
{
    list_init_fresh(state);
    ((struct list *)state)->bug = LIST_NO_BOUNDS;
}

static struct explore_model list_model(const char *name, void (*init)(void *))
{
    return (struct explore_model){.name = name,
                                  .state_bytes = sizeof(struct list),
                                  .thread_count = 3,
                                  .init = init,
                                  .step = list_step,
                                  .final = list_final,
                                  .state_limit = 4000000};
}

static void test_freelist(void **unused)
{
    (void)unused;
    struct explore_model model = list_model("free list", list_init_right);
    explore_must_hold(&model, 1000);
    model = list_model("free list with a fresh item", list_init_fresh);
    explore_must_hold(&model, 1000);
    model = list_model("free list without a tag", list_init_no_tag);
    explore_must_break(&model, "broken step");
    model = list_model("free list that trusts links", list_init_no_bounds);
    explore_must_break(&model, "broken step");
}

/* ---- inbox: threads 0 and 1 push two items each, thread 2 drains and sleeps when it is empty */

enum inbox_bug {
    INBOX_RIGHT,
    INBOX_TAKES_APART, /* drain loads the head and then stores NONE */
    INBOX_LOOKS_EARLY, /* push decides "was empty" from its first look at the head */
    INBOX_NOT_REVERSED /* drain hands out the newest first */
};

struct box_thread {
    uint8_t at, pushed, head, first_head;
};

struct box {
    uint8_t head; /* inbox.head */
    uint8_t next[4];
    uint8_t order[4], pushed; /* the order in which pushes took effect: the oracle */
    uint8_t got;              /* how many of them the consumer has seen, in that order */
    uint8_t rings, seen;      /* a correct doorbell, in one word */
    uint8_t list, bug;
    struct box_thread thread[3];
};

static enum explore_step box_push(struct box *b, struct box_thread *t, int self)
{
    uint8_t item = (uint8_t)(2 * self + t->pushed);
    bool was_empty;
    switch (t->at) {
    case 0: /* head = load(head) */
        if (t->pushed == 2)
            return EXPLORE_DONE;
        t->head = t->first_head = b->head;
        t->at = 1;
        break;
    case 1: /* store(link, head) */
        b->next[item] = t->head;
        t->at = 2;
        break;
    case 2: /* cas(head, item), else once more; return head == NONE */
        if (b->head != t->head) {
            t->head = b->head;
            t->at = 1;
            break;
        }
        b->head = item;
        b->order[b->pushed++] = item;
        was_empty = (b->bug == INBOX_LOOKS_EARLY ? t->first_head : t->head) == NONE;
        t->pushed++;
        t->at = was_empty ? 3 : 0;
        break;
    case 3: /* caller: it was empty, so ring */
        b->rings++;
        t->at = 0;
        break;
    }
    return EXPLORE_MOVED;
}

/* The reversal is private to the consumer, hence part of the exchange's step. */
static enum explore_step box_take(struct box *b, uint8_t taken)
{
    uint8_t items[4], count = 0;
    for (; taken != NONE; taken = b->next[taken]) {
        if (count == 4)
            return EXPLORE_BROKEN;
        items[count++] = taken;
    }
    for (uint8_t i = 0; i < count; i++) {
        uint8_t item = b->bug == INBOX_NOT_REVERSED ? items[i] : items[count - 1 - i];
        if (b->got == b->pushed || item != b->order[b->got++])
            return EXPLORE_BROKEN;
    }
    return EXPLORE_MOVED;
}

static enum explore_step box_drain(struct box *b, struct box_thread *t)
{
    switch (t->at) {
    case 0: /* caller: seen = doorbell_read() */
        if (b->got == 4)
            return EXPLORE_DONE;
        b->seen = b->rings;
        t->at = 1;
        break;
    case 1: /* if (inbox_is_empty()) return NONE */
        t->at = b->head == NONE ? 4 : 2;
        break;
    case 2: /* index = exchange(head, NONE) */
        t->head = b->head;
        t->at = b->bug == INBOX_TAKES_APART ? 3 : 0;
        if (b->bug != INBOX_TAKES_APART) {
            b->head = NONE;
            return box_take(b, t->head);
        }
        break;
    case 3: /* planted: the other half of the exchange */
        b->head = NONE;
        t->at = 0;
        return box_take(b, t->head);
    case 4: /* caller: doorbell_wait(seen) */
        if (b->rings == b->seen)
            return EXPLORE_BLOCKED;
        t->at = 0;
        break;
    }
    return EXPLORE_MOVED;
}

static enum explore_step box_step(void *state, int thread)
{
    struct box *b = state;
    struct box_thread *t = &b->thread[thread];
    return thread < 2 ? box_push(b, t, thread) : box_drain(b, t);
}

#define BOX_INIT(name, bug_)                                                                       \
    static void name(void *state)                                                                  \
    {                                                                                              \
        *(struct box *)state = (struct box){.bug = bug_, .head = NONE};                            \
    }
BOX_INIT(box_init_right, INBOX_RIGHT)
BOX_INIT(box_init_takes_apart, INBOX_TAKES_APART)
BOX_INIT(box_init_looks_early, INBOX_LOOKS_EARLY)
BOX_INIT(box_init_not_reversed, INBOX_NOT_REVERSED)

static struct explore_model box_model(const char *name, void (*init)(void *))
{
    return (struct explore_model){.name = name,
                                  .state_bytes = sizeof(struct box),
                                  .thread_count = 3,
                                  .init = init,
                                  .step = box_step,
                                  .state_limit = 2000000};
}

static void test_inbox(void **unused)
{
    (void)unused;
    struct explore_model model = box_model("inbox", box_init_right);
    explore_must_hold(&model, 500);
    model = box_model("inbox that takes in two steps", box_init_takes_apart);
    explore_must_break(&model, "stuck");
    model = box_model("inbox that judges by its first look", box_init_looks_early);
    explore_must_break(&model, "stuck");
    model = box_model("inbox that hands out the newest first", box_init_not_reversed);
    explore_must_break(&model, "broken step");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_freelist),
        cmocka_unit_test(test_inbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
