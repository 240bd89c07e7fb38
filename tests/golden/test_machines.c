/* The descriptions in machines/ are what the library prints of them, byte by byte: so they stay
 * easy to compare, and whatever changes in the format shows. Those made up are also what
 * machine_synth() makes of the line in their note, but for names and other notes.
 *
 * FASTGPU_GOLDEN_UPDATE=1 writes them anew; look at the difference before you commit it.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/error.h"
#include "machine/machine.h"

static const char made_up[] = "Made up from: ";

static char *read_file(const char *path)
{
    char *text = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s is not there", path);
    assert_true(getdelim(&text, &room, '\0', file) > 0);
    fclose(file);
    return text;
}

static void compare(const char *path, const char *text, const struct vec *printed)
{
    if (getenv("FASTGPU_GOLDEN_UPDATE") != NULL) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(printed->items, 1, printed->count, file), printed->count);
        fclose(file);
    } else if (strlen(text) != printed->count ||
               memcmp(text, printed->items, printed->count) != 0) {
        fail_msg("%s is printed otherwise", path);
    }
}

/* The line that it was made from, or NULL. */
static const char *synth_line(const struct machine *machine)
{
    for (size_t i = 0; i < machine->notes.count; i += strlen(machine->notes.items + i) + 1)
        if (strncmp(machine->notes.items + i, made_up, strlen(made_up)) == 0)
            return machine->notes.items + i + strlen(made_up);
    return NULL;
}

/* The same but for name and notes. */
static void compare_synth(const struct machine *machine, const char *line)
{
    struct machine made;
    struct vec texts[2];
    machine_init(&made);
    assert_int_equal(machine_synth(&made, line), FGPU_OK);
    const struct machine *both[] = {machine, &made};
    for (int i = 0; i < 2; i++) {
        vec_init(&texts[i], 1, NULL);
        assert_int_equal(machine_print(both[i], &texts[i]), FGPU_OK);
        assert_non_null(vec_push(&texts[i], ""));
    }
    assert_string_equal(strstr(texts[0].items, "\n\nclass"), strstr(texts[1].items, "\n\nclass"));
    vec_fini(&texts[0]);
    vec_fini(&texts[1]);
    machine_fini(&made);
}

static void check_file(const char *path, unsigned *synth_count)
{
    struct machine machine;
    struct vec printed;
    char *text = read_file(path);
    machine_init(&machine);
    vec_init(&printed, 1, NULL);
    if (machine_parse(&machine, path, text, strlen(text)) != FGPU_OK)
        fail_msg("%s", error_text());
    assert_int_equal(machine_print(&machine, &printed), FGPU_OK);
    compare(path, text, &printed);
    const char *line = synth_line(&machine);
    if (line != NULL) {
        compare_synth(&machine, line);
        ++*synth_count;
    }
    vec_fini(&printed);
    machine_fini(&machine);
    free(text);
}

static void machines(void **state)
{
    (void)state;
    const char *source = getenv("FASTGPU_SOURCE_DIR");
    char folder[4000], path[4400];
    unsigned count = 0, synth_count = 0;
    snprintf(folder, sizeof folder, "%s/machines", source != NULL ? source : ".");
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 4, ".fgm") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        check_file(path, &synth_count);
        count++;
    }
    closedir(entries);
    assert_in_range(count, 5, 1000);
    assert_in_range(synth_count, 3, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
