/* What the readers of task graphs share: where in the file they are, mistakes, values, names.
 *
 * A function that reads a value finds reader->path at it and returns false where it is wrong: then
 * reader->status and the sentence are set, and reading ends. Thread: one at a time.
 */
#ifndef FASTGPU_CLI_SIM_SIM_READER_H
#define FASTGPU_CLI_SIM_SIM_READER_H

#include "cli/common/json_in.h"
#include "cli/sim/sim_graph.h"
#include "cli/sim/sim_names.h"

struct sim_reader {
    const char *file;
    struct sim_graph *graph;
    struct json_path path;
    struct sim_names data, tasks;
    fgpu_status status;
    char *why;
    size_t why_bytes;
};

/* A mistake at the path, with `value` (NULL: none). Returns false. */
__attribute__((format(printf, 3, 4))) bool
sim_reader_fail(struct sim_reader *reader, const cJSON *value, const char *format, ...);
bool sim_reader_no_memory(struct sim_reader *reader);

/* The member of that name, or NULL; names are exact. */
const cJSON *sim_reader_get(const cJSON *object, const char *key);

/* Is it an object with no key but these? [in] keys: closed by NULL. */
bool sim_reader_keys(struct sim_reader *reader, const cJSON *object, const char *const *keys);

/* A finite number low <= x <= high. */
bool sim_reader_real(struct sim_reader *reader, const cJSON *value, double low, double high,
                     double *number);
/* The same, and whole. */
bool sim_reader_whole(struct sim_reader *reader, const cJSON *value, uint64_t low, uint64_t high,
                      uint64_t *number);
/* `key` of the object as above; where it is missing, the number stays. */
bool sim_reader_real_of(struct sim_reader *reader, const cJSON *object, const char *key,
                        double high, double *number);
bool sim_reader_whole_of(struct sim_reader *reader, const cJSON *object, const char *key,
                         const uint64_t limits[2], uint64_t *number);

/* A text of 1 .. SIM_NAME_BYTES - 1 bytes. */
const char *sim_reader_text(struct sim_reader *reader, const cJSON *value);

/* The number of what is named: by a name that is known, or by a number below `count`. [in] what:
 * "data". */
bool sim_reader_ref(struct sim_reader *reader, const cJSON *value, const struct sim_names *names,
                    uint32_t count, const char *what, uint32_t *number);

/* The bodies: sim_read_graph.c, sim_read_wfcommons.c. */
bool sim_read_own(struct sim_reader *reader, const cJSON *root);
bool sim_read_wfcommons(struct sim_reader *reader, const cJSON *root);

#endif
