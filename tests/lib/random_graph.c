/* Random task graphs with an oracle; see random_graph.h.
 *
 *
 */
#include "tests/lib/random_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- operations ------------------------------------------------------------------------- */

static uint32_t random_below(struct random_graph *g, uint32_t n)
{
    return (uint32_t)rng_below(&g->rng, n);
}

static struct random_span random_span(struct random_graph *g)
{
    uint32_t units = RANDOM_GRAPH_WORDS / g->align_words;
    uint32_t at = random_below(g, units) * g->align_words;
    struct random_span span = {random_below(g, RANDOM_GRAPH_BUFFERS), at,
                               1 + random_below(g, RANDOM_GRAPH_WORDS - at)};
    if (random_below(g, 4) == 0)
        span = (struct random_span){span.buffer, 0, RANDOM_GRAPH_WORDS};
    return span;
}

static fgpu_arg random_arg(const struct random_graph *g, struct random_span span, uint32_t words)
{
    return fgpu_arg_span(g->buffers[span.buffer], FGPU_ACCESS_DEFAULT, 4u * span.at, 4u * words);
}

/* ---- kernels: chosen, done to the model, submitted or recorded */

static struct random_step random_step_update(struct random_graph *g)
{
    struct random_step step = {.kind = RANDOM_UPDATE, .d = random_span(g)};
    step.a = 2 * random_below(g, 1000) + 1;
    step.c = random_below(g, 1u << 30);
    return step;
}

/* Two spans of equal length that do not overlap. */
static void random_pair(struct random_graph *g, struct random_span *d, struct random_span *s)
{
    *d = random_span(g);
    do
        *s = random_span(g);
    while (s->buffer == d->buffer);
    d->words = s->words = d->words < s->words ? d->words : s->words;
}

static struct random_step random_step_combine(struct random_graph *g, bool overwrite)
{
    struct random_step step = {.kind = overwrite ? RANDOM_DERIVE : RANDOM_COMBINE};
    random_pair(g, &step.d, &step.s);
    step.c = random_below(g, 1u << 30);
    return step;
}

static struct random_step random_step_tile(struct random_graph *g)
{
    struct random_step step = {.kind = RANDOM_TILE};
    step.pitch = 8u << random_below(g, 2);
    step.rows = 1 + random_below(g, RANDOM_GRAPH_WORDS / step.pitch);
    step.d.words = 1 + random_below(g, step.pitch);
    step.d.buffer = random_below(g, RANDOM_GRAPH_BUFFERS);
    step.d.at =
        g->align_words > 1
            ? 0
            : random_below(g, RANDOM_GRAPH_WORDS - (step.rows - 1) * step.pitch - step.d.words + 1);
    step.c = random_below(g, 1u << 30);
    return step;
}

/* Word `i` of what a step writes. */
static uint32_t random_step_word(const struct random_step *step, uint32_t i)
{
    return step->d.at + i / step->d.words * step->pitch + i % step->d.words;
}

/* Does it fail, after a task that did or did not? And what does that spoil or heal? */
static bool random_step_fails(struct random_graph *g, const struct random_step *step, bool after)
{
    uint32_t count = step->d.words * (step->kind == RANDOM_TILE ? step->rows : 1);
    bool *d = g->spoilt[step->d.buffer];
    bool fails = after || step->c == RANDOM_GRAPH_FAILS;
    for (uint32_t i = 0; i < count; i++)
        fails |= step->kind != RANDOM_DERIVE && d[random_step_word(step, i)];
    for (uint32_t i = 0; i < count; i++)
        fails |= (step->kind == RANDOM_COMBINE || step->kind == RANDOM_DERIVE) &&
                 g->spoilt[step->s.buffer][step->s.at + i];
    for (uint32_t i = 0; i < count; i++)
        d[random_step_word(step, i)] = fails;
    g->tasks_failed += fails;
    g->tasks_done += !fails;
    return fails;
}

static void random_step_model(struct random_graph *g, const struct random_step *step)
{
    uint32_t *d = &g->model[step->d.buffer][step->d.at];
    const uint32_t *s = &g->model[step->s.buffer][step->s.at];
    uint32_t rows = step->kind == RANDOM_TILE ? step->rows : 1;
    for (uint32_t i = 0; i < step->d.words * rows; i++) {
        uint32_t x = i % step->d.words, y = i / step->d.words;
        uint32_t *out = &d[y * step->pitch + x];
        switch (step->kind) {
        case RANDOM_UPDATE:
            *out = *out * step->a + step->c;
            break;
        case RANDOM_COMBINE:
            *out = *out * 31u + s[i] * 17u + step->c;
            break;
        case RANDOM_DERIVE:
            *out = s[i] ^ step->c;
            break;
        default:
            *out = *out * 5u + step->c + y * 7 + x;
        }
    }
}

static void random_step_desc(const struct random_graph *g, const struct random_step *step,
                             fgpu_arg args[3], fgpu_task_desc *desc)
{
    fgpu_task_desc_init(desc);
    desc->args = args;
    desc->arg_count = 3;
    desc->dims = 1;
    desc->global[0] = step->d.words;
    desc->global[1] = 1;
    args[0] = random_arg(g, step->d, step->d.words);
    args[2] = fgpu_arg_scalar(&step->c, 4);
    if (step->kind == RANDOM_UPDATE) {
        desc->kernel = g->kernels.update;
        args[1] = fgpu_arg_scalar(&step->a, 4);
    } else if (step->kind == RANDOM_TILE) {
        desc->kernel = g->kernels.tile;
        desc->dims = step->rows > 1 ? 2 : 1;
        desc->global[1] = step->rows;
        args[0] = fgpu_arg_region(
            g->buffers[step->d.buffer], FGPU_READ_WRITE,
            fgpu_region_rect(4u * step->d.at, 4u * step->d.words, 4u * step->pitch, step->rows));
        args[1] = fgpu_arg_scalar(&step->pitch, 4);
    } else {
        desc->kernel = step->kind == RANDOM_DERIVE ? g->kernels.derive : g->kernels.combine;
        args[1] = random_arg(g, step->s, step->d.words);
    }
}

/* Element by element, or row by row; what is only read with a halo, or whole. */
static void random_cuts(struct random_graph *g, fgpu_task_desc *desc, fgpu_cut cuts[3])
{
    if (g->kernels.divisible == 0 || random_below(g, 100) >= g->kernels.divisible)
        return;
    uint64_t bytes = desc->dims > 1 ? desc->args[0].region.pitch_bytes : 4;
    cuts[0] = fgpu_cut_items(bytes, 0, 0);
    cuts[1] = cuts[2] = fgpu_cut_whole();
    if (desc->args[1].kind == FGPU_ARG_BUFFER && random_below(g, 3) > 0)
        cuts[1] = fgpu_cut_items(bytes, random_below(g, 4), random_below(g, 4));
    bool tiny = random_below(g, 8) > 0;
    for (uint32_t d = 0; d < desc->dims && tiny; d++)
        desc->local[d] = 1;
    desc->cuts = cuts;
}

static fgpu_status random_step_run(struct random_graph *g, struct random_step step)
{
    fgpu_task_desc desc;
    fgpu_arg args[3];
    if (g->failing > 0 && random_below(g, 100) < g->failing)
        step.c = RANDOM_GRAPH_FAILS;
    random_step_desc(g, &step, args, &desc);
    fgpu_cut cuts[3];
    random_cuts(g, &desc, cuts);
    desc.priority = (int32_t)random_below(g, 5) - 2;
    if (g->last.bits != 0 && random_below(g, 6) == 0) {
        desc.after = &g->last;
        desc.after_count = 1;
    }
    fgpu_task task;
    bool failed = random_step_fails(g, &step, desc.after_count > 0 && g->last_failed);
    if (!failed)
        random_step_model(g, &step);
    fgpu_status status = fgpu_task_submit(g->pool, &desc, &task);
    if (status == FGPU_OK && random_below(g, 3) == 0) {
        g->last = task;
        g->last_failed = failed;
    }
    return status;
}

/* ---- recorded graphs */

/* One kernel of the graph; sometimes it is named to come after an earlier one, or there is an empty
 * task between them. */
static fgpu_status random_record_step(struct random_graph *g, struct random_recorded *recorded,
                                      fgpu_graph graph)
{
    struct random_step *step = &recorded->steps[recorded->count++];
    fgpu_task_desc desc;
    fgpu_arg args[3];
    uint32_t choice = random_below(g, 4), node, before = recorded->nodes;
    *step = choice == 0   ? random_step_tile(g)
            : choice == 1 ? random_step_update(g)
                          : random_step_combine(g, choice == 2);
    step->after = step->empty_after = RANDOM_GRAPH_NONE;
    if (g->failing > 0 && random_below(g, 100) < g->failing)
        step->c = RANDOM_GRAPH_FAILS;
    random_step_desc(g, step, args, &desc);
    fgpu_cut cuts[3];
    random_cuts(g, &desc, cuts);
    fgpu_status status = FGPU_OK;
    if (before > 0 && random_below(g, 8) == 0) {
        fgpu_task_desc empty;
        fgpu_task_desc_init(&empty);
        empty.kind = FGPU_TASK_EMPTY;
        status = fgpu_graph_add(graph, &empty, &node);
        step->empty_after = random_below(g, before);
        if (status == FGPU_OK)
            status = fgpu_graph_depend(graph, node, step->empty_after);
        before++;
    }
    if (before > 0 && random_below(g, 5) == 0)
        step->after = random_below(g, before);
    if (status == FGPU_OK)
        status = fgpu_graph_add(graph, &desc, &step->node);
    if (status == FGPU_OK && step->after != RANDOM_GRAPH_NONE)
        status = fgpu_graph_depend(graph, step->node, step->after);
    recorded->nodes = step->node + 1;
    return status;
}

static fgpu_status random_record(struct random_graph *g, struct random_recorded *recorded)
{
    fgpu_graph graph;
    uint32_t count = 2 + random_below(g, RANDOM_GRAPH_STEPS - 1);
    *recorded = (struct random_recorded){0};
    fgpu_status status = fgpu_graph_create(g->pool, &graph);
    while (status == FGPU_OK && recorded->count < count)
        status = random_record_step(g, recorded, graph);
    if (status == FGPU_OK)
        status = fgpu_graph_instantiate(graph, &recorded->exec);
    (void)fgpu_graph_destroy(graph);
    return status;
}

/* What a launch leaves; returns whether a node failed. */
static bool random_launch_model(struct random_graph *g, const struct random_recorded *recorded)
{
    bool failed[2 * RANDOM_GRAPH_STEPS] = {false}, any = false;
    for (uint32_t n = 0; n < recorded->count; n++) {
        const struct random_step *step = &recorded->steps[n];
        if (step->empty_after != RANDOM_GRAPH_NONE) {
            failed[step->node - 1] = failed[step->empty_after];
            g->tasks_failed += failed[step->node - 1];
            g->tasks_done += !failed[step->node - 1];
        }
        failed[step->node] =
            random_step_fails(g, step, step->after != RANDOM_GRAPH_NONE && failed[step->after]);
        any |= failed[step->node];
        if (!failed[step->node])
            random_step_model(g, step);
    }
    return any;
}

/* Launches one of the graphs, a few times. One whose buffers have been replaced is made anew. */
static fgpu_status random_launch(struct random_graph *g)
{
    struct random_recorded *recorded = &g->recorded[random_below(g, RANDOM_GRAPH_RECORDED)];
    uint32_t launches = 1 + random_below(g, 4);
    fgpu_status status = FGPU_OK;
    for (uint32_t i = 0; i < launches && status == FGPU_OK; i++) {
        bool named = random_below(g, 3) == 0;
        if (recorded->exec.bits == 0)
            status = random_record(g, recorded);
        if (status == FGPU_OK)
            status = fgpu_graph_launch(recorded->exec, named ? &g->last : NULL);
        if (status == FGPU_E_STALE) {
            status = fgpu_graph_exec_destroy(recorded->exec);
            recorded->exec.bits = 0;
            continue;
        }
        bool failed = status == FGPU_OK && random_launch_model(g, recorded);
        if (status != FGPU_OK || !named)
            continue;
        g->last_failed = failed;
        g->tasks_failed += failed;
        g->tasks_done += !failed;
    }
    return status;
}

static fgpu_status random_fill(struct random_graph *g)
{
    struct random_span s = random_span(g);
    uint32_t value = random_below(g, 1u << 30);
    fgpu_region region = fgpu_region_span(4u * s.at, 4u * s.words);
    for (uint32_t i = 0; i < s.words; i++)
        g->model[s.buffer][s.at + i] = value;
    return fgpu_buffer_fill_async(g->buffers[s.buffer], &region, &value, 4, NULL);
}

static fgpu_status random_copy(struct random_graph *g)
{
    struct random_span d, s;
    random_pair(g, &d, &s);
    fgpu_region to = fgpu_region_span(4u * d.at, 4u * d.words);
    fgpu_region from = fgpu_region_span(4u * s.at, 4u * s.words);
    memcpy(&g->model[d.buffer][d.at], &g->model[s.buffer][s.at], 4u * d.words);
    return fgpu_buffer_copy_async(g->buffers[d.buffer], &to, g->buffers[s.buffer], &from, &g->last);
}

static fgpu_status random_write(struct random_graph *g, bool wait)
{
    struct random_span s = random_span(g);
    fgpu_region region = fgpu_region_span(4u * s.at, 4u * s.words);
    if (!wait && g->scratch_count == 64)
        wait = true;
    uint32_t local[RANDOM_GRAPH_WORDS];
    uint32_t *src = wait ? local : g->scratch[g->scratch_count];
    for (uint32_t i = 0; i < s.words; i++)
        src[i] = g->model[s.buffer][s.at + i] = random_below(g, 1u << 30);
    if (wait)
        return fgpu_buffer_write(g->buffers[s.buffer], &region, src, 0);
    g->scratch_words[g->scratch_count++] = 0;
    return fgpu_buffer_write_async(g->buffers[s.buffer], &region, src, 0, NULL);
}

static fgpu_status random_read(struct random_graph *g, bool wait)
{
    struct random_span s = random_span(g);
    fgpu_region region = fgpu_region_span(4u * s.at, 4u * s.words);
    const uint32_t *want = &g->model[s.buffer][s.at];
    if (!wait && g->scratch_count < 64) {
        uint32_t slot = g->scratch_count++;
        g->scratch_words[slot] = s.words;
        memcpy(g->expected[slot], want, 4u * s.words);
        return fgpu_buffer_read_async(g->buffers[s.buffer], &region, g->scratch[slot], 0,
                                      &g->scratch_tasks[slot]);
    }
    uint32_t got[RANDOM_GRAPH_WORDS];
    fgpu_status status = fgpu_buffer_read(g->buffers[s.buffer], &region, got, 0);
    if (status == FGPU_OK && memcmp(got, want, 4u * s.words) != 0) {
        snprintf(g->why, sizeof g->why, "a blocking read of buffer %u, words %u to %u, is wrong",
                 s.buffer, s.at, s.at + s.words);
        return FGPU_E_TASK;
    }
    return status;
}

static fgpu_status random_map(struct random_graph *g)
{
    struct random_span s = random_span(g);
    uint32_t *p;
    fgpu_status status = fgpu_buffer_map(g->buffers[s.buffer], 4u * s.at, 4u * s.words,
                                         FGPU_READ_WRITE, (void **)&p);
    if (status != FGPU_OK)
        return status;
    for (uint32_t i = 0; i < s.words; i++) {
        if (p[i] != g->model[s.buffer][s.at + i])
            snprintf(g->why, sizeof g->why, "a mapping of buffer %u shows a wrong word %u",
                     s.buffer, s.at + i);
        p[i] = g->model[s.buffer][s.at + i] = p[i] * 9u + 1u;
    }
    status = fgpu_buffer_unmap(g->buffers[s.buffer], p);
    return g->why[0] != '\0' ? FGPU_E_TASK : status;
}

static int host_sum(void *const *args, void *user)
{
    uint32_t *d = args[0], words = random_graph_value(args, 2);
    const uint32_t *s = args[1];
    (void)user;
    for (uint32_t i = 0; i < words; i++)
        d[i] += s[words - 1 - i];
    return 0;
}

static fgpu_status random_host(struct random_graph *g)
{
    struct random_span d, s;
    random_pair(g, &d, &s);
    fgpu_arg args[3] = {random_arg(g, d, d.words), random_arg(g, s, s.words),
                        fgpu_arg_scalar(&d.words, 4)};
    args[0].access = FGPU_READ_WRITE;
    args[1].access = FGPU_READ;
    for (uint32_t i = 0; i < d.words; i++)
        g->model[d.buffer][d.at + i] += g->model[s.buffer][s.at + d.words - 1 - i];
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = host_sum;
    desc.args = args;
    desc.arg_count = 3;
    return fgpu_task_submit(g->pool, &desc, NULL);
}

static fgpu_status random_make_buffer(struct random_graph *g, uint32_t i)
{
    if (random_below(g, 3) > 0) {
        fgpu_status status = fgpu_buffer_create(g->pool, 4u * RANDOM_GRAPH_WORDS, &g->buffers[i]);
        uint32_t zero = 0;
        memset(g->model[i], 0, sizeof g->model[i]);
        return status == FGPU_OK ? fgpu_buffer_fill_async(g->buffers[i], NULL, &zero, 4, NULL)
                                 : status;
    }
    uint32_t *memory = fgpu_host_alloc(4u * RANDOM_GRAPH_WORDS);
    if (memory == NULL)
        return FGPU_E_NOMEM;
    for (uint32_t w = 0; w < RANDOM_GRAPH_WORDS; w++)
        memory[w] = g->model[i][w] = random_below(g, 1u << 30);
    g->adopted[i] = memory;
    return fgpu_buffer_create_from(g->pool, memory, 4u * RANDOM_GRAPH_WORDS, &g->buffers[i]);
}

/* Compares adopted memory after the buffer has gone home. */
static fgpu_status random_end_buffer(struct random_graph *g, uint32_t i)
{
    fgpu_status status = fgpu_buffer_destroy(g->buffers[i]);
    g->buffers[i].bits = 0;
    if (status != FGPU_OK || g->adopted[i] == NULL)
        return status;
    status = fgpu_pool_wait(g->pool, FGPU_FOREVER);
    if (status == FGPU_OK && !g->faulty &&
        memcmp(g->adopted[i], g->model[i], sizeof g->model[i]) != 0) {
        snprintf(g->why, sizeof g->why, "the caller's memory of buffer %u is wrong after its end",
                 i);
        status = FGPU_E_TASK;
    }
    fgpu_host_free(g->adopted[i]);
    g->adopted[i] = NULL;
    return status;
}

static fgpu_status random_replace(struct random_graph *g)
{
    uint32_t i = random_below(g, RANDOM_GRAPH_BUFFERS);
    fgpu_status status = random_end_buffer(g, i);
    if (status != FGPU_OK && !g->faulty)
        return status;
    fgpu_status made = random_make_buffer(g, i);
    return status == FGPU_OK ? made : status;
}

static fgpu_status random_overwrite(struct random_graph *g)
{
    switch (random_below(g, 5)) {
    case 0:
        return random_fill(g);
    case 1:
        return random_copy(g);
    default:
        return random_step_run(g, random_step_combine(g, true));
    }
}

static fgpu_status random_op(struct random_graph *g)
{
    if (g->overwrites > 0 && random_below(g, 100) < g->overwrites)
        return random_overwrite(g);
    if (g->launches > 0 && random_below(g, 100) < g->launches)
        return random_launch(g);
    switch (random_below(g, 24)) {
    case 0:
        return random_map(g);
    case 1:
        return random_replace(g);
    case 2:
        return random_read(g, true);
    case 3:
        return random_write(g, true);
    case 4:
        return random_read(g, false);
    case 5:
        return random_write(g, false);
    case 6:
        return random_fill(g);
    case 7:
    case 8:
        return random_copy(g);
    case 9:
    case 10:
        return random_host(g);
    case 11:
    case 12:
    case 13:
        return random_step_run(g, random_step_tile(g));
    case 14:
    case 15:
    case 16:
        return random_step_run(g, random_step_combine(g, true));
    case 17:
    case 18:
    case 19:
        return random_step_run(g, random_step_combine(g, false));
    default:
        return random_step_run(g, random_step_update(g));
    }
}

/* ---- a run ------------------------------------------------------------------------------ */

/* A read that failed has brought nothing to compare. */
static fgpu_status random_compare_reads(struct random_graph *g)
{
    for (uint32_t i = 0; i < g->scratch_count; i++) {
        if (g->scratch_words[i] == 0 || fgpu_task_wait(g->scratch_tasks[i], 0) != FGPU_OK ||
            memcmp(g->scratch[i], g->expected[i], 4u * g->scratch_words[i]) == 0)
            continue;
        snprintf(g->why, sizeof g->why, "asynchronous read %u is wrong", i);
        return FGPU_E_TASK;
    }
    return FGPU_OK;
}

static fgpu_status random_wrong_word(struct random_graph *g, uint32_t buffer, uint32_t word,
                                     uint32_t got)
{
    snprintf(g->why, sizeof g->why, "buffer %u word %u is %u, one after another gives %u", buffer,
             word, got, g->model[buffer][word]);
    return FGPU_E_TASK;
}

static fgpu_status random_compare(struct random_graph *g)
{
    for (uint32_t i = 0; i < RANDOM_GRAPH_BUFFERS; i++) {
        uint32_t got[RANDOM_GRAPH_WORDS];
        fgpu_status status = fgpu_buffer_read(g->buffers[i], NULL, got, 0);
        if (status != FGPU_OK)
            return status;
        for (uint32_t w = 0; w < RANDOM_GRAPH_WORDS; w++)
            if (got[w] != g->model[i][w])
                return random_wrong_word(g, i, w, got[w]);
        g->compared += RANDOM_GRAPH_WORDS;
    }
    return random_compare_reads(g);
}

/* Word by word: poisoned ones fail, the others must be right. */
static fgpu_status random_compare_readable(struct random_graph *g)
{
    for (uint32_t i = 0; i < RANDOM_GRAPH_BUFFERS; i++) {
        for (uint32_t w = 0; g->buffers[i].bits != 0 && w < RANDOM_GRAPH_WORDS; w++) {
            fgpu_region region = fgpu_region_span(4u * w, 4);
            uint32_t got;
            if (fgpu_buffer_read(g->buffers[i], &region, &got, 0) != FGPU_OK) {
                g->failures++;
                continue;
            }
            if (got != g->model[i][w])
                return random_wrong_word(g, i, w, got);
            g->compared++;
        }
    }
    return random_compare_reads(g);
}

static bool random_is_fault(fgpu_status status)
{
    return status == FGPU_E_POISONED || status == FGPU_E_DEVICE || status == FGPU_E_DEVICE_LOST ||
           status == FGPU_E_DEVMEM || status == FGPU_E_BUILD || status == FGPU_E_NODEVICE ||
           status == FGPU_E_CANCELLED;
}

static void random_begin(struct random_graph *g, fgpu_pool pool,
                         const struct random_graph_kernels *kernels, uint64_t seed)
{
    memset(g, 0, sizeof *g);
    g->pool = pool;
    g->kernels = *kernels;
    rng_init(&g->rng, seed);
}

static bool random_end(struct random_graph *g, fgpu_status status)
{
    for (uint32_t i = 0; i < RANDOM_GRAPH_RECORDED; i++)
        (void)fgpu_graph_exec_destroy(g->recorded[i].exec);
    for (uint32_t i = 0; i < RANDOM_GRAPH_BUFFERS; i++) {
        if (g->buffers[i].bits == 0)
            continue;
        fgpu_status ended = random_end_buffer(g, i);
        if (status == FGPU_OK && !(g->faulty && random_is_fault(ended)))
            status = ended;
    }
    if (status != FGPU_OK && g->why[0] == '\0')
        snprintf(g->why, sizeof g->why, "%s: %s", fgpu_status_name(status), fgpu_last_error());
    return status == FGPU_OK;
}

static bool random_run(struct random_graph *g, uint32_t op_count)
{
    fgpu_pool pool = g->pool;
    fgpu_status status = FGPU_OK;
    for (uint32_t i = 0; i < RANDOM_GRAPH_BUFFERS && status == FGPU_OK; i++)
        status = random_make_buffer(g, i);
    for (uint32_t i = 0; i < op_count && status == FGPU_OK; i++)
        status = random_op(g);
    if (status == FGPU_OK)
        status = fgpu_pool_wait(pool, FGPU_FOREVER);
    if (status == FGPU_OK)
        status = random_compare(g);
    return random_end(g, status);
}

bool random_graph_run(struct random_graph *g, fgpu_pool pool,
                      const struct random_graph_kernels *kernels, uint64_t seed, uint32_t op_count,
                      uint32_t align_words)
{
    random_begin(g, pool, kernels, seed);
    g->align_words = align_words;
    return random_run(g, op_count);
}

static bool random_run_faulty(struct random_graph *g, uint32_t op_count)
{
    fgpu_pool pool = g->pool;
    g->faulty = true;
    fgpu_status status = FGPU_OK;
    for (uint32_t i = 0; i < RANDOM_GRAPH_BUFFERS && status == FGPU_OK; i++)
        status = random_make_buffer(g, i);
    for (uint32_t i = 0; i < op_count && status == FGPU_OK; i++) {
        status = random_op(g);
        if (random_is_fault(status) && g->why[0] == '\0') {
            g->failures++;
            status = FGPU_OK;
        }
    }
    fgpu_status waited = fgpu_pool_wait(pool, FGPU_FOREVER);
    if (status == FGPU_OK && !random_is_fault(waited))
        status = waited;
    if (status == FGPU_OK)
        status = random_compare_readable(g);
    return random_end(g, status);
}

bool random_graph_run_faulty(struct random_graph *g, fgpu_pool pool,
                             const struct random_graph_kernels *kernels, uint64_t seed,
                             uint32_t op_count, uint32_t overwrites)
{
    random_begin(g, pool, kernels, seed);
    g->align_words = 1;
    g->overwrites = overwrites;
    return random_run_faulty(g, op_count);
}

bool random_graph_run_recorded(struct random_graph *g, fgpu_pool pool,
                               const struct random_graph_kernels *kernels, uint64_t seed,
                               uint32_t op_count, bool faulty)
{
    random_begin(g, pool, kernels, seed);
    g->align_words = 1;
    g->launches = 40;
    return faulty ? random_run_faulty(g, op_count) : random_run(g, op_count);
}

/* ---- kernels that fail by themselves */

static fgpu_status random_failing_op(struct random_graph *g)
{
    switch (random_below(g, 16)) {
    case 0:
        (void)fgpu_pool_wait(g->pool, FGPU_FOREVER); /* tells of a failure */
        return FGPU_OK;
    case 1:
        return random_step_run(g, random_step_tile(g));
    case 2:
        return random_step_run(g, random_step_update(g));
    case 3:
    case 4:
        return random_step_run(g, random_step_combine(g, false));
    case 5:
    case 6:
    case 7:
    case 8:
        return random_step_run(g, random_step_combine(g, true));
    default:
        return random_launch(g);
    }
}

static fgpu_status random_compare_spoilt(struct random_graph *g)
{
    for (uint32_t i = 0; i < RANDOM_GRAPH_BUFFERS; i++) {
        for (uint32_t w = 0; w < RANDOM_GRAPH_WORDS; w++) {
            fgpu_region region = fgpu_region_span(4u * w, 4);
            uint32_t got;
            bool reads = fgpu_buffer_read(g->buffers[i], &region, &got, 0) == FGPU_OK;
            if (reads == g->spoilt[i][w]) {
                snprintf(g->why, sizeof g->why, "buffer %u word %u can %sbe read: %s", i, w,
                         reads ? "" : "not ", reads ? "" : fgpu_last_error());
                return FGPU_E_TASK;
            }
            if (reads && got != g->model[i][w])
                return random_wrong_word(g, i, w, got);
            g->compared += reads;
            g->failures += !reads;
        }
    }
    return FGPU_OK;
}

static fgpu_status random_compare_counts(struct random_graph *g, const fgpu_pool_stats *before,
                                         const fgpu_pool_stats *now)
{
    uint64_t failed = now->tasks_failed - before->tasks_failed;
    uint64_t done = now->tasks_done - before->tasks_done;
    if (failed == g->tasks_failed && done == g->tasks_done)
        return FGPU_OK;
    snprintf(g->why, sizeof g->why, "%llu tasks failed and %llu are done, not %llu and %llu",
             (unsigned long long)failed, (unsigned long long)done,
             (unsigned long long)g->tasks_failed, (unsigned long long)g->tasks_done);
    return FGPU_E_TASK;
}

bool random_graph_run_failing(struct random_graph *g, fgpu_pool pool,
                              const struct random_graph_kernels *kernels, uint64_t seed,
                              uint32_t op_count)
{
    fgpu_pool_stats before = {.struct_bytes = sizeof before};
    random_begin(g, pool, kernels, seed);
    g->align_words = 1;
    g->faulty = true;
    g->failing = 1 + random_below(g, 6);
    fgpu_status status = FGPU_OK;
    for (uint32_t i = 0; i < RANDOM_GRAPH_BUFFERS && status == FGPU_OK; i++)
        status = random_make_buffer(g, i);
    if (status == FGPU_OK)
        status = fgpu_pool_wait(pool, FGPU_FOREVER);
    if (status == FGPU_OK)
        status = fgpu_pool_get_stats(pool, &before);
    for (uint32_t i = 0; i < op_count && status == FGPU_OK; i++)
        status = random_failing_op(g);
    (void)fgpu_pool_wait(pool, FGPU_FOREVER);
    fgpu_pool_stats now = {.struct_bytes = sizeof now};
    if (status == FGPU_OK)
        status = fgpu_pool_get_stats(pool, &now);
    if (status == FGPU_OK)
        status = random_compare_spoilt(g);
    if (status == FGPU_OK)
        status = random_compare_counts(g, &before, &now);
    return random_end(g, status);
}
