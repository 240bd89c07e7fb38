/* Random graphs on random machines; see random_world.h. */
#include "tests/lib/random_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"

/* ---- making ------------------------------------------------------------------------------- */

static void write_text(struct random_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void write_text(struct random_world *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length =
        vsnprintf(world->text + world->length, sizeof world->text - world->length, format, args);
    va_end(args);
    world->length += (size_t)length;
    assert_true(world->length < sizeof world->text);
}

static void make_links(struct random_world *world, struct rng *rng, const char *class)
{
    bool bus = rng_below(rng, 2) == 0;
    uint32_t rate = 1 + (uint32_t)rng_below(rng, 16), latency = (uint32_t)rng_below(rng, 20000);
    write_text(world, "link %s-in\n each %s\n bytes_per_ns %u\n latency_ns %u\n", class, class,
               rate, latency);
    write_text(world, "link %s-out\n each %s\n bytes_per_ns %u\n", class, class, rate);
    if (bus)
        write_text(world, "link %s-bus\n bytes_per_ns %u.5\n", class, rate);
    write_text(world, "route host -> %s\n%s%s%s over %s-in of target\n", class, bus ? " over " : "",
               bus ? class : "", bus ? "-bus\n" : "", class);
    write_text(world, "route %s -> host\n over %s-out of source\n%s%s%s", class, class,
               bus ? " over " : "", bus ? class : "", bus ? "-bus\n" : "");
    if (rng_below(rng, 2) == 0)
        write_text(world, "route %s -> %s\n over %s-out of source\n over %s-in of target\n", class,
                   class, class, class);
}

static void make_machine(struct random_world *world, struct rng *rng)
{
    static const char *const classes[] = {"core", "near", "far"};
    bool there[3];
    world->length = 0;
    write_text(world, "fgm 1\nmachine random\n");
    for (uint32_t c = 0; c < 3; c++) {
        there[c] = c == 0 || rng_below(rng, 4) > 0;
        if (!there[c])
            continue;
        write_text(world, "class %s\n kind %s\n count %u\n", classes[c], c == 0 ? "cpu" : "gpu",
                   1 + (uint32_t)rng_below(rng, 4));
        if (c > 0)
            write_text(world, " memory 64000000\n launch_ns %u\n", (uint32_t)rng_below(rng, 9000));
        if (c > 0)
            make_links(world, rng, classes[c]);
    }
    for (uint32_t k = 0; k < RANDOM_KERNELS; k++) {
        bool any = false;
        uint32_t scale = k == 0 ? 2000 : 200000;
        for (uint32_t c = 0; c < 3; c++) {
            bool runs = there[c] && (rng_below(rng, 4) > 0 || (c == 2 && !any));
            any |= runs;
            if (runs)
                write_text(world, "cost k%u on %s size any mean_ns %u deviation_ns %u\n", k,
                           classes[c], scale + (uint32_t)rng_below(rng, 20 * (uint64_t)scale),
                           scale / 10);
        }
        if (!any)
            write_text(world, "cost k%u on core size any mean_ns %u\n", k, scale);
    }
}

static void make_graph(struct random_world *world, struct rng *rng)
{
    uint32_t data = 2 + (uint32_t)rng_below(rng, RANDOM_DATA - 1);
    world->task_count = 8 + (uint32_t)rng_below(rng, RANDOM_TASKS - 7);
    for (uint32_t d = 0; d < RANDOM_DATA; d++)
        world->bytes[d] = rng_below(rng, 2) ? 1 + rng_below(rng, 1000) : RANDOM_DATA_BYTES;
    for (uint32_t t = 0; t < world->task_count; t++) {
        struct random_task *task = &world->tasks[t];
        *task = (struct random_task){.kernel = (uint32_t)rng_below(rng, RANDOM_KERNELS),
                                     .after = UINT32_MAX,
                                     .access_count = (uint32_t)rng_below(rng, RANDOM_ACCESSES + 1)};
        if (task->access_count > data)
            task->access_count = data;
        uint32_t first = (uint32_t)rng_below(rng, data);
        for (uint32_t a = 0; a < task->access_count; a++)
            task->accesses[a] = (struct random_access){
                (first + a) % data, rng_below(rng, 3) ? FGPU_READ : FGPU_READ_WRITE};
        if (task->access_count > 0 && rng_below(rng, 2))
            task->accesses[0].mode = FGPU_WRITE;
        if (t > 0 && rng_below(rng, 4) == 0)
            task->after = (uint32_t)rng_below(rng, t);
        if (rng_below(rng, 8) == 0)
            task->priority = (int32_t)rng_below(rng, 5) - 2;
    }
}

void random_world_make(struct random_world *world, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    memset(world, 0, sizeof *world);
    make_machine(world, &rng);
    make_graph(world, &rng);
    world->options = (fgpu_sim_options){.struct_bytes = sizeof world->options,
                                        .flags = FGPU_SIM_TRACE | FGPU_SIM_CHECK |
                                                 (rng_below(&rng, 8) ? 0 : FGPU_SIM_NO_TRANSFERS),
                                        .seed = seed};
    if (rng_below(&rng, 3) == 0) /* the largest task needs three; a little for the rounding */
        world->options.memory_bytes = (3 + rng_below(&rng, 4)) * RANDOM_DATA_BYTES + 100000;
    if (rng_below(&rng, 2)) {
        world->options.noise = rng_below(&rng, 2) ? 0.2 : -1;
        world->options.cost_error = rng_below(&rng, 2) ? 0.5 : 0;
    }
    if (rng_below(&rng, 4) == 0)
        world->options.fail_rate = 0.01;
    if (rng_below(&rng, 3) == 0)
        world->options.loss_per_s = 20 + (double)rng_below(&rng, 400);
}

void random_world_divide(struct random_world *world, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed ^ 0x5eed);
    for (uint32_t t = 0; t < world->task_count; t++) {
        struct random_task *task = &world->tasks[t];
        if (rng_below(&rng, 4) == 0)
            continue;
        task->parts = 2 + (uint32_t)rng_below(&rng, rng_below(&rng, 2) ? 8 : 2000);
        for (uint32_t a = 0; a < task->access_count; a++)
            if (task->accesses[a].mode == FGPU_READ && rng_below(&rng, 2))
                task->accesses[a].mode |= FGPU_SIM_WHOLE;
    }
}

void random_world_slice(struct random_world *world, uint64_t seed)
{
    static char text[sizeof world->text];
    struct rng rng;
    rng_init(&rng, seed ^ 0x51ce);
    memcpy(text, world->text, sizeof text);
    world->length = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        write_text(world, "%.*s\n", (int)(end - line), line);
        if (strncmp(line, " kind ", 6) == 0 && rng_below(&rng, 4) > 0)
            write_text(world, " units %u\n", 1 + (uint32_t)rng_below(&rng, 40));
    }
    for (uint32_t t = 0; t < world->task_count; t++)
        if (rng_below(&rng, 4) > 0)
            world->tasks[t].groups =
                (uint32_t)rng_below(&rng, rng_below(&rng, 2) ? 50 : RANDOM_GROUPS);
    world->options.preempt = (uint32_t)rng_below(&rng, 4);
}

/* ---- into a simulation -------------------------------------------------------------------- */

void random_world_add(fgpu_sim *sim, const struct random_world *world)
{
    uint32_t kernels[RANDOM_KERNELS], data[RANDOM_DATA];
    for (uint32_t k = 0; k < RANDOM_KERNELS; k++) {
        char name[8];
        (void)snprintf(name, sizeof name, "k%u", k);
        assert_int_equal(fgpu_sim_kernel(sim, name, &kernels[k]), FGPU_OK);
    }
    for (uint32_t d = 0; d < RANDOM_DATA; d++)
        assert_int_equal(fgpu_sim_data(sim, world->bytes[d], &data[d]), FGPU_OK);
    for (uint32_t t = 0; t < world->task_count; t++) {
        const struct random_task *of = &world->tasks[t];
        fgpu_sim_access accesses[RANDOM_ACCESSES];
        for (uint32_t a = 0; a < of->access_count; a++)
            accesses[a] = (fgpu_sim_access){data[of->accesses[a].data], of->accesses[a].mode};
        const fgpu_sim_task task = {.struct_bytes = sizeof task,
                                    .kernel = kernels[of->kernel],
                                    .size = 1,
                                    .priority = of->priority,
                                    .access_count = of->access_count,
                                    .accesses = accesses,
                                    .parts = of->parts,
                                    .groups = of->groups,
                                    .after = &of->after,
                                    .after_count = of->after != UINT32_MAX};
        if (fgpu_sim_add(sim, &task, NULL) != FGPU_OK)
            fail_msg("%s", fgpu_last_error());
    }
}

const char *random_world_policy(uint64_t seed)
{
    const char *name = NULL;
    uint32_t count = 0;
    while (fgpu_sim_policy_at(count, NULL, NULL) == FGPU_OK)
        count++;
    assert_int_equal(fgpu_sim_policy_at((uint32_t)(seed % count), &name, NULL), FGPU_OK);
    return name;
}
