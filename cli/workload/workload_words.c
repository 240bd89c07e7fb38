/* Mistakes of a workload as lines and as JSON: see workload_words.h. */
#include "cli/workload/workload_words.h"

#include <stdio.h>

#include "cli/common/commands.h"

void workload_print_mistakes(const char *path, const struct workload *workload)
{
    for (uint32_t i = 0; i < workload->mistake_count; i++) {
        const struct workload_mistake *mistake = &workload->mistakes[i];
        bool has_place = mistake->path[0] != '\0', has_value = mistake->value[0] != '\0';
        fprintf(stderr, "%s: %s%s%s%s%s\n", path, mistake->path, has_place ? ": " : "",
                mistake->value, has_value ? ": " : "", mistake->text);
    }
    if (workload->mistake_count == CLI_WORKLOAD_MISTAKES_LIMIT)
        fprintf(stderr, "%s: there may be more\n", path);
}

int workload_exit_code(const struct workload *workload)
{
    return workload->is_set_wrong ? COMMAND_USAGE : COMMAND_NO_INPUT;
}

void workload_json_mistakes(cJSON *object, const struct workload *workload)
{
    cJSON *mistakes = cJSON_AddArrayToObject(object, "mistakes");

    for (uint32_t i = 0; i < workload->mistake_count; i++) {
        const struct workload_mistake *mistake = &workload->mistakes[i];
        cJSON *entry = cJSON_CreateObject();
        json_out_text(entry, "path", mistake->path);
        json_out_text(entry, "value", mistake->value);
        json_out_text(entry, "text", mistake->text);
        (void)cJSON_AddItemToArray(mistakes, entry);
    }
}
