/* A recorded graph is made into one that can run as one task; see joined.h.
 *
 * Everything that a launch needs is laid out here once: commands with their arguments, in order,
 * so that a device reads them from front to back.
 */
#include "core/joined.h"

#include <stdlib.h>
#include <string.h>

#include "base/handle.h"
#include "base/map.h"
#include "core/launch.h"
#include "core/memory.h"

#define JOINED_ARENA_BYTES 65536u
#define JOINED_NODES_LEAST 2u
/* One lane: where running a command takes this long, what the pool adds is little. Several lanes
 * could run what does not depend on each other at the same time: below this, to hand tasks out one
 * by one takes longer than to run them. */
#define JOINED_ALONE_NS 20000.0
#define JOINED_SHORT_NS 400.0
#define JOINED_LANES_MANY 64u

bool joined_may(const struct engine *engine)
{
    return engine->lineage == NULL && engine->node_count == 1;
}

static const struct submit_request *make_node(const struct joined_source *source, uint32_t place,
                                              uint32_t *number, uint32_t *after_count)
{
    return source->node(source->user, place, number, after_count);
}

bool joined_can(const struct joined_source *source)
{
    uint32_t number, after_count, commands = 0;
    if (source->node_count < JOINED_NODES_LEAST)
        return false;
    const struct submit_request *first = make_node(source, 0, &number, &after_count);
    for (uint32_t i = 0; i < source->node_count; i++) {
        const struct submit_request *at = make_node(source, i, &number, &after_count);
        bool is_kernel = at->kind == TASK_KERNEL;
        if ((!is_kernel && (at->kind != TASK_EMPTY || at->arg_count > 0)) || at->on_done != NULL ||
            at->cuts != NULL || at->priority != first->priority || at->pin != first->pin)
            return false;
        commands += is_kernel;
    }
    return commands > 0;
}

/* ---- does it pay? ----------------------------------------------------------------------- */

bool joined_pays(struct engine *engine, const struct joined *joined)
{
    uint32_t lanes = 0;
    double least_ns = 0;
    for (uint32_t d = 0; d < engine->device_count && d < JOINED_LANES_MANY; d++) {
        const struct engine_device *device = &engine->devices[d];
        double ns = joined->paces[d].ns;
        if (device->lost || device->hidden || (joined->pin != TASK_DEVICE_ANY && joined->pin != d))
            continue;
        lanes += device->lane_count;
        if (device->caps.batches && ns > 0 && (least_ns <= 0 || ns < least_ns))
            least_ns = ns;
    }
    return least_ns > 0 && least_ns <= (lanes <= 1 ? JOINED_ALONE_NS : JOINED_SHORT_NS);
}

/* What the nodes take on a device, on average; 0 where one of them has not been measured. */
static double make_expect(struct engine *engine, const struct joined *joined, uint32_t device)
{
    double sum = 0;
    for (uint32_t i = 0; i < joined->command_count; i++) {
        const struct joined_node *node = &joined->nodes[joined->command_nodes[i]];
        struct kernel *kernel = engine_kernel(engine, joined->kernels[node->kernel].slot);
        uint64_t ns = 0;
        uint32_t slot = history_slot(engine->history, launch_model_key(engine, kernel, device),
                                     engine->devices[device].key, node->size);
        if (history_slot_predict(engine->history, slot, &ns) == HISTORY_UNKNOWN ||
            engine_code(engine, kernel, device)->state != CODE_READY)
            return 0;
        sum += (double)ns;
    }
    return sum / joined->command_count;
}

/* ---- making ----------------------------------------------------------------------------- */

struct make {
    struct engine *engine;
    const struct joined_source *source;
    struct joined *joined;
    struct map uses, kernels; /* slot -> place */
    struct vec use_list;      /* struct joined_use */
    struct vec kernel_list;   /* struct joined_kernel */
    size_t arg_count, scalar_bytes, after_count;
    fgpu_cmd_launch *launches;
    fgpu_cmd_arg *args;
    char *scalars;
};

static size_t make_align(uint64_t bytes)
{
    return (size_t)(bytes + 15) & ~(size_t)15;
}

static bool make_use(struct make *make, const struct submit_arg *arg)
{
    uint64_t place = make->use_list.count;
    uint64_t end =
        arg->offset_bytes + arg->shape.pitch_bytes * (arg->shape.rows - 1) + arg->shape.row_bytes;
    if (!map_get(&make->uses, arg->buffer, &place)) {
        const struct buffer *buffer = engine_buffer(make->engine, arg->buffer);
        struct joined_use use = {.buffer = arg->buffer,
                                 .live = arg->live != 0 ? arg->live
                                                        : atomic_load_relaxed_u32(&buffer->live) &
                                                              HANDLE_GENERATION_MASK,
                                 .begin = arg->offset_bytes,
                                 .end = end};
        if (vec_push(&make->use_list, &use) == NULL ||
            map_put(&make->uses, arg->buffer, place) != FGPU_OK)
            return false;
    }
    struct joined_use *use = vec_at(&make->use_list, place);
    use->begin = arg->offset_bytes < use->begin ? arg->offset_bytes : use->begin;
    use->end = end > use->end ? end : use->end;
    use->writes |= (arg->mode & FGPU_WRITE) != 0;
    make->joined->begins |= arg->offset_bytes;
    return true;
}

static bool make_kernel(struct make *make, const struct submit_request *request)
{
    const struct kernel *kernel = engine_kernel(make->engine, request->kernel);
    struct joined_kernel entry = {request->kernel, request->kernel_live != 0
                                                       ? request->kernel_live
                                                       : atomic_load_relaxed_u32(&kernel->live) &
                                                             HANDLE_GENERATION_MASK};
    uint64_t items = (uint64_t)request->local[0] * request->local[1] * request->local[2];
    if (items > make->joined->items)
        make->joined->items = items;
    if (map_get(&make->kernels, request->kernel, NULL))
        return true;
    return map_put(&make->kernels, request->kernel, make->kernel_list.count) == FGPU_OK &&
           vec_push(&make->kernel_list, &entry) != NULL;
}

/* The first pass: what there is. */
static bool make_measure(struct make *make)
{
    struct joined *joined = make->joined;
    uint32_t number, after_count;
    joined->node_count = make->source->node_count;
    for (uint32_t i = 0; i < joined->node_count; i++) {
        const struct submit_request *request = make_node(make->source, i, &number, &after_count);
        make->after_count += after_count;
        if (request->kind != TASK_KERNEL)
            continue;
        joined->command_count++;
        make->arg_count += request->arg_count;
        if (!make_kernel(make, request))
            return false;
        for (uint32_t a = 0; a < request->arg_count; a++) {
            const struct submit_arg *arg = &request->args[a];
            if (arg->kind == FGPU_ARG_SCALAR)
                make->scalar_bytes += make_align(arg->size_bytes);
            if (arg->kind != FGPU_ARG_BUFFER)
                continue;
            joined->access_count++;
            if (!make_use(make, arg))
                return false;
        }
    }
    return true;
}

static void *make_array(struct make *make, size_t count, size_t item_bytes)
{
    return arena_alloc_zeroed(&make->joined->arena, count * item_bytes, 64);
}

static bool make_arrays(struct make *make)
{
    struct joined *joined = make->joined;
    joined->use_count = (uint32_t)make->use_list.count;
    joined->kernel_count = (uint32_t)make->kernel_list.count;
    joined->nodes = make_array(make, joined->node_count + 1u, sizeof *joined->nodes);
    joined->accesses = make_array(make, joined->access_count, sizeof *joined->accesses);
    joined->after = make_array(make, make->after_count, sizeof *joined->after);
    joined->uses = make_array(make, joined->use_count, sizeof *joined->uses);
    joined->kernels = make_array(make, joined->kernel_count, sizeof *joined->kernels);
    joined->commands = make_array(make, joined->command_count, sizeof *joined->commands);
    joined->command_nodes = make_array(make, joined->command_count, sizeof(uint32_t));
    joined->loose = make_array(make, joined->use_count, sizeof(uint32_t));
    joined->paces = make_array(make, make->engine->device_count, sizeof *joined->paces);
    make->launches = make_array(make, joined->command_count, sizeof *make->launches);
    make->args = make_array(make, make->arg_count, sizeof *make->args);
    make->scalars = make_array(make, make->scalar_bytes, 1);
    return joined->nodes != NULL && joined->accesses != NULL && joined->after != NULL &&
           joined->uses != NULL && joined->kernels != NULL && joined->commands != NULL &&
           joined->command_nodes != NULL && joined->loose != NULL && joined->paces != NULL &&
           make->launches != NULL && make->args != NULL && make->scalars != NULL;
}

static int make_compare_uses(const void *left, const void *right)
{
    const struct joined_use *a = left, *b = right;
    return a->buffer < b->buffer ? -1 : a->buffer > b->buffer;
}

static void make_lists(struct make *make)
{
    struct joined *joined = make->joined;
    if (joined->use_count > 0 && make->use_list.items != NULL) {
        memcpy(joined->uses, make->use_list.items, joined->use_count * sizeof *joined->uses);
        qsort(joined->uses, joined->use_count, sizeof *joined->uses, make_compare_uses);
    }
    for (uint32_t i = 0; i < joined->use_count; i++) {
        (void)map_put(&make->uses, joined->uses[i].buffer, i); /* it is there: no memory needed */
        joined->loose[i] = i;
    }
    joined->loose_count = joined->use_count;
    for (uint32_t i = 0; i < joined->kernel_count; i++)
        joined->kernels[i] = *(const struct joined_kernel *)vec_at(&make->kernel_list, i);
}

static void make_arg(struct make *make, const struct submit_arg *from, uint32_t index,
                     struct joined_access *access, fgpu_cmd_arg *out)
{
    uint64_t place = 0;
    *out = (fgpu_cmd_arg){.kind = from->kind, .size_bytes = from->size_bytes};
    if (from->kind == FGPU_ARG_SCALAR) {
        memcpy(make->scalars, from->value, (size_t)from->size_bytes);
        out->u.value = make->scalars;
        make->scalars += make_align(from->size_bytes);
    } else if (from->kind == FGPU_ARG_BUFFER) {
        (void)map_get(&make->uses, from->buffer, &place);
        *access = (struct joined_access){.shape = from->shape,
                                         .begin = from->offset_bytes,
                                         .use = (uint32_t)place,
                                         .mode = from->mode,
                                         .arg = (uint8_t)index};
        out->size_bytes = from->shape.pitch_bytes * (from->shape.rows - 1) + from->shape.row_bytes;
    }
}

static void make_launch(struct make *make, const struct submit_request *request, uint32_t command,
                        uint32_t *accesses)
{
    fgpu_cmd_launch *launch = &make->launches[command];
    *launch = (fgpu_cmd_launch){
        .args = make->args, .arg_count = request->arg_count, .dims = (uint16_t)request->dims};
    memcpy(launch->global, request->global, sizeof launch->global);
    memcpy(launch->local, request->local, sizeof launch->local);
    for (uint32_t a = 0; a < request->arg_count; a++) {
        make_arg(make, &request->args[a], a, &make->joined->accesses[*accesses], &make->args[a]);
        *accesses += request->args[a].kind == FGPU_ARG_BUFFER;
    }
    make->args += request->arg_count;
    make->joined->commands[command] = (fgpu_cmd){.kind = FGPU_CMD_LAUNCH, .body = launch};
}

/* The second pass: laid out. False without memory. */
static bool make_fill(struct make *make)
{
    struct joined *joined = make->joined;
    uint32_t command = 0, accesses = 0, after = 0, after_count = 0;
    for (uint32_t i = 0; i < joined->node_count; i++) {
        struct joined_node *node = &joined->nodes[i];
        uint64_t kernel = JOINED_NONE;
        const struct submit_request *request =
            make_node(make->source, i, &node->number, &after_count);
        node->first_access = accesses;
        node->first_after = after;
        after += after_count;
        if (request->name != NULL) {
            node->name = arena_strdup(&joined->arena, request->name);
            if (node->name == NULL)
                return false;
        }
        if (request->kind == TASK_KERNEL) {
            (void)map_get(&make->kernels, request->kernel, &kernel);
            node->size = request->global[0] * request->global[1] * request->global[2];
            node->auto_local = request->local[0] == 0;
            joined->command_nodes[command] = i;
            make_launch(make, request, command++, &accesses);
        }
        node->kernel = (uint32_t)kernel;
    }
    joined->nodes[joined->node_count].first_access = accesses;
    joined->nodes[joined->node_count].first_after = after;
    if (after > 0)
        memcpy(joined->after, make->source->after, after * sizeof *joined->after);
    return true;
}

/* A place among the engine's. */
static bool make_enter(struct make *make)
{
    struct vec *all = &make->engine->joined;
    size_t place = 0;
    while (place < all->count && *(struct joined **)vec_at(all, place) != NULL)
        place++;
    if (place == all->count && vec_push(all, NULL) == NULL)
        return false;
    *(struct joined **)vec_at(all, place) = make->joined;
    make->joined->place = (uint32_t)place;
    return true;
}

static bool make_all(struct make *make)
{
    struct joined *joined = make->joined;
    if (!make_measure(make) || !make_arrays(make))
        return false;
    make_lists(make);
    if (!make_fill(make) || !make_enter(make))
        return false;
    for (uint32_t d = 0; d < make->engine->device_count; d++) {
        double ns = make_expect(make->engine, joined, d);
        joined->paces[d] = (struct joined_pace){ns, {ns, ns}};
    }
    return true;
}

static struct joined *make_new(struct engine *engine, const struct joined_source *source)
{
    uint32_t number, after_count;
    const struct submit_request *first = make_node(source, 0, &number, &after_count);
    struct joined *joined = alloc_get_zeroed(engine->hooks, sizeof *joined, 64);
    if (joined == NULL)
        return NULL;
    joined->place = UINT32_MAX;
    joined->last = TASK_NONE;
    joined->code_device = UINT32_MAX;
    joined->checked = UINT64_MAX;
    joined->moved = 1;
    joined->priority = first->priority;
    joined->pin = first->pin;
    vec_init(&joined->holds, sizeof(struct joined_hold), engine->hooks);
    vec_init(&joined->records, sizeof(struct joined_record), engine->hooks);
    arena_init(&joined->arena, JOINED_ARENA_BYTES, engine->hooks);
    return joined;
}

fgpu_status joined_make(struct engine *engine, const struct joined_source *source,
                        struct joined **joined)
{
    struct make make = {.engine = engine, .source = source};
    *joined = NULL;
    make.joined = make_new(engine, source);
    if (make.joined == NULL)
        return FGPU_E_NOMEM;
    map_init(&make.uses, engine->hooks);
    map_init(&make.kernels, engine->hooks);
    vec_init(&make.use_list, sizeof(struct joined_use), engine->hooks);
    vec_init(&make.kernel_list, sizeof(struct joined_kernel), engine->hooks);
    fgpu_status status = make_all(&make) ? FGPU_OK : FGPU_E_NOMEM;
    if (status == FGPU_OK && joined_pays(engine, make.joined))
        *joined = make.joined;
    else
        joined_free(engine, make.joined);
    map_fini(&make.uses);
    map_fini(&make.kernels);
    vec_fini(&make.use_list);
    vec_fini(&make.kernel_list);
    return status;
}
