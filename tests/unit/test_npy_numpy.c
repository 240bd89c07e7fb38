/* .npy files against NumPy: what is saved here loads there with the same elements and has the very
 * bytes that numpy.save() writes; what NumPy writes, in every type, order and version, loads here.
 * Skipped (77) where NumPy is not installed. tests/lib/npy_numpy.py is its side.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/common/cli_limits.h"
#include "cli/image/npy.h"

#define SKIPPED 77
#define MOST 24

static const struct {
    uint32_t rank;
    uint64_t shape[3];
} shapes[] = {{0, {0}}, {1, {5}}, {2, {3, 0}}, {3, {2, 3, 4}}};

static char folder[] = "/tmp/fastgpu-numpy-XXXXXX";
static char why[CLI_WHY_BYTES];
static const char *python; /* one that has NumPy */

static const char *script(void)
{
    static char path[4096];
    const char *source = getenv("FASTGPU_SOURCE_DIR");

    (void)snprintf(path, sizeof path, "%s/tests/lib/npy_numpy.py", source ? source : ".");
    return path;
}

/* Exit status of the script; -1 where Python itself does not run. */
static int run_script(const char *program, const char *argument)
{
    int ended = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)execlp(program, program, script(), argument, (char *)NULL);
        _exit(SKIPPED);
    }
    if (child < 0 || waitpid(child, &ended, 0) != child || !WIFEXITED(ended))
        return -1;
    return WEXITSTATUS(ended);
}

/* A small whole number as IEEE 754 binary16: exponent with bias 15, ten bits of fraction. */
static uint16_t half_of(unsigned number)
{
    unsigned power = 0;

    if (number == 0)
        return 0;
    while (number >> (power + 1))
        power++;
    return (uint16_t)((power + 15) << 10 | ((number << (10 - power)) & 0x3ff));
}

/* Element `number`, as npy_numpy.py has it. */
static void make_element(enum npy_dtype dtype, unsigned number, uint8_t *to)
{
    const char *name = npy_dtype_name(dtype);
    int64_t whole = name[0] == 'i' ? -(int64_t)number : (int64_t)number;
    double wide = (double)number;
    float narrow = (float)number;
    uint16_t half = half_of(number);

    if (dtype == NPY_f2)
        memcpy(to, &half, 2);
    else if (dtype == NPY_f4)
        memcpy(to, &narrow, 4);
    else if (dtype == NPY_f8)
        memcpy(to, &wide, 8);
    else
        for (size_t i = 0; i < npy_dtype_bytes(dtype); i++)
            to[i] = (uint8_t)(whole >> (8 * i));
}

static struct npy_form make_form(enum npy_dtype dtype, size_t number, uint8_t data[MOST * 8])
{
    struct npy_form form;

    assert_int_equal(
        npy_form_init(&form, dtype, shapes[number].rank, shapes[number].shape, why, sizeof why),
        FGPU_OK);
    for (unsigned i = 0; i < form.count; i++)
        make_element(dtype, i, data + i * npy_dtype_bytes(dtype));
    return form;
}

static void expect_loaded(const char *path, const struct npy_form *form, const uint8_t *data)
{
    struct npy_array array;

    if (npy_load(path, &array, why, sizeof why) != FGPU_OK)
        fail_msg("%s", why);
    assert_memory_equal(&array.form, form, sizeof *form);
    assert_memory_equal(array.data, data, form->size_bytes);
    npy_array_fini(&array);
}

static void expect_refused(const char *name, const char *text)
{
    struct npy_array array;
    char path[300];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(npy_load(path, &array, why, sizeof why), FGPU_E_UNSUPPORTED);
    if (!strstr(why, text))
        fail_msg("text \"%s\" wants \"%s\"", why, text);
}

static void test_numpy(void **state)
{
    uint8_t data[MOST * 8];
    char path[300];

    (void)state;
    for (int dtype = 0; dtype < NPY_DTYPE_COUNT; dtype++)
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
            struct npy_form form = make_form((enum npy_dtype)dtype, s, data);
            (void)snprintf(path, sizeof path, "%s/c-%s-%zu.npy", folder, npy_dtype_name(form.dtype),
                           s);
            assert_int_equal(npy_save(path, &form, data, why, sizeof why), FGPU_OK);
        }
    assert_int_equal(run_script(python, folder), 0);
    for (int dtype = 0; dtype < NPY_DTYPE_COUNT; dtype++)
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
            for (int variant = 0; variant < 6; variant++) {
                struct npy_form form = make_form((enum npy_dtype)dtype, s, data);
                (void)snprintf(path, sizeof path, "%s/n-%s-%zu-%s-%d.npy", folder,
                               npy_dtype_name(form.dtype), s, variant < 3 ? "little" : "big",
                               1 + variant % 3);
                expect_loaded(path, &form, data);
            }
    expect_refused("n-fortran.npy", "fortran_order: True is not read");
    expect_refused("n-bool.npy", "elements of type '|b1' are not read");
    expect_refused("n-object.npy", "elements of type '|O' are not read");
    expect_refused("n-fields.npy", "a structured type");
    expect_refused("n-archive.npz", "a ZIP archive");
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state)
{
    char path[600];
    DIR *dir = opendir(folder);

    (void)state;
    if (!dir)
        return 1;
    for (struct dirent *entry; (entry = readdir(dir));) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            (void)unlink(path);
    }
    closedir(dir);
    return rmdir(folder);
}

int main(void)
{
    static const char *const pythons[] = {"python3", "/usr/bin/python3"};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numpy),
    };

    for (size_t i = 0; i < sizeof pythons / sizeof pythons[0] && !python; i++) {
        int status = run_script(pythons[i], NULL);
        if (status == 0)
            python = pythons[i];
        else if (status != SKIPPED)
            return 1; /* the script itself is broken or not there */
    }
    if (!python) {
        printf("no Python with NumPy here: skipped\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
