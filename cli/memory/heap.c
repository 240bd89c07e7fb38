/* `fastgpu heap`: what lies where in a device's memory, as figures, a map and a picture. Main
 * thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/cli_limits.h"
#include "cli/common/commands.h"
#include "cli/common/json_out.h"
#include "cli/common/options.h"
#include "cli/memory/heap_draw.h"
#include "cli/memory/replay.h"
#include "cli/sim/sim_words.h"

#define HEAP_NOT UINT64_MAX

static const char heap_who[] = "fastgpu heap";

static const char heap_text[] =
    "Shows what lies where in a memory: how full it is, its holes, a map of its\n"
    "addresses, and with --output a picture. FILE is a trace of lives as\n"
    "`fastgpu replay-alloc` takes it (CSV), which the pool's heap replays; or what\n"
    "fgpu_heap_write() has written of a pool (JSON).\n"
    "In the map a letter is some bytes: '#' all in use, '+' more than half, '-' less,\n"
    "'.' free in a slab, ' ' no slab.";

struct heap_choice {
    const char *capacity, *output;
    uint64_t at, node;
    bool is_json;
};

static int heap_json(const char *path, const struct heap_view *view, uint64_t time,
                     const struct heap_moment *moment)
{
    cJSON *root = cJSON_CreateObject();
    json_out_text(root, "file", path);
    json_out_text(root, "kind", view->moment ? "dump" : "trace");
    json_out_known(root, "node", view->moment, view->node);
    json_out_known(root, "time", !view->moment, (double)time);
    json_out_known(root, "peak_time", !view->moment, (double)view->peak_time);
    json_out_number(root, "blocks", moment->blocks);
    json_out_number(root, "slabs", moment->slabs);
    json_out_number(root, "holes", moment->holes);
    json_out_number(root, "used_bytes", (double)moment->used_bytes);
    json_out_number(root, "held_bytes", (double)moment->held_bytes);
    json_out_number(root, "largest_hole_bytes", (double)moment->largest_hole_bytes);
    json_out_number(root, "fragmentation", moment->fragmentation);
    json_out_number(root, "missing", view->missing);
    return json_out_print(root) ? COMMAND_OK : COMMAND_FAILED;
}

static int heap_print(const char *path, const struct heap_view *view, uint64_t time,
                      const struct heap_moment *moment)
{
    char used[32], held[32], hole[32];
    heap_draw_bytes(moment->used_bytes, used, sizeof used);
    heap_draw_bytes(moment->held_bytes, held, sizeof held);
    heap_draw_bytes(moment->largest_hole_bytes, hole, sizeof hole);
    if (view->moment)
        printf("%s: node %u of %u, %s\n", path, view->node, view->nodes, view->device);
    else
        printf("%s: at %llu, of %llu to %llu\n", path, (unsigned long long)time,
               (unsigned long long)view->begin, (unsigned long long)view->end);
    printf("%u blocks, %s in use; %u slabs, %s; %u holes, the largest %s; fragmentation %.3f\n",
           moment->blocks, used, moment->slabs, held, moment->holes, hole, moment->fragmentation);
    if (view->missing > 0)
        printf("from the first that does not fit on, %u blocks are missing\n", view->missing);
    return heap_draw_map(view, time) ? COMMAND_OK : COMMAND_FAILED;
}

static int heap_show(const char *path, const struct heap_view *view,
                     const struct heap_choice *choice)
{
    uint64_t time = view->moment ? 0 : choice->at != HEAP_NOT ? choice->at : view->peak_time;
    struct heap_moment moment;
    char why[CLI_WHY_BYTES] = "";
    if (!heap_view_look(view, time, &moment)) {
        fprintf(stderr, "%s: %s: no memory\n", heap_who, path);
        return COMMAND_FAILED;
    }
    fgpu_status status = FGPU_OK;
    if (choice->output != NULL)
        status = heap_draw(view, view->moment || choice->at != HEAP_NOT, time, choice->output, why,
                           sizeof why);
    if (status != FGPU_OK) {
        fprintf(stderr, "%s: %s\n", heap_who, why);
        return status == FGPU_E_INVAL ? COMMAND_USAGE : COMMAND_FAILED;
    }
    return choice->is_json ? heap_json(path, view, time, &moment)
                           : heap_print(path, view, time, &moment);
}

static int heap_run(const char *path, const struct heap_choice *choice, uint64_t capacity)
{
    const struct heap_view_options options = {
        .name = path,
        .capacity_bytes = capacity,
        .node = choice->node == HEAP_NOT ? UINT32_MAX : (uint32_t)choice->node};
    struct heap_view view;
    struct file_bytes bytes = {0};
    char why[CLI_WHY_BYTES] = "";
    int code = replay_read(heap_who, path, &bytes);
    if (code == COMMAND_OK) {
        fgpu_status status = heap_view_read((const char *)bytes.data, bytes.size_bytes, &options,
                                            &view, why, sizeof why);
        code = status == FGPU_OK ? heap_show(path, &view, choice)
                                 : replay_fail_read(heap_who, status, why);
        heap_view_fini(&view);
    }
    file_bytes_fini(&bytes);
    return code;
}

int command_heap(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct heap_choice choice = {.at = HEAP_NOT, .node = HEAP_NOT};
    const struct option table[] = {
        {"output", 'o', OPTION_TEXT, &choice.output, "FILE",
         "write a picture, .png or .svg: addresses over\ntime, or at one with --at", 0, 0, NULL},
        {"at", 0, OPTION_NUMBER, &choice.at, "TIME",
         "of a trace: show this moment; the one at which\nmost is in use", 0, HEAP_NOT - 1, NULL},
        {"capacity", 'c', OPTION_TEXT, &choice.capacity, "BYTES",
         "of a trace: what the device has, such as 1.5GiB", 0, 0, NULL},
        {"node", 'n', OPTION_NUMBER, &choice.node, "N",
         "of a dump: this memory; the one that is used most", 0, 65534, NULL},
        {"json", 0, OPTION_FLAG, &choice.is_json, NULL, "print one JSON object instead of the map",
         0, 0, NULL},
    };
    uint32_t count = 0;
    uint64_t capacity = 0;
    char **words = calloc((size_t)argc + 1, sizeof *words);
    const struct options_page page = {
        .command = heap_who,
        .text = heap_text,
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
        outcome == OPTIONS_GO ? heap_run(words[0], &choice, capacity) : options_code(outcome);
    free(words);
    return code;
}
