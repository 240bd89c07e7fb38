/* How good the plans are and what they cost: tiled Cholesky (tiles of 960) on machines whose tables
 * lie in a folder, beside StarPU's best policy on the same tables where that is listed.
 *
 *   bench_plan FOLDER [TRIES [MEMORY_MIB [no-transfers]]]
 *
 * FOLDER holds NAME.costs.csv, NAME.devices.csv, NAME.links.csv, NAME.routes.csv of mirage and
 * idgraf (`fastgpu machine import` reads the same), and starpu_cholesky.csv or not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "machine/machine.h"
#include "policy/policy.h"

#define TILE 960u
#define TYPES 4u

static const char *const kernels[TYPES] = {"potrf", "trsm", "syrk", "gemm"};
static const char *folder;

static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench_plan: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the machine --------------------------------------------------------------------------- */

static FILE *open_table(const char *name, const char *what)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s%s.csv", folder, name, what);
    return fopen(path, "rb");
}

static struct machine_table read_table(const char *name, const char *what)
{
    FILE *file = open_table(name, what);
    need(file != NULL, "a table is missing");
    struct machine_table table = {.name = what};
    char *text = malloc(1 << 20);
    need(text != NULL, "no memory");
    table.bytes = fread(text, 1, 1 << 20, file);
    table.text = text;
    (void)fclose(file);
    return table;
}

static void load(struct machine *machine, const char *name)
{
    struct machine_tables tables = {.costs = read_table(name, ".costs"),
                                    .devices = read_table(name, ".devices"),
                                    .links = read_table(name, ".links"),
                                    .routes = read_table(name, ".routes")};
    machine_init(machine);
    need(machine_import(machine, name, &tables) == 0, "the tables cannot be read");
    free((void *)(uintptr_t)tables.costs.text);
    free((void *)(uintptr_t)tables.devices.text);
    free((void *)(uintptr_t)tables.links.text);
    free((void *)(uintptr_t)tables.routes.text);
}

static void find_path(const void *context, uint32_t source, uint32_t target, struct plan_path *path)
{
    const struct machine *machine = context;
    uint32_t links[MACHINE_HOPS];
    uint32_t count = machine_path(machine, source, target, links, &path->latency_ns);
    path->link_count = count < PLAN_HOPS ? count : PLAN_HOPS;
    path->bytes_per_ns = 1e9;
    for (uint32_t i = 0; i < path->link_count; i++) {
        double rate = machine_instance_bytes_per_ns(machine, links[i]);
        path->links[i] = links[i];
        path->bytes_per_ns = rate < path->bytes_per_ns ? rate : path->bytes_per_ns;
    }
}

static void add(struct vec *vec, const void *item)
{
    need(vec_push(vec, item) != NULL, "no memory");
}

static void add_machine(struct plan_window *window, const struct machine *machine, uint64_t limit)
{
    for (uint32_t c = 0; c < machine->classes.count; c++) {
        const struct machine_class *of = vec_at(&machine->classes, c);
        struct plan_class class = {.first_worker = (uint32_t)window->workers.count,
                                   .worker_count = of->count};
        add(&window->classes, &class);
        for (uint32_t d = 0; d < of->count; d++) {
            struct plan_worker worker = {
                .class_index = c, .node = machine_device_node(machine, of->first_device + d)};
            add(&window->workers, &worker);
        }
    }
    for (uint32_t t = 0; t < TYPES; t++) {
        for (uint32_t c = 0; c < machine->classes.count; c++) {
            uint32_t kernel = machine_kernel_find(machine, kernels[t]);
            double mean_ns, deviation_ns;
            bool known = machine_cost_ns(machine, kernel, c, TILE, &mean_ns, &deviation_ns);
            int64_t cost_ns = known ? (int64_t)mean_ns : PLAN_CANNOT;
            add(&window->costs, &cost_ns);
        }
    }
    for (uint32_t i = 0; i < machine->instance_count; i++) {
        struct plan_link link = {machine_instance_bytes_per_ns(machine, i)};
        add(&window->links, &link);
    }
    for (uint32_t n = 0; n < machine->node_count; n++)
        add(&window->capacity, &(uint64_t){n > 0 ? limit : 0});
    window->type_count = TYPES;
    window->node_count = machine->node_count;
    window->path = find_path;
    window->context = machine;
}

/* ---- the graph ----------------------------------------------------------------------------- */

static void add_task(struct plan_window *window, uint32_t type, const uint32_t *data,
                     uint32_t count)
{
    struct plan_task task = {
        .type = type, .only_worker = PLAN_NONE, .first_access = (uint32_t)window->accesses.count};
    for (uint32_t i = 0; i < count; i++) {
        struct plan_access access = {data[i], i + 1 == count ? PLAN_READ | PLAN_WRITE : PLAN_READ};
        add(&window->accesses, &access);
    }
    add(&window->tasks, &task);
    window->task_count += count > 0;
}

static void add_cholesky(struct plan_window *window, uint32_t n)
{
    uint32_t host = 0;
    for (uint32_t d = 0; d < n * n; d++) {
        struct plan_data data = {4u * TILE * TILE, d, 1};
        add(&window->data, &data);
        add(&window->holders, &host);
    }
    for (uint32_t k = 0; k < n; k++) {
        add_task(window, 0, (uint32_t[]){k * n + k}, 1);
        for (uint32_t m = k + 1; m < n; m++)
            add_task(window, 1, (uint32_t[]){k * n + k, m * n + k}, 2);
        for (uint32_t j = k + 1; j < n; j++) {
            add_task(window, 2, (uint32_t[]){j * n + k, j * n + j}, 2);
            for (uint32_t m = j + 1; m < n; m++)
                add_task(window, 3, (uint32_t[]){m * n + k, j * n + k, m * n + j}, 3);
        }
    }
    add_task(window, 0, NULL, 0);
    need(plan_window_infer(window), "no memory");
}

/* ---- one point ----------------------------------------------------------------------------- */

/* Of all policies listed for the point; 0: none is. */
static double starpu_best_ms(const char *machine, uint32_t tiles, bool transfers)
{
    char line[256];
    double best = 0;
    FILE *file = open_table("starpu_cholesky", transfers ? "" : "_no_transfers");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char name[64], program[64], policy[64];
        unsigned tile, blocks, size;
        double ms;
        if (sscanf(line, "%63[^,],%63[^,],%63[^,],%u,%u,%u,%lf", name, program, policy, &tile,
                   &blocks, &size, &ms) == 7 &&
            strcmp(name, machine) == 0 && tile == TILE && blocks == tiles &&
            (best <= 0 || ms < best))
            best = ms;
    }
    if (file != NULL)
        (void)fclose(file);
    return best;
}

static double measure(const struct machine *machine, uint32_t tiles, uint32_t tries, uint64_t limit,
                      bool transfers)
{
    static const struct policy *const all[] = {&policy_lookahead, &policy_heteroprio,
                                               &policy_steal};
    struct plan_window window;
    struct world world;
    plan_window_init(&window, NULL);
    window.transfers = transfers;
    add_machine(&window, machine, limit);
    add_cholesky(&window, tiles);
    need(world_init(&world, &window), "no memory");
    printf("%-7s %2u:", machine->name, tiles);
    for (size_t p = 0; p < sizeof all / sizeof all[0]; p++)
        printf(" %s %.1f", all[p]->name,
               (double)world_simulate(&world, all[p]->plan, &all[p]->tuning) / 1e6);
    uint64_t begin_ns = now_ns();
    struct policy_found found = policy_search(&world, tries, NULL, 0, 0);
    double cpu_ns = (double)(now_ns() - begin_ns), ms = (double)found.makespan_ns / 1e6;
    double best_ms = starpu_best_ms(machine->name, tiles, transfers);
    double edge = (double)tiles * TILE;
    printf(" auto %.1f ms (bound %.1f, %.0f GFlop/s, %.0f MB moved), %u tries, %.2f us a task, "
           "%.2f %% of the makespan",
           ms, (double)found.bound_ns / 1e6, edge * edge * edge / 3 / (ms * 1e6),
           (double)world.bytes_moved / 1e6, found.tries,
           cpu_ns / 1e3 / found.tries / window.task_count, cpu_ns / 1e4 / ms);
    if (best_ms > 0)
        printf(", %.3f of StarPU's best %.0f", ms / best_ms, best_ms);
    printf("\n");
    world_fini(&world);
    plan_window_fini(&window);
    return best_ms > 0 ? ms / best_ms : 0;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"mirage", "idgraf"};
    static const uint32_t tiles[] = {10, 20, 32};
    need(argc > 1, "usage: bench_plan FOLDER [TRIES [MEMORY_MIB [no-transfers]]]");
    folder = argv[1];
    uint32_t tries = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 16;
    uint64_t limit = argc > 3 ? strtoull(argv[3], NULL, 10) << 20 : 0;
    double sum = 0;
    uint32_t count = 0;
    for (size_t m = 0; m < 2; m++) {
        struct machine machine;
        load(&machine, names[m]);
        for (size_t t = 0; t < 3; t++) {
            double ratio = measure(&machine, tiles[t], tries, limit, argc <= 4);
            sum += ratio;
            count += ratio > 0;
        }
        machine_fini(&machine);
    }
    if (count > 0)
        printf("on average %.4f of StarPU's best\n", sum / count);
    return 0;
}
