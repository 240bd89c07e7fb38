/*
 * The work items of one group as fibers, for kernels with barriers.
 *
 * Runs in a worker's thread, without the lock. Each work item has a stack of its own and runs until
 * the next barrier or its end; then the next one runs. When all have arrived the round begins anew.
 * Stacks are made once a worker and used again. The sanitizers are told of each switch.
 */
#include "internal.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBERS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBERS_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define FIBERS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FIBERS_TSAN 1
#endif
#endif

#ifdef FIBERS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBERS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum { STACK_BYTES = 128 * 1024, GUARD_BYTES = 4096 };

enum fiber_state { FIBER_NEW, FIBER_WAITING, FIBER_DONE };

struct fiber {
    struct fibers *owner;
    ucontext_t context;
    unsigned char *stack; /* GUARD_BYTES of it cannot be touched */
    bool made;
    enum fiber_state state;
    void *sanitizer; /* TSan: its fiber; ASan: its fake stack */
};

struct fibers {
    ucontext_t scheduler;
    void *sanitizer;
    const void *scheduler_stack;
    size_t scheduler_stack_bytes;
    void (*call)(void **args);
    void **args;
    unsigned char *stacks;
    struct fiber fibers[GROUP_SIZE_MAX];
};

struct fibers *fibers_create(void)
{
    struct fibers *fibers = state_alloc(sizeof(*fibers));
    void *stacks = mmap(NULL, (size_t)STACK_BYTES * GROUP_SIZE_MAX, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED)
        abort();
    fibers->stacks = stacks;
    for (size_t i = 0; i < GROUP_SIZE_MAX; i++) {
        fibers->fibers[i].owner = fibers;
        fibers->fibers[i].stack = fibers->stacks + i * STACK_BYTES;
        mprotect(fibers->fibers[i].stack, GUARD_BYTES, PROT_NONE);
    }
    return fibers;
}

void fibers_destroy(struct fibers *fibers)
{
    if (fibers == NULL)
        return;
#ifdef FIBERS_TSAN
    for (size_t i = 0; i < GROUP_SIZE_MAX; i++)
        if (fibers->fibers[i].made)
            __tsan_destroy_fiber(fibers->fibers[i].sanitizer);
#endif
    munmap(fibers->stacks, (size_t)STACK_BYTES * GROUP_SIZE_MAX);
    free(fibers);
}

static void enter(struct fibers *fibers, struct fiber *fiber)
{
#ifdef FIBERS_ASAN
    void *fake = NULL;
    __sanitizer_start_switch_fiber(&fake, fiber->stack + GUARD_BYTES, STACK_BYTES - GUARD_BYTES);
#endif
#ifdef FIBERS_TSAN
    __tsan_switch_to_fiber(fiber->sanitizer, 0);
#endif
    swapcontext(&fibers->scheduler, &fiber->context);
#ifdef FIBERS_ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

static void leave(struct fiber *fiber)
{
    struct fibers *fibers = fiber->owner;
#ifdef FIBERS_ASAN
    __sanitizer_start_switch_fiber(&fiber->sanitizer, fibers->scheduler_stack,
                                   fibers->scheduler_stack_bytes);
#endif
#ifdef FIBERS_TSAN
    __tsan_switch_to_fiber(fibers->sanitizer, 0);
#endif
    swapcontext(&fiber->context, &fibers->scheduler);
#ifdef FIBERS_ASAN
    __sanitizer_finish_switch_fiber(fiber->sanitizer, &fibers->scheduler_stack,
                                    &fibers->scheduler_stack_bytes);
#endif
}

static void at_barrier(void *user)
{
    struct fiber *fiber = user;
    fiber->state = FIBER_WAITING;
    leave(fiber);
}

/* A fiber's stack serves one work item after another. */
static void fiber_main(unsigned high, unsigned low)
{
    struct fiber *fiber = (struct fiber *)(((uintptr_t)high << 32) | low);
#ifdef FIBERS_ASAN
    __sanitizer_finish_switch_fiber(NULL, &fiber->owner->scheduler_stack,
                                    &fiber->owner->scheduler_stack_bytes);
#endif
    for (;;) {
        fiber->owner->call(fiber->owner->args);
        fiber->state = FIBER_DONE;
        leave(fiber);
    }
}

static void make(struct fiber *fiber)
{
    uintptr_t address = (uintptr_t)fiber;
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack + GUARD_BYTES;
    fiber->context.uc_stack.ss_size = STACK_BYTES - GUARD_BYTES;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, (void (*)(void))(void *)fiber_main, 2, (unsigned)(address >> 32),
                (unsigned)address);
#ifdef FIBERS_TSAN
    fiber->sanitizer = __tsan_create_fiber(0);
#endif
    fiber->made = true;
}

bool fibers_run(struct fibers *fibers, struct work_item *items, size_t count, void **slot,
                void (*call)(void **args), void **args)
{
    size_t done_count = 0;
    bool together = true;
    fibers->call = call;
    fibers->args = args;
#ifdef FIBERS_TSAN
    fibers->sanitizer = __tsan_get_current_fiber();
#endif
    for (size_t i = 0; i < count; i++) {
        struct fiber *fiber = &fibers->fibers[i];
        if (!fiber->made)
            make(fiber);
        fiber->state = FIBER_NEW;
        items[i].barrier = at_barrier;
        items[i].user = fiber;
    }
    while (done_count < count) {
        together = together && done_count == 0;
        for (size_t i = 0; i < count; i++) {
            struct fiber *fiber = &fibers->fibers[i];
            if (fiber->state == FIBER_DONE)
                continue;
            *slot = &items[i];
            enter(fibers, fiber);
            done_count += fiber->state == FIBER_DONE;
        }
    }
    return together;
}
