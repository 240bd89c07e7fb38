/* What the parts of the workload reader share: where in the file they are, what names mean there,
 * and the list of mistakes.
 *
 * A function that reads a value finds reader->path at that value. It returns false where there was
 * a mistake, which is then on the list, or no memory (reader->is_out_of_memory). The file is read
 * in the order constants, buffers, kernels, tasks, outputs, whatever the order of its keys; what
 * has a mistake in one of these is not looked for in those behind it. Thread: one at a time.
 */
#ifndef FASTGPU_CLI_WORKLOAD_WORKLOAD_READER_H
#define FASTGPU_CLI_WORKLOAD_WORKLOAD_READER_H

#include "cli/common/cli_limits.h"
#include "cli/workload/expression.h"
#include "cli/workload/workload.h"

#define READER_NONE UINT32_MAX
#define READER_VARIABLES (CLI_WORKLOAD_CONSTANTS_LIMIT + CLI_WORKLOAD_REPEAT_LIMIT)
#define READER_TEXT_BYTES 4096

/* Names of one kind and the numbers behind them: a balanced tree, so that no choice of names is
 * slow. */
struct reader_names {
    void *root;
};

struct reader_variable {
    const char *name;
    struct expression_value value;
};

/* One name that a task comes after, until all tasks are known. */
struct reader_after {
    uint32_t task;
    uint32_t entry, item; /* $.tasks[entry].after[item] */
    const char *name;
};

struct workload_reader {
    struct workload *out;
    const struct workload_options *options;
    const struct workload_files *files;
    const char *folder;
    struct json_path path;
    struct expression_names names;
    struct reader_variable variables[READER_VARIABLES]; /* constants, then those of a repetition */
    uint32_t constant_count, variable_count;
    struct reader_names buffer_names, kernel_names, task_names, output_names;
    struct reader_after *after;
    uint32_t after_count;
    bool is_out_of_memory;
};

/* What a body of reader_repeat() reads, once for each repetition. */
typedef bool (*reader_body)(struct workload_reader *reader, const cJSON *entry, const char *key);

/* Where the reader is, kept: the path, and in a repetition which one: "$.tasks[3], i = 2". NULL
 * without memory. */
const char *reader_kept_place(struct workload_reader *reader);

/* Puts a mistake on the list: at the path, with `value` (NULL: none). Returns false. */
__attribute__((format(printf, 3, 4))) bool reader_fail(struct workload_reader *reader,
                                                       const cJSON *value, const char *format, ...);

/* The same for a name that is not one of those known; the nearest is named where one is near.
 * [in] what: "buffer". */
bool reader_fail_unknown(struct workload_reader *reader, const cJSON *value, const char *what,
                         const struct reader_names *known);

/* Notes that memory is exhausted. Returns false. */
bool reader_no_memory(struct workload_reader *reader);

/* Copies bytes (NULL: zeros) to memory that lives as long as the workload. NULL without memory. */
void *reader_keep(struct workload_reader *reader, const void *data, size_t size_bytes);

/* Room for one more record in a table of `count`; NULL without memory. */
void *reader_grow(struct workload_reader *reader, void *table, uint32_t count, size_t record_bytes);

/* Checks that the value is an object with no key but these. [in] keys: closed by NULL. */
bool reader_keys(struct workload_reader *reader, const cJSON *object, const char *const *keys);

/* The member of that name, or NULL. Names are exact, also in the case of letters. */
const cJSON *reader_get(const cJSON *object, const char *key);

/* The same; a mistake where it is missing. [in] right: what would be right. */
const cJSON *reader_need(struct workload_reader *reader, const cJSON *object, const char *key,
                         const char *right);

/* A number, or a text that is an expression. */
bool reader_number(struct workload_reader *reader, const cJSON *value, double *number);

/* A whole number low <= x <= high (at most 2^53). */
bool reader_whole(struct workload_reader *reader, const cJSON *value, uint64_t low, uint64_t high,
                  uint64_t *number);

/* `key` of `object` as reader_whole(); where it is missing, *number stays. */
bool reader_whole_of(struct workload_reader *reader, const cJSON *object, const char *key,
                     const uint64_t limits[2], uint64_t *number);

/* 1 to `most` whole numbers low <= x <= high: a list, or one number alone. */
bool reader_wholes(struct workload_reader *reader, const cJSON *value, uint32_t most,
                   const uint64_t limits[2], uint64_t *numbers, uint32_t *count);

/* A begin and an end (exclusive) within 0 .. limit, as [begin, end]. */
bool reader_span(struct workload_reader *reader, const cJSON *value, uint64_t limit,
                 uint64_t span[2]);

/* A text with its {expressions} replaced, of 1 .. bytes - 1 bytes. */
bool reader_text(struct workload_reader *reader, const cJSON *value, char *text, size_t bytes);

/* The same, kept. [in] is_path: put behind the workload's folder where it is relative. NULL on a
 * mistake. */
const char *reader_kept_text(struct workload_reader *reader, const cJSON *value, bool is_path);

/* Whether a name is a letter followed by letters, digits and _. */
bool reader_check_name(struct workload_reader *reader, const cJSON *value, const char *name);

/* The name that a key stands for: its {expressions} replaced, checked. [out] name:
 * WORKLOAD_NAME_BYTES. */
bool reader_key_name(struct workload_reader *reader, const char *key, char *name);

/* Number of that name, or READER_NONE. */
uint32_t reader_find_name(const struct reader_names *names, const char *name);

/* Adds a name; a mistake where it is there already. [in] what: "buffer". */
bool reader_add_name(struct workload_reader *reader, struct reader_names *names, const char *name,
                     uint32_t number, const char *what);

void reader_names_fini(struct reader_names *names);

/* A type name: one of elements[]. */
bool reader_type(struct workload_reader *reader, const cJSON *value, enum element_type *type);

/* Calls `body` for every combination of the values in entry.repeat (the last variable changes
 * fastest), or once where there is none. Ends at the first mistake. */
bool reader_repeat(struct workload_reader *reader, const cJSON *entry, const char *key,
                   reader_body body);

/* Names in expressions are those of this reader from now on. */
void reader_init_names(struct workload_reader *reader);

/* Adds a constant or a variable; a mistake where the name is not possible, or taken. */
bool reader_add_variable(struct workload_reader *reader, const cJSON *value,
                         const struct reader_variable *variable);

/* Each reads the members of one list or object of the file: $.constants, $.buffers, ... */
void reader_read_constants(struct workload_reader *reader, const cJSON *constants);
bool reader_read_buffer(struct workload_reader *reader, const cJSON *entry, const char *key);
bool reader_read_kernel(struct workload_reader *reader, const cJSON *entry, const char *key);
bool reader_read_task(struct workload_reader *reader, const cJSON *entry, const char *key);
bool reader_read_output(struct workload_reader *reader, const cJSON *entry, const char *key);

/* Grid and arguments of a task with a built-in filter; entry is the task's. */
bool reader_read_filter_task(struct workload_reader *reader, const cJSON *entry,
                             struct workload_task *task);

/* A buffer and a part of it: its name, or {"buffer": its name, "range" | "rows", "columns": [begin,
 * end]}. [out] arg: buffer, region, and access where it is named. */
bool reader_buffer_arg(struct workload_reader *reader, const cJSON *value,
                       struct workload_arg *arg);

/* Adds an argument to the task. */
bool reader_add_arg(struct workload_reader *reader, struct workload_task *task,
                    const struct workload_arg *arg);

/* How the task's arguments, which are read, are cut. */
bool reader_read_cuts(struct workload_reader *reader, const cJSON *entry,
                      struct workload_task *task);

/* Finds the tasks that others come after, and puts all in order. */
bool reader_order_tasks(struct workload_reader *reader);

#endif
