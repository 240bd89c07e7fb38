/* What is said of a workload's mistakes, by every command that reads one. Main thread.
 */
#ifndef FASTGPU_CLI_WORKLOAD_WORKLOAD_WORDS_H
#define FASTGPU_CLI_WORKLOAD_WORKLOAD_WORDS_H

#include "cli/common/json_out.h"
#include "cli/workload/workload.h"

/* To stderr, a line each: file, place, what stands there, what would be right. */
void workload_print_mistakes(const char *path, const struct workload *workload);

/* What a command ends with that cannot use it: wrong usage where a NAME=VALUE was wrong. */
int workload_exit_code(const struct workload *workload);

/* Adds the list "mistakes" to an object. */
void workload_json_mistakes(cJSON *object, const struct workload *workload);

#endif
