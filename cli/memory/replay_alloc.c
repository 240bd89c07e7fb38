/* `fastgpu replay-alloc`: lives of blocks through the pool's heap, and through a plan of offsets.
 * Runs on the main thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/cli_limits.h"
#include "cli/common/commands.h"
#include "cli/common/json_out.h"
#include "cli/common/options.h"
#include "cli/memory/replay.h"
#include "cli/memory/traces.h"
#include "cli/sim/sim_words.h"

static const char alloc_who[] = "fastgpu replay-alloc";

static const char alloc_text[] =
    "Replays the lives of blocks of memory: a CSV with the columns id, lower, upper\n"
    "and size; a block is alive from lower until just before upper. Tells the most\n"
    "bytes alive at a time, and what a device must have for them:\n"
    "  online   with the pool's heap, as blocks come and go; all its slabs count\n"
    "  compact  the same, where blocks may be moved into holes elsewhere\n"
    "  planned  with offsets that are planned ahead, for all lives are known\n"
    "and how long an operation of the heap takes, slabs apart.";

struct alloc_choice {
    const char *capacity; /* NULL: as much as it takes */
    uint64_t steps, rounds;
    bool is_json, is_quiet;
};

static bool alloc_known(uint64_t value)
{
    return value != FGPU_REPLAY_UNKNOWN;
}

static int alloc_json(const char *path, const struct traces_lives *lives,
                      const fgpu_replay_alloc_result *result)
{
    cJSON *root = cJSON_CreateObject();
    uint64_t failed = alloc_known(result->failed_block) ? lives->ids[result->failed_block] : 0;
    json_out_text(root, "trace", path);
    json_out_number(root, "blocks", lives->count);
    json_out_number(root, "peak_live_bytes", (double)result->peak_live_bytes);
    json_out_number(root, "peak_time", (double)result->peak_time);
    json_out_known(root, "online_bytes", alloc_known(result->online_bytes),
                   (double)result->online_bytes);
    json_out_known(root, "compact_bytes", alloc_known(result->compact_bytes),
                   (double)result->compact_bytes);
    json_out_known(root, "planned_bytes", alloc_known(result->planned_bytes),
                   (double)result->planned_bytes);
    json_out_known(root, "moved_bytes", alloc_known(result->compact_bytes),
                   (double)result->moved_bytes);
    json_out_number(root, "slabs", result->slabs);
    json_out_number(root, "slab_allocs", (double)result->slab_allocs);
    json_out_number(root, "slab_frees", (double)result->slab_frees);
    json_out_known(root, "failed_id", alloc_known(result->failed_block), (double)failed);
    json_out_known(root, "op_ns_p50", result->op_ns_p50 >= 0, result->op_ns_p50);
    json_out_known(root, "op_ns_p99", result->op_ns_p99 >= 0, result->op_ns_p99);
    return json_out_print(root) ? COMMAND_OK : COMMAND_FAILED;
}

static void alloc_line(const char *name, uint64_t bytes, uint64_t peak)
{
    if (alloc_known(bytes))
        printf("%-10s %14.2f MiB  %.4f of the peak\n", name, (double)bytes / 1048576,
               (double)bytes / (double)peak);
}

static void alloc_print(const char *path, const struct traces_lives *lives,
                        const fgpu_replay_alloc_result *result)
{
    printf("%s: %u blocks\n", path, lives->count);
    printf("%-10s %14.2f MiB  at %llu\n", "peak", (double)result->peak_live_bytes / 1048576,
           (unsigned long long)result->peak_time);
    alloc_line("online", result->online_bytes, result->peak_live_bytes);
    alloc_line("compact", result->compact_bytes, result->peak_live_bytes);
    alloc_line("planned", result->planned_bytes, result->peak_live_bytes);
    if (alloc_known(result->failed_block))
        printf("online, block %llu does not fit\n",
               (unsigned long long)lives->ids[result->failed_block]);
    else
        printf("%u slabs at most, %llu taken and %llu given back; an operation takes %.0f ns "
               "(p50), %.0f ns (p99)\n",
               result->slabs, (unsigned long long)result->slab_allocs,
               (unsigned long long)result->slab_frees, result->op_ns_p50, result->op_ns_p99);
}

static int alloc_replay(const char *path, const struct traces_lives *lives,
                        const struct alloc_choice *choice, uint64_t capacity)
{
    struct progress progress;
    fgpu_replay_alloc_result result = {.struct_bytes = sizeof result};
    const fgpu_replay_alloc_options options = {
        .struct_bytes = sizeof options,
        .rounds = (uint32_t)choice->rounds,
        .capacity_bytes = capacity,
        .plan_steps = choice->steps,
        .progress = replay_progress,
        .user = &progress,
    };
    progress_init(&progress, !choice->is_quiet);
    fgpu_status status = fgpu_replay_alloc(lives->blocks, lives->count, &options, &result, NULL);
    progress_fini(&progress);
    if (status != FGPU_OK)
        return replay_fail(alloc_who, path, status);
    if (choice->is_json)
        return alloc_json(path, lives, &result);
    alloc_print(path, lives, &result);
    return COMMAND_OK;
}

static int alloc_run(const char *path, const struct alloc_choice *choice, uint64_t capacity)
{
    struct traces_lives lives;
    struct file_bytes bytes = {0};
    char why[CLI_WHY_BYTES] = "";
    int code = replay_read(alloc_who, path, &bytes);
    if (code == COMMAND_OK) {
        fgpu_status status = traces_read_lives(path, (const char *)bytes.data, bytes.size_bytes,
                                               &lives, why, sizeof why);
        code = status == FGPU_OK ? alloc_replay(path, &lives, choice, capacity)
                                 : replay_fail_read(alloc_who, status, why);
        traces_lives_fini(&lives);
    }
    file_bytes_fini(&bytes);
    return code;
}

int command_replay_alloc(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct alloc_choice choice = {0};
    const struct option table[] = {
        {"capacity", 'c', OPTION_TEXT, &choice.capacity, "BYTES",
         "what the device has, such as 1.5GiB; all it takes", 0, 0, NULL},
        {"steps", 0, OPTION_NUMBER, &choice.steps, "N",
         "effort of the search for a plan; 0: the usual,\n400 million, seconds; 1: no search", 0,
         CLI_MEMORY_STEPS_LIMIT, NULL},
        {"rounds", 'r', OPTION_NUMBER, &choice.rounds, "N",
         "replays that are timed; 0: the usual, 5", 0, 1000, NULL},
        {"quiet", 'q', OPTION_FLAG, &choice.is_quiet, NULL, "show no progress", 0, 0, NULL},
        {"json", 0, OPTION_FLAG, &choice.is_json, NULL, "print one JSON object instead of lines", 0,
         0, NULL},
    };
    uint32_t count = 0;
    uint64_t capacity = 0;
    char **words = calloc((size_t)argc + 1, sizeof *words);
    const struct options_page page = {
        .command = alloc_who,
        .text = alloc_text,
        .options = table,
        .count = sizeof table / sizeof table[0],
        .words = "FILE",
        .word_list = words,
        .word_count = &count,
    };
    (void)stop;
    if (words == NULL)
        return COMMAND_FAILED;
    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome == OPTIONS_GO && count != 1)
        outcome = options_refuse(&page, "%s", count == 0 ? "a file is missing" : "one file a time");
    if (outcome == OPTIONS_GO && choice.capacity != NULL &&
        (!sim_words_bytes(choice.capacity, &capacity) || capacity == 0))
        outcome =
            options_refuse(&page, "--capacity %s: bytes, from 1 to 1048576TiB", choice.capacity);
    int code =
        outcome == OPTIONS_GO ? alloc_run(words[0], &choice, capacity) : options_code(outcome);
    free(words);
    return code;
}
