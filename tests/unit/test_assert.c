/* What a failed assertion prints and does: looked at from outside, in a child process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/limits.h"

/* Runs `body` in a child, gives its stderr and wait status. */
static int run_child(void (*body)(void), char *text, size_t bytes)
{
    int pipe_ends[2], status;
    size_t used = 0;
    assert_int_equal(pipe(pipe_ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        dup2(pipe_ends[1], STDERR_FILENO);
        close(pipe_ends[0]);
        body();
        _exit(0);
    }
    close(pipe_ends[1]);
    for (ssize_t n; (n = read(pipe_ends[0], text + used, bytes - 1 - used)) > 0;)
        used += (size_t)n;
    text[used] = '\0';
    close(pipe_ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static bool was_aborted(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void say(void *user)
{
    fprintf(stderr, "hook %s\n", (const char *)user);
}

static void fail_again(void *user)
{
    FGPU_ASSERT(user != NULL && "inside the hook");
}

static void body_fails(void)
{
    int two = 2;
    FGPU_ASSERT(two + two == 4);
    assert_hook_set(say, "first");
    assert_hook_set(say, "first");
    assert_hook_set(say, "gone");
    assert_hook_set(say, "last");
    assert_hook_clear(say, "gone");
    FGPU_ASSERT(two + two == 5);
}

static void body_fails_in_hook(void)
{
    assert_hook_set(fail_again, NULL);
    assert_hook_set(say, "never");
    FGPU_UNREACHABLE();
}

static void body_debug(void)
{
    FGPU_DEBUG_ASSERT(1 == 2);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        count++;
    return count;
}

static void test_prints_dumps_and_aborts(void **unused)
{
    char text[4096];
    (void)unused;
    assert_true(was_aborted(run_child(body_fails, text, sizeof text)));
    assert_non_null(strstr(text, "two + two == 5"));
    assert_null(strstr(text, "two + two == 4"));
    assert_non_null(strstr(text, "test_assert.c:"));
    assert_int_equal(count_of(text, "hook first\n"), 1);
    assert_int_equal(count_of(text, "hook last\n"), 1);
    assert_int_equal(count_of(text, "hook gone\n"), 0);
}

static void test_failure_in_a_hook_ends(void **unused)
{
    char text[4096];
    (void)unused;
    assert_true(was_aborted(run_child(body_fails_in_hook, text, sizeof text)));
    assert_non_null(strstr(text, "unreachable"));
    assert_non_null(strstr(text, "inside the hook"));
}

static void test_debug_assertion_follows_the_build(void **unused)
{
    char text[4096];
    (void)unused;
    int status = run_child(body_debug, text, sizeof text);
#ifdef FGPU_DEBUG_CHECKS
    assert_true(was_aborted(status));
#else
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_string_equal(text, "");
#endif
}

static void test_hooks_have_a_limit(void **unused)
{
    static char users[LIMITS_ASSERT_HOOKS + 1];
    (void)unused;
    for (int i = 0; i < LIMITS_ASSERT_HOOKS; i++)
        assert_true(assert_hook_set(say, &users[i]));
    assert_false(assert_hook_set(say, &users[LIMITS_ASSERT_HOOKS]));
    assert_true(assert_hook_set(say, &users[3]));
    assert_hook_clear(say, &users[7]);
    assert_true(assert_hook_set(say, &users[LIMITS_ASSERT_HOOKS]));
    for (int i = 0; i <= LIMITS_ASSERT_HOOKS; i++)
        assert_hook_clear(say, &users[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prints_dumps_and_aborts),
        cmocka_unit_test(test_failure_in_a_hook_ends),
        cmocka_unit_test(test_debug_assertion_follows_the_build),
        cmocka_unit_test(test_hooks_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
