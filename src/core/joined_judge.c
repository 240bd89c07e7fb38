/* Which nodes of a launch a failure reaches, and what data it leaves behind; see joined.h.
 *
 * The nodes are gone through in their order, as if each were submitted: one that failed, or uses
 * what is poisoned, poisons what it writes; one that runs heals it. What is poisoned is kept by
 * range, in an interval map for each buffer that has any. O(nodes) for each failure. Keeps true:
 * the same failures give the same fates, whichever of them are known later.
 */
#include "core/graph.h"
#include "core/joined.h"

/* The payload of the maps. */
struct judge_mark {
    struct joined_fate fate; /* FGPU_OK: not poisoned */
    uint32_t pad;
};

struct judge {
    struct engine *engine;
    struct joined_run *run;
    struct imap **maps; /* by use; NULL: nothing of it is poisoned */
    bool failed;        /* no memory */
};

/* ---- maps ------------------------------------------------------------------------------- */

static struct imap *judge_map(struct judge *judge, uint32_t use)
{
    const struct alloc_hooks *hooks = judge->engine->hooks;
    uint64_t size_bytes = judge->run->joined->uses[use].end;
    struct imap *map = judge->maps[use];
    if (map != NULL)
        return map;
    map = alloc_get_zeroed(hooks, sizeof *map, 16);
    if (map == NULL || imap_init(map, size_bytes, sizeof(struct judge_mark), NULL, NULL, hooks)) {
        alloc_put(hooks, map, sizeof *map);
        return NULL;
    }
    judge->maps[use] = map;
    return map;
}

static void judge_set(struct judge *judge, uint32_t use, uint64_t begin, uint64_t end,
                      struct joined_fate fate)
{
    const struct joined_use *limits = &judge->run->joined->uses[use];
    begin = begin < limits->begin ? limits->begin : begin;
    end = end > limits->end ? limits->end : end;
    if (begin >= end || (judge->maps[use] == NULL && fate.status == FGPU_OK))
        return;
    struct imap *map = judge_map(judge, use);
    if (map == NULL || imap_split(map, begin, end) != FGPU_OK) {
        judge->failed = true;
        return;
    }
    for (struct imap_seg *seg = imap_first(map, begin); seg != NULL && seg->begin < end;
         seg = imap_next(map, seg))
        ((struct judge_mark *)imap_payload(seg))->fate = fate;
}

/* The first mark in the range; FGPU_OK: there is none. */
static struct joined_fate judge_find(const struct judge *judge, uint32_t use, uint64_t begin,
                                     uint64_t end)
{
    struct imap *map = judge->maps[use];
    for (struct imap_seg *seg = map != NULL ? imap_first(map, begin) : NULL;
         seg != NULL && seg->begin < end; seg = imap_next(map, seg)) {
        const struct judge_mark *mark = imap_payload(seg);
        if (mark->fate.status != FGPU_OK)
            return mark->fate;
    }
    return (struct joined_fate){FGPU_OK, TASK_NONE, 0};
}

/* ---- nodes ------------------------------------------------------------------------------ */

static struct joined_fate judge_inherit(struct joined_fate from)
{
    if (from.status != FGPU_OK)
        from.status = (int32_t)graph_heritage((fgpu_status)from.status);
    return from;
}

static struct joined_fate judge_reads(const struct judge *judge, uint32_t node)
{
    const struct joined *joined = judge->run->joined;
    struct joined_fate fate = {FGPU_OK, TASK_NONE, 0};
    uint32_t end = joined->nodes[node + 1].first_access;
    for (uint32_t a = joined->nodes[node].first_access; a < end && fate.status == FGPU_OK; a++) {
        const struct joined_access *access = &joined->accesses[a];
        if (!(access->mode & FGPU_READ) || judge->maps[access->use] == NULL)
            continue;
        for (uint64_t row = 0; row < access->shape.rows && fate.status == FGPU_OK; row++) {
            uint64_t begin = access->begin + row * access->shape.pitch_bytes;
            fate = judge_find(judge, access->use, begin, begin + access->shape.row_bytes);
        }
    }
    end = joined->nodes[node + 1].first_after;
    for (uint32_t i = joined->nodes[node].first_after; i < end && fate.status == FGPU_OK; i++)
        fate = judge->run->fates[joined->after[i]];
    return judge_inherit(fate);
}

static void judge_writes(struct judge *judge, uint32_t node, struct joined_fate fate)
{
    const struct joined *joined = judge->run->joined;
    for (uint32_t a = joined->nodes[node].first_access; a < joined->nodes[node + 1].first_access;
         a++) {
        const struct joined_access *access = &joined->accesses[a];
        if (!(access->mode & FGPU_WRITE))
            continue;
        for (uint64_t row = 0; row < access->shape.rows; row++) {
            uint64_t begin = access->begin + row * access->shape.pitch_bytes;
            judge_set(judge, access->use, begin, begin + access->shape.row_bytes, fate);
        }
    }
}

static void judge_nodes(struct judge *judge)
{
    struct joined_run *run = judge->run;
    const struct joined *joined = run->joined;
    uint32_t command = 0;
    size_t next = 0; /* failures are in the order of nodes */
    for (uint32_t n = 0; n < joined->node_count; n++) {
        struct joined_fate fate = judge_reads(judge, n);
        const struct joined_failure *failure =
            next < run->failures.count ? vec_at(&run->failures, next) : NULL;
        bool runs = joined->nodes[n].kernel != JOINED_NONE;
        bool failed = failure != NULL && failure->node == n;
        next += failed;
        if (failed)
            fate = failure->fate;
        else if (fate.status == FGPU_OK && runs && command >= run->refuse.node)
            fate = run->refuse.fate;
        command += runs;
        run->fates[n] = fate;
        judge_writes(judge, n, fate);
    }
}

static void judge_begin(struct judge *judge)
{
    struct joined_run *run = judge->run;
    struct joined *joined = run->joined;
    for (size_t i = 0; i < run->poison.count; i++) {
        const struct joined_poison *poison = vec_at(&run->poison, i);
        const struct joined_use *use = joined_use_of(joined, poison->buffer);
        judge_set(judge, (uint32_t)(use - joined->uses), poison->begin, poison->end,
                  (struct joined_fate){poison->status, poison->root, poison->root_word});
    }
    run->judged = run->poison.count;
}

/* ---- what is left ----------------------------------------------------------------------- */

struct judge_spread {
    const struct task *task;
    struct joined_fate fate;
};

static void judge_poison_segment(struct engine *engine, struct imap_seg *seg, void *user)
{
    (void)engine;
    const struct judge_spread *spread = user;
    struct segment *segment = graph_segment(seg);
    if (segment->writer != spread->task->self ||
        segment->writer_generation != task_generation(spread->task))
        return;
    segment->poison = spread->fate.status;
    segment->root = spread->fate.root;
    segment->root_word = spread->fate.root_word;
}

static void judge_tell(struct engine *engine, struct task *to, uint32_t buffer,
                       const struct imap_seg *seg, struct joined_fate fate)
{
    if (to->kind != TASK_JOINED) {
        graph_doom(to, graph_heritage((fgpu_status)fate.status), fate.root, fate.root_word);
        return;
    }
    struct joined_poison poison = {.buffer = buffer,
                                   .status = fate.status,
                                   .root = fate.root,
                                   .root_word = fate.root_word,
                                   .begin = seg->begin,
                                   .end = seg->end};
    if (vec_push(&joined_run_of(to)->poison, &poison) == NULL)
        graph_doom(to, FGPU_E_NOMEM, to->self, task_word(to));
    (void)engine;
}

static void judge_tell_heirs(struct judge *judge, uint32_t use, const struct imap_seg *seg,
                             struct joined_fate fate)
{
    struct engine *engine = judge->engine;
    const struct joined_run *run = judge->run;
    uint32_t buffer = run->joined->uses[use].buffer;
    for (size_t i = 0; i < run->heirs.count; i++) {
        const struct joined_heir *heir = vec_at(&run->heirs, i);
        struct imap_seg part = {seg->begin > heir->begin ? seg->begin : heir->begin,
                                seg->end < heir->end ? seg->end : heir->end};
        if (heir->buffer == buffer && part.begin < part.end &&
            graph_is_live(engine, heir->task, heir->generation))
            judge_tell(engine, engine_task(engine, heir->task), buffer, &part, fate);
    }
}

/* The next launch of the same graph was linked to this one alone where it was not linked anew. */
static struct task *judge_next(const struct engine *engine, const struct task *task)
{
    const struct joined *joined = joined_run_of(task)->joined;
    for (uint32_t at = task->succ; at != LINKS_NONE; at = links_at(&engine->links, at)->next) {
        struct task *succ = engine_task(engine, links_at(&engine->links, at)->task);
        if (succ->kind == TASK_JOINED && joined_run_of(succ)->joined == joined &&
            joined_run_of(succ)->serial == joined_run_of(task)->serial + 1)
            return succ;
    }
    return NULL;
}

/* Which uses that launch was linked to anew: one byte for each. NULL without memory: then it is
 * told of all. */
static uint8_t *judge_anew(const struct engine *engine, const struct task *next)
{
    const struct joined_run *run = joined_run_of(next);
    uint8_t *anew = alloc_get_zeroed(engine->hooks, run->joined->use_count, 16);
    for (size_t i = 0; anew != NULL && i < run->fresh.count; i++)
        anew[*(const uint32_t *)vec_at(&run->fresh, i)] = 1;
    return anew;
}

static void judge_spread(struct judge *judge, struct task *task)
{
    struct engine *engine = judge->engine;
    struct joined *joined = judge->run->joined;
    struct task *next = judge_next(engine, task);
    uint8_t *anew = next != NULL ? judge_anew(engine, next) : NULL;
    if (next == NULL && joined->last == task->self)
        joined_let_go_all(engine, joined); /* its name must be in the segments */
    for (uint32_t u = 0; u < joined->use_count; u++) {
        const struct joined_use *use = &joined->uses[u];
        struct imap *map = judge->maps[u];
        for (struct imap_seg *seg = map != NULL ? imap_first(map, 0) : NULL; seg != NULL;
             seg = imap_next(map, seg)) {
            struct judge_spread spread = {task, ((struct judge_mark *)imap_payload(seg))->fate};
            if (spread.fate.status == FGPU_OK)
                continue;
            if (next != NULL && (anew == NULL || !anew[u]))
                judge_tell(engine, next, use->buffer, seg, spread.fate);
            judge_tell_heirs(judge, u, seg, spread.fate);
            if (!use->writes)
                continue;
            /* Without memory for the borders more is poisoned than need be. */
            (void)graph_split(engine, engine_buffer(engine, use->buffer), seg->begin, seg->end);
            joined_walk(engine, use->buffer, seg->begin, seg->end, judge_poison_segment, &spread);
        }
    }
    alloc_put(engine->hooks, anew, joined->use_count);
}

bool joined_judge(struct engine *engine, struct joined_run *run, struct task *task)
{
    struct joined *joined = run->joined;
    struct judge judge = {.engine = engine, .run = run};
    size_t map_bytes = (joined->use_count + 1) * sizeof *judge.maps;
    if (run->fates == NULL)
        run->fates = alloc_get_zeroed(engine->hooks, joined->node_count * sizeof *run->fates, 16);
    judge.maps = alloc_get_zeroed(engine->hooks, map_bytes, 16);
    judge.failed = run->fates == NULL || judge.maps == NULL;
    if (!judge.failed) {
        judge_begin(&judge);
        judge_nodes(&judge);
        run->careful = 1;
        if (task != NULL)
            judge_spread(&judge, task);
    }
    for (uint32_t u = 0; judge.maps != NULL && u < joined->use_count; u++) {
        if (judge.maps[u] != NULL)
            imap_fini(judge.maps[u], NULL);
        alloc_put(engine->hooks, judge.maps[u], sizeof **judge.maps);
    }
    alloc_put(engine->hooks, judge.maps, map_bytes);
    return !judge.failed;
}
