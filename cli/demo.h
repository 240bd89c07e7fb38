/* What `fastgpu demo` measures and prints: the records between demo.c (options, order of things),
 * demo_measure.c (runs) and demo_print.c (words). Plain data; the command's thread alone uses it.
 */
#ifndef FASTGPU_CLI_DEMO_H
#define FASTGPU_CLI_DEMO_H

#include "cli_limits.h"
#include "demo_photos.h"
#include "demo_plan.h"
#include "plan_run.h"

#define DEMO_ROUNDS_LIMIT 99

/* Devices of a pool that are shown, and those that the tasks are run on one by one. */
#define DEMO_DEVICES_LIMIT 64
#define DEMO_SIDES_LIMIT 4

struct demo_options {
    const char *output;  /* folder */
    const char *devices; /* pattern; NULL: all */
    uint64_t tiles;      /* 0: chosen */
    uint64_t rounds;
    bool is_json;
    bool has_no_baseline;
    struct demo_paths paths;
};

struct demo_device {
    fgpu_device handle;
    fgpu_device_info info;
};

/* What one device did in one round. */
struct demo_share {
    uint64_t task_count;
    uint64_t busy_ns;
};

/* One round through the pool. */
struct demo_round {
    struct plan_result result;
    uint64_t copied_bytes; /* between memory nodes */
    struct demo_share shares[DEMO_DEVICES_LIMIT];
};

/* The same tasks one by one on one device. */
struct demo_side {
    const struct demo_device *device;
    fgpu_pool pool;
    struct plan_session session;
    bool is_equal; /* its pictures are those of the pool, bit for bit */
    uint32_t round_count;
    uint64_t wall_ns[DEMO_ROUNDS_LIMIT];
    uint64_t median_ns; /* 0: never measured */
    uint64_t copied_bytes;
    char error[CLI_WHY_BYTES];
};

struct demo_report {
    const struct demo_options *options;
    struct demo_photos photos;
    struct demo_plan plan;
    fgpu_pool pool;
    struct plan_session session;
    struct demo_device devices[DEMO_DEVICES_LIMIT];
    uint32_t device_count;
    struct demo_round first; /* warms up, and makes the pictures */
    struct demo_round
        *rounds; /* options->rounds (round_count of them measured whole) and a spare */
    uint32_t round_count;
    uint32_t median; /* number of the round with the median time */
    struct demo_side sides[DEMO_SIDES_LIMIT];
    uint32_t side_count;
    struct image *pictures; /* by output; empty where it is not whole */
    uint32_t written_count;
    bool is_interrupted;
    char error[CLI_WHY_BYTES]; /* "" when all went well */
};

/* Opens pools and sessions and runs everything; fills the report. Returns FGPU_OK also when tasks
 * failed or it was interrupted (the report says so), else the reason why nothing could be run. */
fgpu_status demo_measure(struct demo_report *report, const struct plan_watch *watch);

/* Closes what demo_measure() opened. */
void demo_measure_fini(struct demo_report *report);

/* Number of the best side, or PLAN_NONE where none was measured. */
uint32_t demo_best_side(const struct demo_report *report);

/* Prints the report to stdout: tables, or one JSON object. */
void demo_print_text(const struct demo_report *report);
void demo_print_json(const struct demo_report *report);

#endif
