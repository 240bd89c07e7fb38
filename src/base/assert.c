/* What happens when an assertion fails: print, let the hooks dump, abort. See base/assert.h.
 *
 * The hook list is under a lock of its own that a failing thread never waits for: a hook list that
 * is being changed at that moment is left out rather than risk a hang.
 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/atomic.h"
#include "base/limits.h"

#define ASSERT_DUMP_SECONDS 2u

struct assert_hook {
    void (*fn)(void *user);
    void *user;
};

static struct assert_hook hooks[LIMITS_ASSERT_HOOKS];
static _Atomic uint32_t hooks_busy;
static _Atomic uint32_t failing;
static _Thread_local bool failing_here;

static bool hooks_try(void)
{
    uint32_t expected = 0;
    return atomic_cas_acqrel_u32(&hooks_busy, &expected, 1);
}

static void hooks_done(void)
{
    atomic_store_release_u32(&hooks_busy, 0);
}

bool assert_hook_set(void (*fn)(void *user), void *user)
{
    while (!hooks_try())
        atomic_pause();
    struct assert_hook *place = NULL;
    for (int i = LIMITS_ASSERT_HOOKS - 1; i >= 0; i--) {
        if (hooks[i].fn == NULL || (hooks[i].fn == fn && hooks[i].user == user))
            place = &hooks[i];
        if (hooks[i].fn == fn && hooks[i].user == user)
            break;
    }
    if (place != NULL)
        *place = (struct assert_hook){fn, user};
    hooks_done();
    return place != NULL;
}

void assert_hook_clear(void (*fn)(void *user), void *user)
{
    while (!hooks_try())
        atomic_pause();
    for (int i = 0; i < LIMITS_ASSERT_HOOKS; i++) {
        if (hooks[i].fn == fn && hooks[i].user == user)
            hooks[i] = (struct assert_hook){NULL, NULL};
    }
    hooks_done();
}

/* Leaves the hooks out when they are being changed at this moment, perhaps by this very thread. */
static void hooks_run(void)
{
    if (!hooks_try())
        return;
    for (int i = 0; i < LIMITS_ASSERT_HOOKS; i++) {
        if (hooks[i].fn != NULL)
            hooks[i].fn(hooks[i].user);
    }
}

void assert_fail(const char *expr, const char *file, int line)
{
    fprintf(stderr, "fastgpu: assertion failed: %s (%s:%d)\n", expr, file, line);
    if (atomic_exchange_acqrel_u32(&failing, 1) == 0) {
        failing_here = true;
        hooks_run();
    } else if (!failing_here) {
        /* Another thread is dumping and will abort; do not cut it short, nor wait for ever. */
        sleep(ASSERT_DUMP_SECONDS);
    }
    fflush(stderr);
    abort();
}
