/* Every class of mistake in a workload: each tests/golden/data/workload/NAME.json has at least one,
 * and what is said of all of them is tests/golden/data/workload/expected.txt, byte by byte.
 *
 * FASTGPU_GOLDEN_UPDATE=1 writes that file anew; look at the difference before you commit it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>

#include "cli/common/cli_limits.h"
#include "cli/common/file.h"
#include "lib/workload_files.h"

static char folder[4096];
static struct file_bytes said;

static void say(const char *text)
{
    assert_true(file_bytes_append(&said, text, strlen(text)));
}

static void in_folder(char path[8192], const char *name)
{
    (void)snprintf(path, 8192, "%s/%s", folder, name);
}

/* Adds the mistakes of one file to what is said. */
static void read_bad(const char *name)
{
    char path[8192], line[2048], why[CLI_WHY_BYTES];
    struct file_bytes text = {0};
    struct workload workload;

    in_folder(path, name);
    assert_int_equal(file_read(path, 1 << 20, &text, why, sizeof why), FGPU_OK);
    fgpu_status status =
        workload_parse((const char *)text.data, text.size_bytes, "", &workload_made_up, &workload);
    if (status != FGPU_E_INVAL)
        fail_msg("%s: status %d", name, status);
    assert_in_range(workload.mistake_count, 1, CLI_WORKLOAD_MISTAKES_LIMIT);
    for (uint32_t i = 0; i < workload.mistake_count; i++) {
        const struct workload_mistake *mistake = &workload.mistakes[i];
        (void)snprintf(line, sizeof line, "%s: %s: %s%s%s\n", name, mistake->path, mistake->value,
                       mistake->value[0] ? ": " : "", mistake->text);
        say(line);
    }
    workload_fini(&workload);
    file_bytes_fini(&text);
}

static int is_json(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && strcmp(dot, ".json") == 0;
}

static void test_every_mistake(void **state)
{
    char path[8192], why[CLI_WHY_BYTES];
    struct file_bytes expected = {0};
    struct dirent **entries;

    (void)state;
    int count = scandir(folder, &entries, is_json, alphasort);
    assert_true(count >= 60);
    for (int i = 0; i < count; i++) {
        read_bad(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    in_folder(path, "expected.txt");
    if (getenv("FASTGPU_GOLDEN_UPDATE") != NULL)
        assert_int_equal(file_replace(path, said.data, said.size_bytes, why, sizeof why), FGPU_OK);
    assert_int_equal(file_read(path, 1 << 20, &expected, why, sizeof why), FGPU_OK);
    say("");
    assert_true(file_bytes_append(&said, "", 1));
    assert_true(file_bytes_append(&expected, "", 1));
    assert_string_equal((const char *)said.data, (const char *)expected.data);
    file_bytes_fini(&expected);
    file_bytes_fini(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_mistake)};
    const char *top = getenv("FASTGPU_SOURCE_DIR");

    (void)snprintf(folder, sizeof folder, "%s/tests/golden/data/workload", top ? top : ".");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
