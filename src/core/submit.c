/* Step 1 of the walk, submit: an API call becomes a task record in the inbox.
 *
 * Takes a checked request, gives a record in state NEW. Runs on the submitting thread without the
 * engine's lock: it takes a slot from the lock-free table, lays out the payload (body, arguments,
 * accesses, shapes, scalars, rest) and pushes. Owns the pool of payload blocks for records that
 * outgrow their slot. Keeps true: what a record points to lies in its payload, so nothing of the
 * caller's is read after submit.
 */
#include "core/submit.h"

#include <string.h>

#include "base/handle.h"
#include "core/split.h"

#define SUBMIT_CLASS_MIN_SHIFT 8 /* 256 bytes */
#define SUBMIT_CLASSES 16
#define SUBMIT_LENT_MOST 4096u /* bodies that are made at once */
#define SUBMIT_LENT_BYTES                                                                          \
    ((sizeof(fgpu_cmd_launch) + TASK_BRIEF_ACCESSES * sizeof(fgpu_cmd_arg) + LIMITS_CACHE_LINE -   \
      1) /                                                                                         \
     LIMITS_CACHE_LINE * LIMITS_CACHE_LINE)

/* Where the parts of a payload lie. Offsets in bytes, each a multiple of 8. */
struct submit_layout {
    size_t args, accesses, rects, after, scalars, pointers, extra, total;
    uint32_t access_count, rect_count;
};

/* The record keeps where the parts lie in 16 bits, in units of 8 bytes: the largest task fits. */
#define SUBMIT_PAYLOAD_MAX                                                                         \
    (sizeof(fgpu_cmd_part) + sizeof(fgpu_cmd_copy) + sizeof(struct task_piece) +                   \
     LIMITS_KERNEL_ARGS * (sizeof(fgpu_cmd_arg) + sizeof(struct task_access) + sizeof(fgpu_cut) +  \
                           sizeof(struct task_rect) + sizeof(void *) + 7) +                        \
     LIMITS_DEPS * 2 * sizeof(uint32_t) + LIMITS_SCALAR_BYTES + sizeof(struct task_extra))
_Static_assert(SUBMIT_PAYLOAD_MAX <= UINT16_MAX * 8u, "offsets of a payload fit 16 bits");
_Static_assert(LIMITS_ACCESSES >= LIMITS_KERNEL_ARGS, "one range for each argument");

static size_t submit_align(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

static void submit_measure(const struct submit_request *request, struct submit_layout *layout)
{
    size_t scalar_bytes = 0;
    layout->access_count = layout->rect_count = 0;
    for (uint32_t i = 0; i < request->arg_count; i++) {
        const struct submit_arg *arg = &request->args[i];
        if (arg->kind == FGPU_ARG_BUFFER) {
            layout->access_count++;
            layout->rect_count += arg->shape.rows > 1;
        } else if (arg->kind == FGPU_ARG_SCALAR) {
            scalar_bytes += submit_align((size_t)arg->size_bytes);
        }
    }
    size_t at = task_body_bytes(request->kind);
    if (__builtin_expect(request->piece != NULL, 0))
        at = sizeof(fgpu_cmd_part) + sizeof(struct task_piece) +
             layout->access_count * sizeof(request->piece->base[0]);
    layout->args = at;
    at += request->arg_count * sizeof(fgpu_cmd_arg);
    layout->accesses = at;
    at += layout->access_count * sizeof(struct task_access);
    layout->rects = at;
    at += layout->rect_count * sizeof(struct task_rect);
    layout->after = at;
    at += request->after_count * 2 * sizeof(uint32_t);
    layout->scalars = at;
    at += scalar_bytes;
    layout->pointers = at;
    if (request->kind == TASK_HOST)
        at += request->arg_count * sizeof(void *);
    if (__builtin_expect(request->cuts != NULL, 0))
        at += request->arg_count * sizeof(fgpu_cut);
    layout->extra = at;
    if (request->on_done != NULL || request->name != NULL || request->terms != NULL)
        at += sizeof(struct task_extra);
    layout->total = at;
}

static uint32_t submit_class(size_t bytes)
{
    uint32_t class = 0;
    while (((size_t)1 << (SUBMIT_CLASS_MIN_SHIFT + class)) < bytes)
        class ++;
    return class;
}

static size_t submit_class_bytes(uint32_t class)
{
    return (size_t)1 << (SUBMIT_CLASS_MIN_SHIFT + class);
}

static char *submit_payload_take(struct engine *engine, size_t bytes)
{
    uint32_t class = submit_class(bytes);
    FGPU_ASSERT(class < SUBMIT_CLASSES);
    lock_acquire(&engine->payload_lock);
    void *block = engine->payload_free[class];
    if (block != NULL)
        memcpy(&engine->payload_free[class], block, sizeof(void *));
    else /* side by side: those of tasks that were submitted one after another are used so */
        block = arena_alloc(&engine->payloads, submit_class_bytes(class), LIMITS_CACHE_LINE);
    lock_release(&engine->payload_lock);
    return block;
}

static void submit_payload_give(struct engine *engine, char *payload, uint32_t class)
{
    lock_acquire(&engine->payload_lock);
    memcpy(payload, &engine->payload_free[class], sizeof(void *));
    engine->payload_free[class] = payload;
    lock_release(&engine->payload_lock);
}

void submit_fini(struct engine *engine)
{
    memset(engine->payload_free, 0, sizeof engine->payload_free);
    arena_fini(&engine->payloads);
    arena_fini(&engine->lent);
    engine->lent_free = NULL;
}

/* ---- brief records ---------------------------------------------------------------------- */

/* As many bodies at once as can be in flight: how many there are at a time depends on timing. */
void submit_init(struct engine *engine, uint64_t in_flight)
{
    lock_init(&engine->payload_lock);
    uint64_t count = in_flight < SUBMIT_LENT_MOST ? in_flight : SUBMIT_LENT_MOST;
    arena_init(&engine->payloads, 0, engine->hooks);
    arena_init(&engine->lent, (size_t)(count + 1) * SUBMIT_LENT_BYTES, engine->hooks);
    engine->lent_free = NULL;
}

/* What is the same in all of them stays when one is given back. */
static fgpu_cmd_launch *submit_lent_new(struct engine *engine)
{
    fgpu_cmd_launch *launch = arena_alloc(&engine->lent, SUBMIT_LENT_BYTES, LIMITS_CACHE_LINE);
    if (launch == NULL)
        return NULL;
    fgpu_cmd_arg *args = (fgpu_cmd_arg *)(void *)(launch + 1);
    *launch = (fgpu_cmd_launch){.args = args, .dims = 1, .global = {0, 1, 1}};
    for (uint32_t i = 0; i < TASK_BRIEF_ACCESSES; i++)
        args[i] = (fgpu_cmd_arg){.kind = FGPU_ARG_BUFFER};
    return launch;
}

bool submit_lend_body(struct engine *engine, struct task *task)
{
    fgpu_cmd_launch *launch = engine->lent_free;
    if (__builtin_expect(launch != NULL, 1))
        memcpy(&engine->lent_free, launch, sizeof(void *));
    else
        launch = submit_lent_new(engine);
    if (__builtin_expect(launch == NULL, 0))
        return false;
    fgpu_cmd_arg *args = (fgpu_cmd_arg *)(void *)(launch + 1);
    launch->arg_count = task->arg_count;
    launch->global[0] = task->size;
    for (uint32_t i = 0; i < task->access_count; i++)
        args[task->brief[i].arg].size_bytes = task->brief[i].end - task->brief[i].begin;
    task->payload = (char *)launch;
    return true;
}

void submit_take_back(struct engine *engine, struct task *task)
{
    memcpy(task->payload, &engine->lent_free, sizeof(void *));
    engine->lent_free = task->payload;
    task->payload = NULL;
}

/* Has it nothing but what a brief record can hold? */
static bool submit_is_brief(const struct submit_request *request)
{
    if (request->kind != TASK_KERNEL || request->arg_count > TASK_BRIEF_ACCESSES ||
        request->dims != 1 || request->local[0] != 0 || request->after_count != 0 ||
        request->on_done != NULL || request->name != NULL || request->cuts != NULL ||
        request->piece != NULL || request->terms != NULL)
        return false;
    for (uint32_t i = 0; i < request->arg_count; i++)
        if (request->args[i].kind != FGPU_ARG_BUFFER || request->args[i].shape.rows > 1)
            return false;
    return true;
}

/* Everything that is the same in all of them. */
static inline void submit_brief_head(struct task *task, uint32_t slot)
{
    task->self = slot;
    task->kind = TASK_KERNEL;
    task->flags = TASK_F_AUTO_LOCAL;
    task->lane = task->follow = TASK_LANE_NONE;
    task->unissued = task->undone = 0;
    task->succ = task->no_memory = LINKS_NONE;
    task->status = FGPU_OK;
    task->marks = TASK_M_BRIEF;
    task->block = 0;
    task->args_offset = sizeof(fgpu_cmd_launch) / 8;
    task->payload = NULL;
    task->root = TASK_NONE;
    task->root_word = 0;
    task->lineage = 0;
    task->why = NULL;
    task->rect_offset = task->extra_offset = task->after_offset = task->after_count = 0;
}

static inline uint32_t submit_brief_end(struct engine *engine, struct task *task)
{
    uint32_t word = atomic_load_relaxed_u32(&task->word);
    if (__builtin_expect(word == 0, 0)) /* never used before */
        word = engine->first_generation << TASK_STATE_BITS;
    atomic_store_release_u32(&task->word, (word & ~TASK_STATE_MASK) | FGPU_TASK_NEW);
    return word >> TASK_STATE_BITS;
}

static void submit_brief(struct engine *engine, const struct submit_request *request, uint32_t slot,
                         uint32_t *generation)
{
    struct task *task = engine_task(engine, slot);
    submit_brief_head(task, slot);
    task->kernel = request->kernel;
    task->flags |= request->flags;
    task->access_count = task->arg_count = request->arg_count;
    task->priority = request->priority;
    task->pin = request->pin;
    task->size = request->global[0];
    task->live[TASK_BRIEF_ACCESSES] = request->kernel_live;
    for (uint32_t i = 0; i < request->arg_count; i++) {
        const struct submit_arg *arg = &request->args[i];
        task->brief[i] = (struct task_access){.buffer = arg->buffer,
                                              .mode = arg->mode,
                                              .arg = (uint8_t)i,
                                              .begin = arg->offset_bytes,
                                              .end = arg->offset_bytes + arg->shape.row_bytes};
        task->live[i] = arg->live;
    }
    *generation = submit_brief_end(engine, task);
}

bool submit_quick(struct engine *engine, const struct submit_quick *quick, uint32_t *index,
                  uint32_t *generation)
{
    if (table_alloc(&engine->tasks, index) != FGPU_OK)
        return false;
    struct task *task = engine_task(engine, *index);
    submit_brief_head(task, *index);
    task->kernel = quick->kernel;
    task->access_count = task->arg_count = (uint8_t)quick->arg_count;
    task->priority = quick->priority;
    task->pin = TASK_DEVICE_ANY;
    task->size = quick->global;
    task->live[TASK_BRIEF_ACCESSES] = quick->kernel_live;
    for (uint32_t i = 0; i < quick->arg_count; i++) {
        const struct submit_quick_arg *arg = &quick->args[i];
        task->brief[i] = (struct task_access){
            .buffer = arg->buffer, .mode = arg->mode, .arg = (uint8_t)i, .end = arg->size_bytes};
        task->live[i] = arg->live;
    }
    *generation = submit_brief_end(engine, task);
    return true;
}

/* ---- other records ---------------------------------------------------------------------- */

static void submit_access(struct task *task, const struct submit_layout *layout,
                          const struct submit_arg *arg, uint32_t index, uint32_t *rects)
{
    struct task_access *access =
        (struct task_access *)(void *)(task->payload + layout->accesses) + task->access_count++;
    uint64_t span = arg->shape.pitch_bytes * (arg->shape.rows - 1) + arg->shape.row_bytes;
    *access = (struct task_access){.buffer = arg->buffer,
                                   .mode = arg->mode,
                                   .arg = (uint8_t)index,
                                   .begin = arg->offset_bytes,
                                   .end = arg->offset_bytes + span};
    if (arg->shape.rows > 1) {
        ((struct task_rect *)(void *)(task->payload + layout->rects))[*rects] = arg->shape;
        access->rect = (uint16_t)++ * rects;
    }
}

static void submit_args(struct task *task, const struct submit_request *request,
                        const struct submit_layout *layout)
{
    fgpu_cmd_arg *out = task_args(task);
    char *scalar = task->payload + layout->scalars;
    uint32_t rects = 0;
    for (uint32_t i = 0; i < request->arg_count; i++) {
        const struct submit_arg *arg = &request->args[i];
        out[i] = (fgpu_cmd_arg){.kind = arg->kind, .size_bytes = arg->size_bytes};
        if (arg->kind == FGPU_ARG_BUFFER) {
            submit_access(task, layout, arg, i, &rects);
            out[i].u.buffer.mem = arg->live; /* until launch_task resolves it */
            out[i].size_bytes = task_accesses(task)[task->access_count - 1].end - arg->offset_bytes;
        } else if (arg->kind == FGPU_ARG_SCALAR) {
            memcpy(scalar, arg->value, (size_t)arg->size_bytes);
            out[i].u.value = scalar;
            scalar += submit_align((size_t)arg->size_bytes);
        }
    }
}

static void submit_divisible(struct task *task, const struct submit_request *request,
                             const struct submit_layout *layout)
{
    if (request->cuts != NULL) {
        task->marks |= TASK_M_DIVISIBLE;
        memcpy(task_cuts(task), request->cuts, request->arg_count * sizeof(fgpu_cut));
        return;
    }
    task->marks |= TASK_M_PIECE;
    ((fgpu_cmd_launch *)task_body(task))->part = 1;
    memcpy(task_piece(task), request->piece,
           sizeof(struct task_piece) + layout->access_count * sizeof(request->piece->base[0]));
}

static void submit_body(struct task *task, const struct submit_request *request,
                        const struct submit_layout *layout)
{
    memset(task->payload, 0, task_body_bytes(request->kind));
    if (request->kind == TASK_KERNEL) {
        fgpu_cmd_launch *launch = task_body(task);
        launch->args = task_args(task);
        launch->code = request->kernel_live; /* until launch_task resolves it */
        launch->arg_count = request->arg_count;
        launch->dims = (uint16_t)request->dims;
        memcpy(launch->global, request->global, sizeof launch->global);
        memcpy(launch->local, request->local, sizeof launch->local);
        if (request->local[0] == 0)
            task->flags |= TASK_F_AUTO_LOCAL;
        if (__builtin_expect(request->cuts != NULL || request->piece != NULL, 0))
            submit_divisible(task, request, layout);
        task->size = request->global[0] * request->global[1] * request->global[2];
    } else if (request->kind == TASK_HOST) {
        fgpu_cmd_host *host = task_body(task);
        host->fn = request->host_fn;
        host->user = request->host_user;
        host->args = (void *const *)(void *)(task->payload + layout->pointers);
    } else if (request->kind == TASK_FILL) {
        fgpu_cmd_fill *fill = task_body(task);
        fill->pattern_bytes = request->pattern_bytes;
        memcpy(fill->pattern, request->pattern, request->pattern_bytes);
    }
    if (request->kind == TASK_JOINED)
        ((struct task_joined *)task_body(task))->run = request->joined;
    if (request->kind == TASK_FILL || request->kind == TASK_COPY)
        task->size = request->args[0].shape.row_bytes * request->args[0].shape.rows;
}

static void submit_extra(struct task *task, const struct submit_request *request,
                         const struct submit_layout *layout)
{
    if (layout->extra == layout->total)
        return;
    struct task_extra *extra = (struct task_extra *)(void *)(task->payload + layout->extra);
    memset(extra, 0, sizeof *extra);
    if (request->on_done != NULL) {
        extra->on_done = request->on_done;
        extra->on_done_user = request->on_done_user;
        task->flags |= TASK_F_CALLBACK;
    }
    if (request->name != NULL) {
        size_t length = strnlen(request->name, sizeof extra->name - 1);
        memcpy(extra->name, request->name, length);
        task->flags |= TASK_F_NAMED;
    }
    if (request->terms != NULL) {
        extra->terms = *request->terms;
        task->marks |= TASK_M_TERMS;
    }
}

fgpu_status submit_prepare(struct engine *engine, const struct submit_request *request,
                           uint32_t *index, uint32_t *generation)
{
    struct submit_layout layout;
    bool brief = submit_is_brief(request);
    if (!brief)
        submit_measure(request, &layout);
    uint32_t slot = request->slot;
    fgpu_status status = FGPU_OK;
    if (__builtin_expect(request->piece == NULL, 1))
        status = table_alloc(&engine->tasks, &slot);
    if (status != FGPU_OK)
        return status == FGPU_E_LIMIT ? FGPU_E_AGAIN : status;
    *index = slot;
    if (brief) {
        submit_brief(engine, request, slot, generation);
        return FGPU_OK;
    }
    struct task *task = table_at(&engine->tasks, slot);
    char *payload = task->inline_payload;
    if (layout.total > sizeof task->inline_payload) {
        payload = submit_payload_take(engine, layout.total);
        if (payload == NULL) {
            if (request->piece == NULL)
                table_free(&engine->tasks, slot);
            return FGPU_E_NOMEM;
        }
    }
    uint32_t word = atomic_load_relaxed_u32(&task->word);
    if (__builtin_expect(word == 0, 0)) /* never used before */
        word = engine->first_generation << TASK_STATE_BITS;
    memset(&task->self, 0, sizeof *task - offsetof(struct task, self));
    task->self = slot;
    task->kernel = request->kernel;
    task->kind = request->kind & 15u;
    task->flags = request->flags;
    task->arg_count = request->arg_count;
    task->priority = request->priority;
    task->pin = request->pin;
    task->lane = task->follow = TASK_LANE_NONE;
    task->succ = task->no_memory = LINKS_NONE;
    task->root = TASK_NONE;
    task->payload = payload;
    task->args_offset = (uint16_t)(layout.args / 8);
    task->rect_offset = (uint16_t)(layout.rects / 8);
    task->after_offset = (uint16_t)(layout.after / 8);
    task->after_count = (uint16_t)request->after_count;
    task->extra_offset = (uint16_t)(layout.extra / 8);
    if (payload != task->inline_payload) {
        task->flags |= TASK_F_PAYLOAD_OWNED;
        task->block = submit_class(layout.total) & 15u;
    }
    submit_body(task, request, &layout);
    submit_args(task, request, &layout);
    if (request->after_count > 0)
        memcpy(payload + layout.after, request->after, request->after_count * 2 * sizeof(uint32_t));
    submit_extra(task, request, &layout);
    atomic_store_release_u32(&task->word, (word & ~TASK_STATE_MASK) | FGPU_TASK_NEW);
    *generation = word >> TASK_STATE_BITS;
    return FGPU_OK;
}

uint32_t submit_push(struct engine *engine, uint32_t index)
{
    return inbox_push(&engine->inbox, index);
}

void submit_recycle(struct engine *engine, struct task *task)
{
    if (task->flags & TASK_F_PAYLOAD_OWNED) {
        submit_payload_give(engine, task->payload, task->block);
    } else if ((task->marks & TASK_M_BRIEF) && task->payload != NULL) {
        submit_take_back(engine, task);
    }
    if (task->why != NULL) {
        alloc_put(engine->hooks, task->why, LIMITS_ERROR_TEXT);
        task->why = NULL;
    }
    if (__builtin_expect(task->no_memory != LINKS_NONE, 0))
        links_clear(&engine->links, &task->no_memory);
    uint32_t next = (atomic_load_relaxed_u32(&task->word) >> TASK_STATE_BITS) + 1;
    atomic_store_release_u32(&task->word, next << TASK_STATE_BITS | FGPU_TASK_DONE);
    if (__builtin_expect(((next - engine->first_generation) & HANDLE_GENERATION_MASK) == 0, 0))
        atomic_store_relaxed_u32(&engine->wrapped, 1);
    if (__builtin_expect(task->marks & TASK_M_PIECE, 0) && split_keep_slot(engine, task->self))
        return;
    engine->freed[engine->freed_count++] = task->self;
    if (engine->freed_count == ENGINE_FREED)
        submit_give_back(engine);
}

void submit_give_back(struct engine *engine)
{
    table_free_n(&engine->tasks, engine->freed, engine->freed_count);
    engine->freed_count = 0;
}
