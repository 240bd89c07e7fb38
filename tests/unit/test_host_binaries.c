/* Cache files of built programs: what was stored comes back, what is damaged does not. The oracle
 * is the binary itself; every byte of a file is damaged, and every length shorter or longer tried.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/limits.h"
#include "base/rng.h"
#include "dev/host/binaries.h"

#define BINARY_BYTES 300u
#define PATH_BYTES 512u
#define SEED 20240611u

static char folder[] = "/tmp/fastgpu-cache-XXXXXX";
static const struct hash128 key = {0x0123456789abcdefu, 0xfedcba9876543210u};

static void make_binary(unsigned char *binary, size_t bytes, uint64_t seed)
{
    struct rng rng;

    rng_init(&rng, seed);
    for (size_t i = 0; i < bytes; i++)
        binary[i] = (unsigned char)rng_below(&rng, 256);
}

static size_t slurp(const char *path, unsigned char *bytes, size_t limit)
{
    FILE *file = fopen(path, "rb");
    size_t got = 0;

    assert_non_null(file);
    got = fread(bytes, 1, limit, file);
    (void)fclose(file);
    return got;
}

static void spill(const char *path, const unsigned char *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static bool loads(struct hash128 wanted, const unsigned char *binary, size_t bytes)
{
    void *got = NULL;
    size_t got_bytes = 0;
    fgpu_status status = binaries_load(folder, wanted, &got, &got_bytes);

    if (status != FGPU_OK) {
        assert_int_equal(status, FGPU_E_NOTFOUND);
        assert_null(got);
        return false;
    }
    assert_int_equal(got_bytes, bytes);
    assert_memory_equal(got, binary, bytes);
    free(got);
    return true;
}

static int files_in_folder(void)
{
    DIR *dir = opendir(folder);
    int count = 0;

    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        count += entry->d_name[0] != '.' ? 1 : 0;
    (void)closedir(dir);
    return count;
}

static void test_round_trip(void **state)
{
    static const size_t sizes[] = {1, 2, 63, 64, 65, 4095, 4096, 100000};
    unsigned char *binary = malloc(100000);

    (void)state;
    assert_non_null(binary);
    assert_false(loads(key, binary, 0));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        make_binary(binary, sizes[i], SEED + i);
        assert_int_equal(binaries_store(folder, key, binary, sizes[i]), FGPU_OK);
        assert_true(loads(key, binary, sizes[i])); /* also over an older file */
    }
    assert_int_equal(files_in_folder(), 1);
    free(binary);
}

static void test_every_byte(void **state)
{
    unsigned char binary[BINARY_BYTES];
    unsigned char whole[BINARIES_HEADER + BINARY_BYTES + 1];
    char path[PATH_BYTES];
    size_t bytes = 0;

    (void)state;
    make_binary(binary, sizeof(binary), SEED);
    assert_int_equal(binaries_store(folder, key, binary, sizeof(binary)), FGPU_OK);
    assert_int_equal(binaries_path(folder, key, path, sizeof(path)), FGPU_OK);
    bytes = slurp(path, whole, sizeof(whole));
    assert_int_equal(bytes, BINARIES_HEADER + BINARY_BYTES);
    for (size_t i = 0; i < bytes; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            whole[i] ^= (unsigned char)(1u << bit);
            spill(path, whole, bytes);
            if (loads(key, binary, sizeof(binary)))
                fail_msg("bit %u of byte %zu is not checked", bit, i);
            whole[i] ^= (unsigned char)(1u << bit);
        }
    }
    spill(path, whole, bytes);
    assert_true(loads(key, binary, sizeof(binary)));
}

static void test_every_length(void **state)
{
    unsigned char binary[BINARY_BYTES];
    unsigned char whole[BINARIES_HEADER + BINARY_BYTES + 1];
    char path[PATH_BYTES];
    size_t bytes = 0;

    (void)state;
    make_binary(binary, sizeof(binary), SEED);
    assert_int_equal(binaries_store(folder, key, binary, sizeof(binary)), FGPU_OK);
    assert_int_equal(binaries_path(folder, key, path, sizeof(path)), FGPU_OK);
    bytes = slurp(path, whole, sizeof(whole));
    whole[bytes] = 0;
    for (size_t length = 0; length <= bytes + 1; length++) {
        spill(path, whole, length);
        assert_int_equal(loads(key, binary, sizeof(binary)), length == bytes);
    }
    assert_int_equal(binaries_store(folder, key, binary, sizeof(binary)), FGPU_OK);
    assert_true(loads(key, binary, sizeof(binary))); /* a broken file is replaced */
}

/* A whole file under another key's name is not taken. */
static void test_foreign(void **state)
{
    static const struct hash128 other = {1, 2};
    unsigned char binary[BINARY_BYTES];
    char path[PATH_BYTES];
    char other_path[PATH_BYTES];

    (void)state;
    make_binary(binary, sizeof(binary), SEED);
    assert_int_equal(binaries_store(folder, key, binary, sizeof(binary)), FGPU_OK);
    assert_int_equal(binaries_path(folder, key, path, sizeof(path)), FGPU_OK);
    assert_int_equal(binaries_path(folder, other, other_path, sizeof(other_path)), FGPU_OK);
    assert_int_equal(rename(path, other_path), 0);
    assert_false(loads(other, binary, sizeof(binary)));
    assert_false(loads(key, binary, sizeof(binary)));
    assert_int_equal(unlink(other_path), 0);
}

static void test_failures(void **state)
{
    unsigned char binary[8] = {0};
    char path[16];
    char full[PATH_BYTES];
    void *got = NULL;
    size_t bytes = 0;

    (void)state;
    assert_int_equal(binaries_store("/nonexistent/fastgpu", key, binary, sizeof(binary)),
                     FGPU_E_IO);
    assert_int_equal(binaries_load("/nonexistent/fastgpu", key, &got, &bytes), FGPU_E_NOTFOUND);
    assert_int_equal(binaries_store(folder, key, binary, 0), FGPU_E_RANGE);
    assert_int_equal(binaries_store(folder, key, binary, (size_t)LIMITS_BINARY_BYTES + 1),
                     FGPU_E_RANGE);
    assert_int_equal(binaries_path(folder, key, path, sizeof(path)), FGPU_E_RANGE);
    /* a folder where the file should be: nothing is left behind */
    assert_int_equal(binaries_path(folder, key, full, sizeof(full)), FGPU_OK);
    (void)unlink(full);
    assert_int_equal(mkdir(full, 0700), 0);
    assert_int_equal(binaries_store(folder, key, binary, sizeof(binary)), FGPU_E_IO);
    assert_int_equal(binaries_load(folder, key, &got, &bytes), FGPU_E_NOTFOUND);
    assert_int_equal(rmdir(full), 0);
    assert_int_equal(files_in_folder(), 0);
}

/* One of several writers: each stores its own contents again and again. */
static void write_often(uint64_t seed)
{
    unsigned char binary[20000];

    make_binary(binary, sizeof(binary), seed);
    for (int i = 0; i < 30; i++)
        if (binaries_store(folder, key, binary, sizeof(binary)) != FGPU_OK)
            abort();
}

static void *write_thread(void *arg)
{
    write_often(SEED + *(const uint64_t *)arg);
    return NULL;
}

/* Two processes of two threads write one file; a reader sees only whole ones. */
static void test_concurrent(void **state)
{
    static unsigned char contents[4][20000];
    static const uint64_t which[4] = {0, 1, 2, 3};
    pthread_t threads[2];
    pid_t child = 0;
    int seen = 0;
    int exited = 0;
    bool gone = false;

    (void)state;
    for (uint64_t i = 0; i < 4; i++)
        make_binary(contents[i], sizeof(contents[i]), SEED + i);
    child = fork();
    assert_true(child >= 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_thread,
                                        (void *)(uintptr_t)&which[child == 0 ? i : 2 + i]),
                         0);
    while (child != 0 && (!gone || seen == 0)) {
        void *got = NULL;
        size_t bytes = 0;
        bool known = false;
        gone = gone || waitpid(child, &exited, WNOHANG) == child;
        if (binaries_load(folder, key, &got, &bytes) != FGPU_OK)
            continue;
        assert_int_equal(bytes, sizeof(contents[0]));
        for (int k = 0; k < 4; k++)
            known = known || memcmp(got, contents[k], bytes) == 0;
        assert_true(known);
        free(got);
        seen++;
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    if (child == 0)
        _exit(0);
    assert_int_equal(exited, 0);
    assert_int_equal(files_in_folder(), 1); /* no temporary file is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_every_length), cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_failures),     cmocka_unit_test(test_concurrent),
    };
    char path[PATH_BYTES];
    int failed = 0;

    if (mkdtemp(folder) == NULL) {
        perror("mkdtemp");
        return 77;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (binaries_path(folder, key, path, sizeof(path)) == FGPU_OK)
        (void)unlink(path);
    (void)rmdir(folder);
    return failed;
}
