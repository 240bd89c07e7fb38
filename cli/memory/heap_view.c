/* See heap_view.h. */
#include "cli/memory/heap_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/common/json_in.h"
#include "cli/common/why.h"
#include "cli/memory/traces.h"

#include <fastgpu/fastgpu.h>

struct heap_edge {
    uint64_t time, bytes;
    bool comes;
};

void heap_view_fini(struct heap_view *view)
{
    for (uint32_t i = 0; view->names != NULL && i < view->count; i++)
        free(view->names[i]);
    free(view->names);
    free(view->ids);
    free(view->blocks);
    free(view->slabs);
    memset(view, 0, sizeof *view);
}

/* Without memory the slab is not drawn: the caller looks at slab_capacity. */
static void view_add_slab(const fgpu_replay_span *slab, void *user)
{
    struct heap_view *view = user;
    if (view->slab_count == view->slab_capacity) {
        uint32_t capacity = 2 * view->slab_capacity + 16;
        fgpu_replay_span *slabs = realloc(view->slabs, capacity * sizeof *slabs);
        if (slabs == NULL)
            return;
        view->slabs = slabs;
        view->slab_capacity = capacity;
    }
    view->slabs[view->slab_count++] = *slab;
    if (slab->address + slab->bytes > view->top)
        view->top = slab->address + slab->bytes;
}

static int edge_order(const void *a, const void *b)
{
    const struct heap_edge *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return (int)x->comes - (int)y->comes;
}

/* Fills begin, end and peak_time. */
static bool view_sweep(struct heap_view *view)
{
    struct heap_edge *edges = malloc((2 * (size_t)view->count + 1) * sizeof *edges);
    uint64_t now = 0, most = 0;
    if (edges == NULL)
        return false;
    view->begin = UINT64_MAX;
    for (uint32_t i = 0; i < view->count; i++) {
        const fgpu_replay_span *block = &view->blocks[i];
        edges[2 * (size_t)i] = (struct heap_edge){block->from, block->bytes, true};
        edges[2 * (size_t)i + 1] = (struct heap_edge){block->until, block->bytes, false};
        view->begin = block->from < view->begin ? block->from : view->begin;
        view->end = block->until > view->end ? block->until : view->end;
        view->missing += block->bytes == 0;
    }
    qsort(edges, 2 * (size_t)view->count, sizeof *edges, edge_order);
    view->peak_time = view->begin;
    for (size_t i = 0; i < 2 * (size_t)view->count; i++) {
        now = edges[i].comes ? now + edges[i].bytes : now - edges[i].bytes;
        if (now > most) {
            most = now;
            view->peak_time = edges[i].time;
        }
    }
    free(edges);
    return true;
}

static fgpu_status view_read_trace(const char *text, size_t size_bytes,
                                   const struct heap_view_options *options, struct heap_view *view,
                                   char *why, size_t why_bytes)
{
    struct traces_lives lives;
    fgpu_status status = traces_read_lives(options->name, text, size_bytes, &lives, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    view->blocks = calloc(lives.count, sizeof *view->blocks);
    status = FGPU_E_NOMEM;
    if (view->blocks != NULL)
        status = fgpu_replay_places(lives.blocks, lives.count, options->capacity_bytes,
                                    view->blocks, view_add_slab, view);
    view->count = lives.count;
    view->ids = lives.ids;
    lives.ids = NULL;
    traces_lives_fini(&lives);
    if (status == FGPU_OK && view_sweep(view))
        return FGPU_OK;
    return why_fail(FGPU_E_NOMEM, why, why_bytes, "%s: no memory", options->name);
}

/* ---- a dump ----------------------------------------------------------------------------- */

static bool view_number(const cJSON *item, uint64_t *value)
{
    if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > 0x1p60)
        return false;
    *value = (uint64_t)item->valuedouble;
    return true;
}

static uint64_t view_field(const cJSON *object, const char *key)
{
    uint64_t value = 0;
    (void)view_number(cJSON_GetObjectItemCaseSensitive(object, key), &value);
    return value;
}

static const cJSON *view_choose(const cJSON *nodes, uint32_t wanted)
{
    const cJSON *best = NULL, *node;
    cJSON_ArrayForEach(node, nodes)
    {
        if (wanted == UINT32_MAX
                ? best == NULL || view_field(node, "used_bytes") > view_field(best, "used_bytes")
                : view_field(node, "node") == wanted)
            best = node;
    }
    return best;
}

/* [offset, bytes, name] of a slab, behind the blocks before it. False: it is none, or lies
 * elsewhere.
 */
static bool view_block(struct heap_view *view, const cJSON *item, const fgpu_replay_span *slab,
                       uint64_t *end)
{
    uint64_t offset, bytes;
    const cJSON *name = cJSON_GetArrayItem(item, 2);
    if (!cJSON_IsArray(item) || !view_number(cJSON_GetArrayItem(item, 0), &offset) ||
        !view_number(cJSON_GetArrayItem(item, 1), &bytes) || !cJSON_IsString(name) || bytes == 0 ||
        offset < *end || offset > slab->bytes || bytes > slab->bytes - offset)
        return false;
    *end = offset + bytes;
    view->names[view->count] = strdup(name->valuestring[0] ? name->valuestring : "small blocks");
    view->blocks[view->count++] =
        (fgpu_replay_span){.address = slab->address + offset, .bytes = bytes, .until = 1};
    return true;
}

static bool view_slabs(struct heap_view *view, const cJSON *slabs)
{
    size_t count = 0;
    const cJSON *slab, *block;
    cJSON_ArrayForEach(slab, slabs) count +=
        (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(slab, "blocks"));
    view->blocks = calloc(count + 1, sizeof *view->blocks);
    view->names = calloc(count + 1, sizeof *view->names);
    if (view->blocks == NULL || view->names == NULL)
        return false;
    cJSON_ArrayForEach(slab, slabs)
    {
        fgpu_replay_span span = {.address = view->top, .until = 1};
        if (!view_number(cJSON_GetObjectItemCaseSensitive(slab, "bytes"), &span.bytes) ||
            span.bytes == 0 || span.bytes > CLI_MEMORY_BYTES_LIMIT - view->top)
            return false;
        uint64_t end = 0;
        view_add_slab(&span, view);
        cJSON_ArrayForEach(block, cJSON_GetObjectItemCaseSensitive(slab, "blocks"))
        {
            if (!view_block(view, block, &span, &end))
                return false;
        }
    }
    return true;
}

static fgpu_status view_read_dump(const char *text, size_t size_bytes,
                                  const struct heap_view_options *options, struct heap_view *view,
                                  char *why, size_t why_bytes)
{
    struct json_path path;
    cJSON *root = NULL;
    char inner[CLI_WHY_BYTES] = "";
    fgpu_status status = json_in_parse(text, size_bytes, &root, &path, inner, sizeof inner);
    if (status != FGPU_OK)
        return why_fail(status, why, why_bytes, "%s: %s", options->name, inner);
    const cJSON *nodes = cJSON_GetObjectItemCaseSensitive(root, "nodes");
    const cJSON *node = view_choose(nodes, options->node);
    const cJSON *device = cJSON_GetObjectItemCaseSensitive(node, "device");
    if (view_field(root, "fastgpu_heap") != 1 || !cJSON_IsArray(nodes))
        status = why_fail(FGPU_E_INVAL, why, why_bytes,
                          "%s: this JSON is not what fgpu_heap_write() writes", options->name);
    else if (node == NULL)
        status = why_fail(FGPU_E_INVAL, why, why_bytes, "%s: there is no such node; it has %d",
                          options->name, cJSON_GetArraySize(nodes));
    else if (!view_slabs(view, cJSON_GetObjectItemCaseSensitive(node, "slabs")))
        status = why_fail(FGPU_E_INVAL, why, why_bytes,
                          "%s: a slab or a block of node %u is none, or leaves its place",
                          options->name, (unsigned)view_field(node, "node"));
    if (status == FGPU_OK) {
        view->moment = true;
        view->end = 1;
        view->node = (uint32_t)view_field(node, "node");
        view->nodes = (uint32_t)cJSON_GetArraySize(nodes);
        snprintf(view->device, sizeof view->device, "%s",
                 cJSON_IsString(device) ? device->valuestring : "");
    }
    cJSON_Delete(root);
    return status;
}

fgpu_status heap_view_read(const char *text, size_t size_bytes,
                           const struct heap_view_options *options, struct heap_view *view,
                           char *why, size_t why_bytes)
{
    fgpu_status status;
    memset(view, 0, sizeof *view);
    if (text[strspn(text, " \t\r\n")] == '{')
        status = view_read_dump(text, size_bytes, options, view, why, why_bytes);
    else
        status = view_read_trace(text, size_bytes, options, view, why, why_bytes);
    if (status != FGPU_OK)
        heap_view_fini(view);
    return status;
}

/* ---- one moment ------------------------------------------------------------------------- */

static int span_order(const void *a, const void *b)
{
    const fgpu_replay_span *x = a, *y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

/* Those at the time, by address; their number. */
static uint32_t view_select(const fgpu_replay_span *spans, uint32_t count, uint64_t time,
                            fgpu_replay_span *out)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++)
        if (heap_view_is_at(&spans[i], time))
            out[found++] = spans[i];
    if (found > 0)
        qsort(out, found, sizeof *out, span_order);
    return found;
}

static void moment_hole(struct heap_moment *moment, uint64_t bytes)
{
    moment->holes += bytes > 0;
    if (bytes > moment->largest_hole_bytes)
        moment->largest_hole_bytes = bytes;
}

bool heap_view_look(const struct heap_view *view, uint64_t time, struct heap_moment *moment)
{
    fgpu_replay_span *blocks = malloc((view->count + 1) * sizeof *blocks);
    fgpu_replay_span *slabs = malloc((view->slab_count + 1) * sizeof *slabs);
    bool good = blocks != NULL && slabs != NULL;
    *moment = (struct heap_moment){0};
    if (good) {
        moment->blocks = view_select(view->blocks, view->count, time, blocks);
        moment->slabs = view_select(view->slabs, view->slab_count, time, slabs);
        for (uint32_t s = 0, b = 0; s < moment->slabs; s++) {
            uint64_t at = slabs[s].address, end = at + slabs[s].bytes;
            for (; b < moment->blocks && blocks[b].address < end; b++) {
                moment_hole(moment, blocks[b].address - at);
                moment->used_bytes += blocks[b].bytes;
                at = blocks[b].address + blocks[b].bytes;
            }
            moment_hole(moment, end - at);
            moment->held_bytes += slabs[s].bytes;
        }
        uint64_t free_bytes = moment->held_bytes - moment->used_bytes;
        if (free_bytes > 0)
            moment->fragmentation = 1 - (double)moment->largest_hole_bytes / (double)free_bytes;
    }
    free(blocks);
    free(slabs);
    return good;
}
