/* Files that are replaced as a whole: where they live, what a SIGKILL in the middle leaves, two
 * processes at once.
 *
 * A version of the test file is a length and that many equal words, so that any mixture of two
 * shows. All of it happens in a fresh folder below XDG_CACHE_HOME or /tmp, removed at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/error.h"
#include "base/rng.h"
#include "lib/seed.h"
#include "model/history.h"
#include "run/store.h"

static char root[256];
static char file[300];

static int start(void **state)
{
    (void)state;
    const char *base = getenv("XDG_CACHE_HOME");
    snprintf(root, sizeof root, "%s/store-XXXXXX",
             base != NULL && strlen(base) < 200 && access(base, W_OK) == 0 ? base : "/tmp");
    if (mkdtemp(root) == NULL)
        return -1;
    snprintf(file, sizeof file, "%s/model", root);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    char command[400];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* ---- paths */

static void test_where_files_live(void **state)
{
    (void)state;
    static char path[STORE_PATH_BYTES];
    char expected[600], kept[4096], given[400];
    const char *xdg = getenv("XDG_CACHE_HOME");
    snprintf(kept, sizeof kept, "%s", xdg != NULL ? xdg : "");

    assert_int_equal(store_path("", "x", path), FGPU_OK);
    assert_string_equal(path, "");

    snprintf(given, sizeof given, "%s/a/b//c", root);
    assert_int_equal(store_path(given, "x", path), FGPU_OK);
    snprintf(expected, sizeof expected, "%s/x", given);
    assert_string_equal(path, expected);
    struct stat info;
    assert_int_equal(stat(given, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(store_path(given, NULL, path), FGPU_OK);
    assert_string_equal(path, given);

    setenv("XDG_CACHE_HOME", root, 1);
    assert_int_equal(store_path(NULL, "x", path), FGPU_OK);
    snprintf(expected, sizeof expected, "%s/fastgpu/x", root);
    assert_string_equal(path, expected);

    char *home = getenv("HOME") != NULL ? strdup(getenv("HOME")) : NULL;
    setenv("HOME", root, 1);
    setenv("XDG_CACHE_HOME", "relative/is/ignored", 1);
    assert_int_equal(store_path(NULL, "x", path), FGPU_OK);
    snprintf(expected, sizeof expected, "%s/.cache/fastgpu/x", root);
    assert_string_equal(path, expected);

    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    assert_int_equal(store_path(NULL, "x", path), FGPU_OK);
    assert_string_equal(path, "");
    if (home != NULL)
        setenv("HOME", home, 1);
    free(home);
    if (xdg != NULL)
        setenv("XDG_CACHE_HOME", kept, 1);
}

static void test_impossible_places_are_named(void **state)
{
    (void)state;
    static char path[STORE_PATH_BYTES], longer[STORE_PATH_BYTES + 10];
    char blocked[400];
    assert_int_equal(store_write_whole(file, "x", 1), FGPU_OK);
    snprintf(blocked, sizeof blocked, "%s/below/a/file", file);
    assert_int_equal(store_path(blocked, "x", path), FGPU_E_IO);
    assert_string_equal(path, "");
    assert_non_null(strstr(error_text(), file));
    memset(longer, 'a', sizeof longer - 1);
    assert_int_equal(store_path(longer, "x", path), FGPU_E_LIMIT);
    assert_int_equal(store_write_whole(longer, "x", 1), FGPU_E_LIMIT);
    assert_int_equal(store_write_whole(blocked, "x", 1), FGPU_E_IO);
    assert_non_null(strstr(error_text(), blocked));
    int fd = 0;
    assert_int_equal(store_lock(blocked, 10, &fd), FGPU_E_IO);
}

/* ---- reading and writing */

static void test_read_what_was_written(void **state)
{
    (void)state;
    struct vec got;
    struct stat info;
    char *large = malloc(300000);
    assert_non_null(large);
    for (int i = 0; i < 300000; i++)
        large[i] = (char)(i * 7 / 3);
    vec_init(&got, 1, NULL);
    assert_int_equal(store_read(file, 10, &got), FGPU_E_NOTFOUND);
    static const size_t sizes[] = {0, 1, 61440, 61441, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        vec_clear(&got);
        vec_push(&got, "#");
        assert_int_equal(store_write_whole(file, large, sizes[i]), FGPU_OK);
        assert_int_equal(store_read(file, sizes[i], &got), FGPU_OK);
        assert_int_equal(got.count, sizes[i] + 1);
        assert_int_equal(got.items[0], '#');
        assert_memory_equal(got.items + 1, large, sizes[i]);
        if (sizes[i] > 0)
            assert_int_equal(store_read(file, sizes[i] - 1, &got), FGPU_E_LIMIT);
    }
    assert_int_equal(stat(file, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(store_read(root, 10000, &got), FGPU_E_IO);
    char fifo[400];
    snprintf(fifo, sizeof fifo, "%s/fifo", root);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(store_read(fifo, 10000, &got), FGPU_E_IO);
    vec_fini(&got);
    free(large);
}

static void test_pieces_and_abort(void **state)
{
    (void)state;
    static struct store_file pieces;
    char temp[400];
    struct vec got;
    vec_init(&got, 1, NULL);
    snprintf(temp, sizeof temp, "%s.tmp", file);
    assert_int_equal(store_write_whole(file, "old", 3), FGPU_OK);
    assert_int_equal(store_begin(&pieces, file, 0644), FGPU_OK);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(store_append(&pieces, "abc", 3), FGPU_OK);
    assert_true(exists(temp));
    store_abort(&pieces);
    store_abort(&pieces);
    store_abort(NULL);
    assert_false(exists(temp));
    assert_int_equal(store_read(file, 100, &got), FGPU_OK);
    assert_int_equal(got.count, 3);

    assert_int_equal(store_begin(&pieces, file, 0644), FGPU_OK);
    for (int i = 0; i < 100000; i++)
        store_append(&pieces, "abc", 3);
    assert_int_equal(store_commit(&pieces), FGPU_OK);
    assert_false(exists(temp));
    vec_clear(&got);
    assert_int_equal(store_read(file, 300000, &got), FGPU_OK);
    assert_int_equal(got.count, 300000);
    for (size_t i = 0; i < 300000; i++)
        assert_int_equal(got.items[i], "abc"[i % 3]);
    vec_fini(&got);
}

static void test_a_failed_write_keeps_the_old_file(void **state)
{
    (void)state;
    static struct store_file pieces;
    struct vec got;
    char temp[400];
    vec_init(&got, 1, NULL);
    snprintf(temp, sizeof temp, "%s.tmp", file);
    assert_int_equal(store_write_whole(file, "old", 3), FGPU_OK);
    assert_int_equal(store_begin(&pieces, file, 0600), FGPU_OK);
    int full = open("/dev/full", O_WRONLY);
    if (full < 0) {
        store_abort(&pieces);
        skip();
    }
    assert_int_equal(dup2(full, pieces.fd), pieces.fd); /* the disk is full from here on */
    close(full);
    for (int i = 0; i < 100000; i++)
        store_append(&pieces, "new", 3);
    assert_int_equal(store_commit(&pieces), FGPU_E_IO);
    assert_non_null(strstr(error_text(), strerror(ENOSPC)));
    assert_false(exists(temp));
    assert_int_equal(store_read(file, 100, &got), FGPU_OK);
    assert_memory_equal(got.items, "old", 3);
    vec_fini(&got);
}

/* ---- killed in the middle */

#define WORDS_MAX 40000u

/* Version v: its number of words, then v that many times. */
static size_t make_version(uint64_t v, uint64_t *words)
{
    uint64_t count = 1 + v * 7919 % WORDS_MAX;
    words[0] = count;
    for (uint64_t i = 1; i <= count; i++)
        words[i] = v;
    return (count + 1) * sizeof *words;
}

static void write_for_ever(void)
{
    static uint64_t words[WORDS_MAX + 1];
    for (uint64_t v = 1;; v++) {
        size_t bytes = make_version(v, words);
        if (store_write_whole(file, words, bytes) != FGPU_OK)
            _exit(3);
    }
}

/* Reads the file; false when there is none yet. A mixture ends the test. */
static bool check_version(void)
{
    struct vec got;
    vec_init(&got, 1, NULL);
    fgpu_status status = store_read(file, 16 * WORDS_MAX, &got);
    if (status == FGPU_OK) {
        uint64_t count, v, word;
        memcpy(&count, got.items, sizeof count);
        assert_int_equal(got.count, (count + 1) * sizeof word);
        memcpy(&v, got.items + sizeof count, sizeof v);
        for (uint64_t i = 1; i <= count; i++) {
            memcpy(&word, got.items + i * sizeof word, sizeof word);
            assert_int_equal(word, v);
        }
    } else {
        assert_int_equal(status, FGPU_E_NOTFOUND);
    }
    vec_fini(&got);
    return status == FGPU_OK;
}

static void pause_us(uint64_t us)
{
    nanosleep(&(struct timespec){.tv_sec = (time_t)(us / 1000000),
                                 .tv_nsec = (long)(us % 1000000) * 1000},
              NULL);
}

static void test_killed_writers_leave_whole_files(void **state)
{
    (void)state;
    struct rng rng;
    uint32_t whole = 0, rounds = 60;
    rng_init(&rng, seed_get(11));
    for (uint32_t round = 0; round < rounds; round++) {
        pid_t children[2];
        for (int c = 0; c < 2; c++) {
            children[c] = fork();
            assert_true(children[c] >= 0);
            if (children[c] == 0)
                write_for_ever();
        }
        for (int c = 0; c < 2; c++) {
            int status = 0;
            pause_us(rng_below(&rng, 15000));
            check_version(); /* while the others write */
            kill(children[c], SIGKILL);
            assert_int_equal(waitpid(children[c], &status, 0), children[c]);
            assert_true(WIFSIGNALED(status)); /* it had not failed by itself */
        }
        whole += check_version();
    }
    assert_in_range(whole, rounds / 2, rounds);
    /* And the next writer finds nothing in its way. */
    assert_int_equal(store_write_whole(file, "\1\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0", 16), FGPU_OK);
    assert_true(check_version());
}

/* ---- the lock */

static void test_a_lock_is_held_by_one(void **state)
{
    (void)state;
    int fd = -1, other = -1, status = 0;
    assert_int_equal(store_lock(file, 0, &fd), FGPU_OK);
    assert_int_equal(store_lock(file, 20, &other), FGPU_E_TIMEOUT); /* in the same process too */
    pid_t child = fork();
    if (child == 0)
        _exit(store_lock(file, 20, &other) == FGPU_E_TIMEOUT ? 0 : 1);
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    store_unlock(fd);
    store_unlock(-1);
    assert_int_equal(store_lock(file, 0, &fd), FGPU_OK);
    store_unlock(fd);

    int ready[2];
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        if (store_lock(file, 1000, &other) == FGPU_OK && write(ready[1], "x", 1) == 1)
            pause_us(60000000);
        _exit(1);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(store_lock(file, 5, &fd), FGPU_E_TIMEOUT);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_int_equal(store_lock(file, 1000, &fd), FGPU_OK);
    store_unlock(fd);
    close(ready[0]);
    close(ready[1]);
}

/* ---- the performance model */

static void test_no_model_or_a_bad_one_is_no_failure(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, 0, NULL);
    assert_int_equal(store_load_history(file, &history), FGPU_OK);
    assert_int_equal(store_save_history(file, &history), FGPU_OK);
    assert_false(exists(file)); /* nothing learned, nothing written */
    assert_int_equal(store_write_whole(file, "hello", 5), FGPU_OK);
    assert_int_equal(store_load_history(file, &history), FGPU_OK);
    assert_int_equal(history.entries.count, 0);
    history_learn(&history, 1, 2, 3, 4);
    assert_int_equal(store_save_history(file, &history), FGPU_OK);
    history_fini(&history);
    history_init(&history, 0, NULL);
    assert_int_equal(store_load_history(file, &history), FGPU_OK);
    assert_int_equal(history.entries.count, 1);
    history_fini(&history);
    assert_int_equal(store_load_history(root, &history), FGPU_E_IO);
}

#define PROCESSES 4
#define KERNELS 8

static void learn_and_save(uint64_t process)
{
    struct history history;
    history_init(&history, 0, NULL);
    for (uint64_t k = 0; k < KERNELS; k++) {
        history_learn(&history, process, k, 100, 1000 * process + k);
        if (store_save_history(file, &history) != FGPU_OK)
            _exit(1);
    }
    _exit(0);
}

static void test_processes_merge_what_they_learned(void **state)
{
    (void)state;
    pid_t children[PROCESSES];
    struct history history;
    for (uint64_t p = 0; p < PROCESSES; p++) {
        children[p] = fork();
        assert_true(children[p] >= 0);
        if (children[p] == 0)
            learn_and_save(p + 1);
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status = -1;
        waitpid(children[p], &status, 0);
        assert_int_equal(status, 0);
    }
    history_init(&history, 0, NULL);
    assert_int_equal(store_load_history(file, &history), FGPU_OK);
    for (uint64_t p = 1; p <= PROCESSES; p++) {
        for (uint64_t k = 0; k < KERNELS; k++) {
            uint64_t ns = 0;
            assert_int_equal(history_predict(&history, p, k, 100, &ns), HISTORY_LOADED);
            assert_int_equal(ns, 1000 * p + k);
        }
    }
    history_fini(&history);
}

static void test_a_save_that_fails_is_tried_again(void **state)
{
    (void)state;
    struct history history;
    int fd = -1;
    history_init(&history, 0, NULL);
    history_learn(&history, 1, 2, 3, 4);
    char nowhere[400];
    snprintf(nowhere, sizeof nowhere, "%s/no/folder/model", root);
    assert_int_equal(store_save_history(nowhere, &history), FGPU_E_IO);
    assert_true(history.changed);
    assert_int_equal(mkdir(file, 0700), 0); /* a folder where the file should be */
    assert_int_equal(store_save_history(file, &history), FGPU_E_IO);
    assert_true(history.changed);
    assert_int_equal(store_write_whole(file, "x", 1), FGPU_E_IO); /* nor can it be replaced */
    assert_int_equal(rmdir(file), 0);
    assert_int_equal(store_save_history(file, &history), FGPU_OK);
    assert_false(history.changed);
    assert_int_equal(store_lock(file, 0, &fd), FGPU_OK); /* no lock is left behind */
    store_unlock(fd);
    history_fini(&history);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_where_files_live),
        TEST(test_impossible_places_are_named),
        TEST(test_read_what_was_written),
        TEST(test_pieces_and_abort),
        TEST(test_a_failed_write_keeps_the_old_file),
        TEST(test_killed_writers_leave_whole_files),
        TEST(test_a_lock_is_held_by_one),
        TEST(test_no_model_or_a_bad_one_is_no_failure),
        TEST(test_processes_merge_what_they_learned),
        TEST(test_a_save_that_fails_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
