/* `fastgpu replay-cache`: references to blocks through the pool's eviction, and through caches to
 * compare it with. Runs on the main thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/cli_limits.h"
#include "cli/common/commands.h"
#include "cli/common/json_out.h"
#include "cli/common/options.h"
#include "cli/memory/replay.h"
#include "cli/memory/traces.h"
#include "cli/sim/sim_words.h"

static const char cache_who[] = "fastgpu replay-cache";

static const char cache_text[] =
    "Replays references to blocks of equal size: lines of JSON whose hash_ids name\n"
    "blocks in order. Tells how many find their block in a memory that holds a\n"
    "share of all blocks: with the pool's eviction, knowing as much of what comes\n"
    "as is said, with LRU, FIFO and S3-FIFO, which know nothing, and at best.";

struct cache_choice {
    const char *capacity;
    const char *lookahead; /* NULL: none */
    bool is_json, is_quiet;
};

static int cache_key_order(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Different blocks; 0 without memory. */
static uint64_t cache_count(const struct traces_references *references)
{
    uint64_t count = 0, *sorted = malloc(references->count * sizeof *sorted);
    if (sorted == NULL)
        return 0;
    memcpy(sorted, references->keys, references->count * sizeof *sorted);
    qsort(sorted, references->count, sizeof *sorted, cache_key_order);
    for (uint64_t i = 0; i < references->count; i++)
        count += i == 0 || sorted[i] != sorted[i - 1];
    free(sorted);
    return count;
}

static int cache_json(const char *path, const fgpu_replay_cache_options *options,
                      const fgpu_replay_cache_result *result)
{
    cJSON *root = cJSON_CreateObject();
    bool all = options->lookahead == FGPU_REPLAY_UNKNOWN;
    json_out_text(root, "trace", path);
    json_out_number(root, "references", (double)result->references);
    json_out_number(root, "blocks", (double)result->keys);
    json_out_number(root, "capacity", (double)options->capacity);
    json_out_known(root, "lookahead", !all, (double)options->lookahead);
    json_out_number(root, "hits", (double)result->hits);
    json_out_number(root, "hits_lru", (double)result->hits_lru);
    json_out_number(root, "hits_fifo", (double)result->hits_fifo);
    json_out_number(root, "hits_s3fifo", (double)result->hits_s3fifo);
    json_out_number(root, "hits_lookahead", (double)result->hits_lookahead);
    json_out_number(root, "hits_optimum", (double)result->hits_optimum);
    return json_out_print(root) ? COMMAND_OK : COMMAND_FAILED;
}

static void cache_print(const char *path, const fgpu_replay_cache_options *options,
                        const fgpu_replay_cache_result *result)
{
    const struct {
        const char *name;
        uint64_t hits;
    } rows[] = {{"the pool", result->hits},
                {"LRU", result->hits_lru},
                {"FIFO", result->hits_fifo},
                {"S3-FIFO", result->hits_s3fifo},
                {"lookahead", result->hits_lookahead},
                {"optimum", result->hits_optimum}};
    printf("%s: %llu references to %llu blocks, room for %llu\n", path,
           (unsigned long long)result->references, (unsigned long long)result->keys,
           (unsigned long long)options->capacity);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (i != 4 || options->lookahead != 0)
            printf("%-10s %12llu hits  %.2f %%\n", rows[i].name, (unsigned long long)rows[i].hits,
                   100.0 * (double)rows[i].hits / (double)result->references);
}

static int cache_replay(const char *path, const struct traces_references *references,
                        const struct cache_choice *choice, fgpu_replay_cache_options *options)
{
    struct progress progress;
    fgpu_replay_cache_result result = {.struct_bytes = sizeof result};
    options->progress = replay_progress;
    options->user = &progress;
    progress_init(&progress, !choice->is_quiet);
    fgpu_status status = fgpu_replay_cache(references->keys, references->count, options, &result);
    progress_fini(&progress);
    if (status != FGPU_OK)
        return replay_fail(cache_who, path, status);
    if (choice->is_json)
        return cache_json(path, options, &result);
    cache_print(path, options, &result);
    return COMMAND_OK;
}

static int cache_run(const char *path, const struct cache_choice *choice,
                     fgpu_replay_cache_options *options, double share)
{
    struct traces_references references = {0};
    struct file_bytes bytes = {0};
    char why[CLI_WHY_BYTES] = "";
    int code = replay_read(cache_who, path, &bytes);
    if (code == COMMAND_OK) {
        fgpu_status status = traces_read_references(path, (const char *)bytes.data,
                                                    bytes.size_bytes, &references, why, sizeof why);
        if (status != FGPU_OK)
            code = replay_fail_read(cache_who, status, why);
    }
    file_bytes_fini(&bytes);
    if (code == COMMAND_OK) {
        uint64_t keys = cache_count(&references);
        options->capacity = (uint64_t)(share * (double)keys);
        if (options->capacity == 0) {
            fprintf(stderr, "%s: --capacity %s: that is no whole one of the %llu blocks of %s\n",
                    cache_who, choice->capacity, (unsigned long long)keys, path);
            code = COMMAND_USAGE;
        } else {
            code = cache_replay(path, &references, choice, options);
        }
    }
    traces_references_fini(&references);
    return code;
}

static enum options_outcome cache_read_choice(const struct options_page *page, uint32_t count,
                                              const struct cache_choice *choice,
                                              fgpu_replay_cache_options *options, double *share)
{
    double ahead = 0;
    if (count != 1)
        return options_refuse(page, "%s", count == 0 ? "a file is missing" : "one file a time");
    if (choice->capacity == NULL)
        return options_refuse(page, "--capacity is missing");
    if (!sim_words_real(choice->capacity, 1e-9, 1, share))
        return options_refuse(page, "--capacity %s: a share of all blocks, above 0 and at most 1",
                              choice->capacity);
    if (choice->lookahead != NULL && strcmp(choice->lookahead, "all") == 0)
        options->lookahead = FGPU_REPLAY_UNKNOWN;
    else if (choice->lookahead != NULL) {
        if (!sim_words_real(choice->lookahead, 0, 1e12, &ahead) || ahead != (double)(uint64_t)ahead)
            return options_refuse(page,
                                  "--lookahead %s: references, a whole number up to 10^12, "
                                  "or all",
                                  choice->lookahead);
        options->lookahead = (uint64_t)ahead;
    }
    return OPTIONS_GO;
}

int command_replay_cache(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct cache_choice choice = {0};
    fgpu_replay_cache_options options = {.struct_bytes = sizeof options};
    double share = 0;
    const struct option table[] = {
        {"capacity", 'c', OPTION_TEXT, &choice.capacity, "FRACTION",
         "blocks there is room for, as a share of all", 0, 0, NULL},
        {"lookahead", 'l', OPTION_TEXT, &choice.lookahead, "N",
         "references that are known ahead, or all; 0", 0, 0, NULL},
        {"quiet", 'q', OPTION_FLAG, &choice.is_quiet, NULL, "show no progress", 0, 0, NULL},
        {"json", 0, OPTION_FLAG, &choice.is_json, NULL, "print one JSON object instead of lines", 0,
         0, NULL},
    };
    uint32_t count = 0;
    char **words = calloc((size_t)argc + 1, sizeof *words);
    const struct options_page page = {
        .command = cache_who,
        .text = cache_text,
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
    if (outcome == OPTIONS_GO)
        outcome = cache_read_choice(&page, count, &choice, &options, &share);
    int code = outcome == OPTIONS_GO ? cache_run(words[0], &choice, &options, share)
                                     : options_code(outcome);
    free(words);
    return code;
}
