/* What a described machine adds to the simulator: devices, links, costs and deaths; see
 * simulator.h.
 *
 * A class that works in the host's memory is one device of the engine with a queue for each of its
 * devices; every device with memory of its own is one of the engine's. Each type of task (a kernel
 * and a size, or a cost of its own) is a kernel of the engine, so that the performance model knows
 * its cost exactly; beyond SIMULATOR_KERNELS of them, types share one and the model tells them
 * apart by their cost, to an eighth of a doubling. Noise depends on the seed, the task and the
 * class only, so that two policies meet the same luck; it is the sum of twelve uniform numbers (the
 * same on every computer, and bounded).
 */
#include <math.h>
#include <string.h>

#include "base/map.h"
#include "run/simulator.h"

#define SIMULATOR_KERNELS 16384u
#define MACHINE_COPY_QUEUES 2u    /* in and out */
#define SIMULATOR_COST_MAX 9.0e15 /* ns: 104 days */
#define SIMULATOR_LEAST 0.1       /* of the mean: no run is shorter */
#define SIMULATOR_SEEDS 3u        /* runs that the performance model is told of */
#define SIMULATOR_LINK_LEAST 1e-9

/* ---- devices ---------------------------------------------------------------------------- */

static const struct machine_class *machine_class_at(const struct simulator *s, uint32_t index)
{
    return vec_at(&s->config.machine->classes, index);
}

/* Are the devices of a class queues of one device of the engine? */
static bool machine_joins(const struct simulator *s, const struct machine_class *class)
{
    bool is_free = (s->config.flags & SIMULATOR_NO_TRANSFERS) && s->config.loss_per_s <= 0;
    return class->first_node == 0 || is_free;
}

static void machine_add_class(struct simulator *s, uint32_t index)
{
    const struct machine_class *class = machine_class_at(s, index);
    bool joins = machine_joins(s, class);
    bool host = class->first_node == 0 || (s->config.flags & SIMULATOR_NO_TRANSFERS);
    uint32_t copies = host ? 0 : MACHINE_COPY_QUEUES;
    uint64_t memory_bytes =
        s->config.memory_bytes != 0 ? s->config.memory_bytes : class->memory_bytes;
    for (uint32_t i = 0; i < (joins ? 1 : class->count); i++)
        s->devices[s->device_count++] = (struct simulator_device){
            .queue_count = (joins ? class->count : 1) + copies,
            .copy_count = copies,
            .host_memory = host,
            .slices = class->units > 0,
            .machine = {.units = class->units, .launch_ns = class->launch_ns},
            .memory_bytes = host ? 0 : memory_bytes,
            .lost_at_ns = SIMULATOR_NEVER,
            .class_index = index,
            .first = class->first_device + i,
            .node = class->first_node == 0 ? 0 : class->first_node + i,
            .alike = index + 1,
            .key = hash_u64(index + 1)};
}

fgpu_status simulator_machine_devices(struct simulator *s)
{
    const struct machine *machine = s->config.machine;
    uint32_t count = 0;
    for (uint32_t c = 0; c < machine->classes.count; c++)
        count += machine_joins(s, machine_class_at(s, c)) ? 1 : machine_class_at(s, c)->count;
    struct simulator_device *devices = alloc_get(NULL, count * sizeof *devices + 1, 16);
    if (devices == NULL)
        return FGPU_E_NOMEM;
    s->devices = devices;
    s->device_count = 0;
    for (uint32_t c = 0; c < machine->classes.count; c++)
        if (machine_class_at(s, c)->count > 0)
            machine_add_class(s, c);
    FGPU_ASSERT(s->device_count <= count);
    for (uint32_t d = 0; d < machine->device_count; d++)
        if (vec_push(&s->busy, NULL) == NULL)
            return FGPU_E_NOMEM;
    return FGPU_OK;
}

/* ---- links ------------------------------------------------------------------------------ */

/* What a copy alone on its way gets. */
static void machine_way(const struct simulator *s, uint32_t from, uint32_t to, double *latency_ns,
                        double *bytes_per_ns)
{
    const struct machine *machine = s->config.machine;
    uint32_t links[MACHINE_HOPS];
    uint64_t latency = 0;
    uint32_t count = machine_path(machine, from, to, links, &latency);
    *latency_ns = (double)latency;
    *bytes_per_ns = SIMULATOR_COST_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t times = 0;
        for (uint32_t j = 0; j < count; j++)
            times += links[j] == links[i];
        double share = machine_instance_bytes_per_ns(machine, links[i]) / times;
        *bytes_per_ns = share < *bytes_per_ns ? share : *bytes_per_ns;
    }
}

static void machine_believe_pair(struct simulator *s, uint32_t from, uint32_t to)
{
    double latency_ns, bytes_per_ns;
    uint32_t source = simulator_node(s, from), target = simulator_node(s, to);
    if (from != 0 && to != 0 && !machine_path_direct(s->config.machine, source, target))
        return;
    machine_way(s, source, target, &latency_ns, &bytes_per_ns);
    link_set_default(s->engine.link, s->engine.nodes[from].way, s->engine.nodes[to].way, latency_ns,
                     bytes_per_ns);
}

/* What the link model begins with, of the copies from and to a node: between devices that share
 * their place in it, what the first of them see. */
static void machine_believe(struct simulator *s, uint32_t node)
{
    const struct engine_node *nodes = s->engine.nodes;
    if (node > 2 && nodes[node].way == nodes[node - 1].way &&
        nodes[node].way == nodes[node - 2].way)
        return;
    machine_believe_pair(s, 0, node);
    machine_believe_pair(s, node, 0);
    for (uint32_t m = 1; m < node; m++) {
        if (m > 2 && nodes[m].way == nodes[m - 1].way && nodes[m].way == nodes[m - 2].way)
            continue;
        machine_believe_pair(s, node, m);
        machine_believe_pair(s, m, node);
    }
}

fgpu_status simulator_machine_links(struct simulator *s)
{
    const struct machine *machine = s->config.machine;
    if (!network_init(&s->network, machine->instance_count, s->engine.lane_count))
        return FGPU_E_NOMEM;
    for (uint32_t i = 0; i < machine->instance_count; i++) {
        double rate = machine_instance_bytes_per_ns(machine, i);
        s->network.links[i].bytes_per_ns =
            rate > SIMULATOR_LINK_LEAST ? rate : SIMULATOR_LINK_LEAST;
    }
    for (uint32_t n = 1; n < s->engine.node_count; n++)
        machine_believe(s, n);
    if (s->config.loss_per_s > 0) {
        s->next_loss_ns = (uint64_t)(rng_unit(&s->rng) * 2e9 / s->config.loss_per_s);
        agenda_set(&s->agenda, s->engine.lane_count + s->device_count, s->next_loss_ns);
    }
    return FGPU_OK;
}

static bool machine_can_die(const struct simulator *s, uint32_t device)
{
    return s->devices[device].node != 0 && !s->engine.devices[device].lost;
}

uint32_t simulator_machine_loss(struct simulator *s)
{
    uint32_t count = 0;
    for (uint32_t d = 0; d < s->device_count; d++)
        count += machine_can_die(s, d);
    if (count == 0)
        return UINT32_MAX;
    /* Distances from nothing to twice the mean: as good as any, and the same everywhere. */
    s->next_loss_ns = s->now_ns + 1 + (uint64_t)(rng_unit(&s->rng) * 2e9 / s->config.loss_per_s);
    uint64_t choice = rng_below(&s->rng, count);
    for (uint32_t d = 0; d < s->device_count; d++)
        if (machine_can_die(s, d) && choice-- == 0)
            return d;
    FGPU_UNREACHABLE();
}

/* ---- costs ------------------------------------------------------------------------------ */

static uint32_t machine_classes(const struct simulator *s)
{
    return (uint32_t)s->config.machine->classes.count;
}

const struct simulator_cost *simulator_cost(const struct simulator *s, uint32_t type,
                                            uint32_t class_index)
{
    return vec_at(&s->costs, (size_t)type * machine_classes(s) + class_index);
}

/* A number from a word, 0 <= it < 1. */
static double machine_unit(uint64_t *word)
{
    return (double)(rng_splitmix64(word) >> 11) * 0x1p-53;
}

/* Mean 0, standard deviation 1. */
static double machine_normal(uint64_t word)
{
    uint64_t sum = 0;
    for (int i = 0; i < 3; i++) {
        uint64_t bits = rng_splitmix64(&word);
        sum += (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    }
    return ((double)sum + 6.0) * 0x1p-16 - 6.0;
}

const struct simulator_task *simulator_task_at(const struct simulator *s, uint32_t slot)
{
    const struct task *task = engine_task(&s->engine, slot);
    /* A piece that is made again, long after, is known by its own slot. */
    if ((task->marks & TASK_M_PIECE) && task->lineage == 0)
        slot = task_piece(task)->parent;
    return vec_at(&s->tasks, slot);
}

/* Of the whole task's time. No piece is rounded to less than its share. */
static uint64_t machine_piece_ns(const struct simulator *s, uint32_t task, double ns)
{
    const fgpu_cmd_launch *launch = task_body(engine_task(&s->engine, task));
    if (!launch->part)
        return ns < 1 ? 1 : (uint64_t)(ns + 0.5);
    const fgpu_cmd_part *part = task_body(engine_task(&s->engine, task));
    ns = ceil(ns * ((double)launch->global[launch->dims - 1] / (double)part->whole));
    return ns < 1 ? 1 : (uint64_t)ns;
}

uint64_t simulator_machine_run_ns(const struct simulator *s, uint32_t device, uint32_t task)
{
    const struct simulator_task *what = simulator_task_at(s, task);
    uint32_t class_index = s->devices[device].class_index;
    const struct simulator_cost *cost = simulator_cost(s, what->type, class_index);
    double noise = s->config.noise;
    double deviation_ns = noise < 0 ? cost->deviation_ns : noise * cost->mean_ns;
    double ns = cost->mean_ns;
    if (deviation_ns > 0)
        ns += deviation_ns *
              machine_normal(hash_u64(s->config.seed + 1) ^
                             hash_u64(((uint64_t)class_index << 32 | what->number) + 1));
    ns = ns < SIMULATOR_LEAST * cost->mean_ns ? SIMULATOR_LEAST * cost->mean_ns : ns;
    return machine_piece_ns(s, task, ns);
}

uint64_t simulator_machine_fill_ns(const struct simulator *s, uint32_t device, const fgpu_cmd *cmd)
{
    const struct machine_class *class = machine_class_at(s, s->devices[device].class_index);
    double bytes = 0;
    if (cmd->kind == FGPU_CMD_COPY) {
        const fgpu_cmd_copy *copy = cmd->body;
        bytes = 2.0 * (double)copy->row_bytes * (double)copy->rows;
    } else if (cmd->kind == FGPU_CMD_FILL) {
        const fgpu_cmd_fill *fill = cmd->body;
        bytes = (double)fill->row_bytes * (double)fill->rows;
    }
    double ns = class->bytes_per_ns > 0 ? bytes / class->bytes_per_ns : 0;
    return class->launch_ns + 1 + (uint64_t)(ns < SIMULATOR_COST_MAX ? ns : SIMULATOR_COST_MAX);
}

static struct simulator_cost machine_ask(const struct simulator *s,
                                         const struct simulator_type *type, uint32_t class_index)
{
    const struct machine_class *class = machine_class_at(s, class_index);
    struct simulator_cost cost = {-1, 0};
    if (type->cost_ns > 0)
        cost.mean_ns = type->cost_ns;
    else if (type->machine_kernel != UINT32_MAX &&
             machine_cost_ns(s->config.machine, type->machine_kernel, class_index, type->size,
                             &cost.mean_ns, &cost.deviation_ns))
        return cost.mean_ns < SIMULATOR_COST_MAX ? cost : (struct simulator_cost){-1, 0};
    else if (type->machine_kernel == UINT32_MAX && type->flops > 0 && class->flops_per_ns > 0)
        cost.mean_ns = type->flops / class->flops_per_ns;
    else
        cost.mean_ns = -1;
    if (cost.mean_ns >= SIMULATOR_COST_MAX)
        cost.mean_ns = -1;
    return cost;
}

/* ---- types ------------------------------------------------------------------------------ */

bool simulator_machine_builds(const struct simulator *s, uint32_t kernel, uint32_t device)
{
    uint64_t type = 0;
    bool found = map_get(&s->kernel_types, kernel, &type);
    FGPU_ASSERT(found);
    return simulator_cost(s, (uint32_t)type, s->devices[device].class_index)->mean_ns >= 0;
}

/* Pieces cost in proportion: of the sizes that a model tells apart, those at every halving. */
static void machine_teach_size(struct simulator *s, uint64_t kernel, uint32_t class_index,
                               uint64_t size, double ns)
{
    uint32_t slot = history_slot(&s->history, kernel, hash_u64(class_index + 1), size);
    for (uint32_t i = 0; i < SIMULATOR_SEEDS; i++)
        history_slot_learn(&s->history, slot, ns < 1 ? 1 : (uint64_t)(ns + 0.5));
}

/* What the performance model is told at the start. */
static void machine_teach(struct simulator *s, uint32_t index)
{
    const struct simulator_type *type = vec_at(&s->types, index);
    uint64_t kernel = engine_kernel(&s->engine, type->kernel)->key;
    for (uint32_t c = 0; c < machine_classes(s); c++) {
        double ns = simulator_cost(s, index, c)->mean_ns;
        uint64_t word = hash_u64(s->config.seed + 2) ^ hash_u64(((uint64_t)c << 32 | index) + 1);
        if (ns < 0)
            continue;
        ns *= 1 + s->config.cost_error * (2 * machine_unit(&word) - 1);
        machine_teach_size(s, kernel, c, type->model_size, ns);
        for (uint64_t size = type->parts / 2; size > 0; size /= 2)
            machine_teach_size(s, kernel, c, size, ns * (double)size / type->parts);
    }
}

/* The engine's kernel for a type: its own, or the one that it shares. */
static fgpu_status machine_kernel_for(struct simulator *s, const char *name, uint64_t key,
                                      struct simulator_type *type)
{
    uint64_t found = 0;
    bool shares = s->types.count >= SIMULATOR_KERNELS;
    type->model_size = type->parts > 1    ? type->parts
                       : type->groups > 1 ? (uint64_t)type->groups * SIMULATOR_ITEMS
                       : type->size > 0   ? type->size
                                          : 1;
    if (shares) {
        type->parts = type->groups = 0; /* sizes stand for costs */
        double least = SIMULATOR_COST_MAX;
        for (uint32_t c = 0; c < machine_classes(s); c++) {
            double ns = simulator_cost(s, (uint32_t)s->types.count, c)->mean_ns;
            least = ns >= 0 && ns < least ? ns : least;
        }
        type->model_size = least < 1 ? 1 : (uint64_t)least;
        key = hash_u64(hash_bytes(name, strlen(name), 1) + (type->cost_ns > 0));
        if (map_get(&s->type_ids, key, &found)) {
            type->kernel = (uint32_t)found;
            return FGPU_OK;
        }
    }
    fgpu_status status = simulator_kernel(s, name, &type->kernel);
    if (status == FGPU_OK && shares)
        status = map_put(&s->type_ids, key, type->kernel);
    if (status != FGPU_OK)
        return status;
    struct kernel *kernel = engine_kernel(&s->engine, type->kernel);
    kernel->key = key;
    kernel->prepared = 1;
    return map_put(&s->kernel_types, type->kernel, s->types.count);
}

fgpu_status simulator_type(struct simulator *s, const char *name,
                           const struct simulator_type *asked, uint32_t *index)
{
    uint64_t words[5] = {asked->machine_kernel, asked->size, 0, 0, asked->parts};
    uint64_t found = 0, key = hash_bytes(name, strlen(name), 0);
    bool runs = false;
    memcpy(&words[2], &asked->flops, sizeof words[2]);
    memcpy(&words[3], &asked->cost_ns, sizeof words[3]);
    key = hash_bytes(words, sizeof words, key);
    key = asked->groups > 1 ? hash_bytes(&asked->groups, sizeof asked->groups, key) : key;
    if (map_get(&s->type_ids, key, &found)) {
        *index = (uint32_t)found;
        return FGPU_OK;
    }
    struct simulator_type type = *asked;
    size_t costs = s->costs.count;
    for (uint32_t c = 0; c < machine_classes(s); c++) {
        struct simulator_cost cost = machine_ask(s, asked, c);
        runs |= cost.mean_ns >= 0 && machine_class_at(s, c)->count > 0;
        if (vec_push(&s->costs, &cost) == NULL)
            return FGPU_E_NOMEM;
    }
    fgpu_status status = runs ? machine_kernel_for(s, name, key, &type) : FGPU_E_NODEVICE;
    if (status != FGPU_OK || vec_push(&s->types, &type) == NULL) {
        s->costs.count = costs;
        return status != FGPU_OK ? status : FGPU_E_NOMEM;
    }
    *index = (uint32_t)s->types.count - 1;
    machine_teach(s, *index);
    for (uint32_t d = 0; d < s->device_count; d++)
        if (d == 0 || s->devices[d].alike != s->devices[d - 1].alike)
            engine_kernel_prepare(&s->engine, type.kernel, d);
    (void)simulator_act(s);
    return map_put(&s->type_ids, key, *index);
}
