/* Parts of files, and files put together from parts; the promise that a replaced file is whole or
 * absent is tested where pictures are saved (test_image_io.c), through the same function.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/cli_limits.h"
#include "cli/common/file.h"

static char folder[] = "/tmp/fastgpu-file-XXXXXX";
static char plain[64], pipe_path[64], fresh[64];
static char why[CLI_WHY_BYTES];

static fgpu_status read_part(const char *path, uint64_t offset, size_t size, size_t limit,
                             struct file_bytes *bytes)
{
    struct file_range range = {offset, size};

    why[0] = '\0';
    fgpu_status status = file_read_range(path, range, limit, bytes, why, sizeof why);
    if (status != FGPU_OK) {
        assert_null(bytes->data);
        assert_int_equal(bytes->size_bytes, 0);
        assert_memory_equal(why, path, strlen(path));
    }
    return status;
}

static void expect_part(uint64_t offset, size_t size, const char *want)
{
    struct file_bytes bytes;

    assert_int_equal(read_part(plain, offset, size, 100, &bytes), FGPU_OK);
    assert_int_equal(bytes.size_bytes, strlen(want));
    assert_memory_equal(bytes.data, want, strlen(want));
    file_bytes_fini(&bytes);
}

static void expect_refused(uint64_t offset, size_t size, fgpu_status want, const char *text)
{
    struct file_bytes bytes;

    fgpu_status status = read_part(plain, offset, size, 8, &bytes);
    if (status != want || !strstr(why, text))
        fail_msg("status %d instead of %d, text \"%s\" wants \"%s\"", status, want, why, text);
}

static void test_parts(void **state)
{
    (void)state;
    expect_part(0, 10, "0123456789");
    expect_part(0, FILE_TO_END, "0123456789");
    expect_part(3, 4, "3456");
    expect_part(9, 1, "9");
    expect_part(7, FILE_TO_END, "789");
    expect_part(10, 0, "");
    expect_part(10, FILE_TO_END, "");
    expect_part(4, 0, "");
}

static void test_refuses(void **state)
{
    (void)state;
    expect_refused(11, 0, FGPU_E_RANGE, "begins at byte 11, and the file has 10 bytes");
    expect_refused(11, FILE_TO_END, FGPU_E_RANGE, "begins at byte 11");
    expect_refused(UINT64_MAX, 1, FGPU_E_RANGE, "begins at byte 18446744073709551615");
    expect_refused(8, 3, FGPU_E_RANGE,
                   "3 bytes from byte 8 on are asked for, and the file has 10 bytes, so at most 2");
    expect_refused(8, SIZE_MAX - 1, FGPU_E_RANGE, "so at most 2");
    expect_refused(0, 9, FGPU_E_LIMIT, "has 9 bytes; the most that is read is 8");
    expect_refused(1, FILE_TO_END, FGPU_E_LIMIT, "has 9 bytes; the most that is read is 8");
}

static void test_no_plain_file(void **state)
{
    struct file_bytes bytes;

    (void)state;
    assert_int_equal(read_part(folder, 0, 1, 8, &bytes), FGPU_E_IO);
    assert_non_null(strstr(why, "not a plain file"));
    assert_int_equal(read_part(pipe_path, 0, FILE_TO_END, 8, &bytes), FGPU_E_IO);
    assert_non_null(strstr(why, "not a plain file"));
    assert_int_equal(read_part("/dev/zero", 0, 4, 8, &bytes), FGPU_E_IO);
    assert_int_equal(read_part(fresh, 0, 4, 8, &bytes), FGPU_E_IO);
    assert_non_null(strstr(why, "cannot be opened: No such file"));
}

static void test_replace_parts(void **state)
{
    const struct file_part parts[] = {{"ab", 2}, {NULL, 0}, {"cde", 3}};
    struct rlimit limit;
    struct file_bytes bytes;

    (void)state;
    assert_int_equal(file_replace_parts(fresh, parts, 3, why, sizeof why), FGPU_OK);
    assert_int_equal(file_read(fresh, 100, &bytes, why, sizeof why), FGPU_OK);
    assert_int_equal(bytes.size_bytes, 5);
    assert_memory_equal(bytes.data, "abcde", 5);
    file_bytes_fini(&bytes);
    assert_int_equal(file_replace_parts(fresh, parts, 1, why, sizeof why), FGPU_OK);
    /* The disk is full in the middle of the last part. */
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4, limit.rlim_max}), 0);
    assert_int_equal(file_replace_parts(fresh, parts, 3, why, sizeof why), FGPU_E_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_non_null(strstr(why, "cannot be written (5 bytes)"));
    assert_int_equal(file_read(fresh, 100, &bytes, why, sizeof why), FGPU_OK);
    assert_int_equal(bytes.size_bytes, 2);
    file_bytes_fini(&bytes);
    assert_int_equal(file_replace_parts(fresh, NULL, 0, why, sizeof why), FGPU_OK);
    assert_int_equal(file_read(fresh, 0, &bytes, why, sizeof why), FGPU_OK);
    assert_int_equal(bytes.size_bytes, 0);
    file_bytes_fini(&bytes);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(plain, sizeof plain, "%s/plain", folder);
    (void)snprintf(pipe_path, sizeof pipe_path, "%s/pipe", folder);
    (void)snprintf(fresh, sizeof fresh, "%s/fresh", folder);
    return mkfifo(pipe_path, 0600) != 0 || file_replace(plain, "0123456789", 10, NULL, 0) != 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(plain);
    (void)unlink(pipe_path);
    (void)unlink(fresh);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_no_plain_file),
        cmocka_unit_test(test_replace_parts),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
