/* The ring of events and the table of names; see trace.h. */
#include "trace/trace.h"
#include "base/assert.h"

void trace_init(struct trace *trace, uint32_t events, const struct alloc_hooks *hooks)
{
    FGPU_ASSERT((events & (events - 1)) == 0);
    *trace = (struct trace){.capacity = events != 0 ? events : LIMITS_TRACE_EVENTS, .hooks = hooks};
    vec_init(&trace->names, sizeof(const char *), hooks);
    map_init(&trace->name_ids, hooks);
    arena_init(&trace->name_text, 0, hooks);
}

void trace_fini(struct trace *trace)
{
    if (trace == NULL)
        return;
    alloc_put(trace->hooks, trace->ring, trace->capacity * sizeof trace->ring[0]);
    trace->ring = NULL;
    trace->on = false;
    vec_fini(&trace->names);
    map_fini(&trace->name_ids);
    arena_fini(&trace->name_text);
}

fgpu_status trace_enable(struct trace *trace, bool on)
{
    if (on && trace->ring == NULL) {
        trace->ring = alloc_get(trace->hooks, trace->capacity * sizeof trace->ring[0],
                                _Alignof(struct trace_event));
        if (trace->ring == NULL)
            return FGPU_E_NOMEM;
    }
    trace->on = on;
    return FGPU_OK;
}

void trace_clear(struct trace *trace)
{
    trace->count = 0;
}

/* ---- names */

/* Length of the text as it is kept: at most TRACE_NAME_BYTES - 1, never ending inside a UTF-8
 * character. */
static size_t trace_name_length(const char *text)
{
    size_t length = strnlen(text, TRACE_NAME_BYTES);
    if (length < TRACE_NAME_BYTES)
        return length;
    length = TRACE_NAME_BYTES - 1;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    return length;
}

/* Adds a name under its key. 0 without memory or room. */
static uint32_t trace_new_name(struct trace *trace, const char *text, size_t length, uint64_t key)
{
    if (length == 0 || trace->names.count >= LIMITS_TRACE_NAMES)
        return 0;
    char *kept = arena_alloc(&trace->name_text, length + 1, 1);
    if (kept == NULL || vec_push(&trace->names, &kept) == NULL)
        return 0;
    memcpy(kept, text, length);
    kept[length] = '\0';
    if (map_put(&trace->name_ids, key, trace->names.count) != FGPU_OK) {
        vec_pop(&trace->names);
        return 0;
    }
    return (uint32_t)trace->names.count;
}

uint32_t trace_name(struct trace *trace, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return 0;
    size_t length = trace_name_length(text);
    uint64_t key = hash_bytes(text, length, 0), id = 0;
    /* Another text with the same hash: look on at the next key. */
    for (; map_get(&trace->name_ids, key, &id); key++) {
        const char *known = trace_name_text(trace, (uint32_t)id);
        if (strncmp(known, text, length) == 0 && known[length] == '\0')
            return (uint32_t)id;
    }
    return trace_new_name(trace, text, length, key);
}

const char *trace_name_text(const struct trace *trace, uint32_t id)
{
    if (id == 0 || id > trace->names.count)
        return "";
    return *(const char *const *)vec_at(&trace->names, (size_t)id - 1);
}

/* ---- reading */

uint32_t trace_length(const struct trace *trace)
{
    return trace->count < trace->capacity ? (uint32_t)trace->count : trace->capacity;
}

const struct trace_event *trace_at(const struct trace *trace, uint32_t index)
{
    FGPU_ASSERT(index < trace_length(trace));
    uint64_t number = trace->count - trace_length(trace) + index;
    return &trace->ring[number & (trace->capacity - 1)];
}

fgpu_status trace_copy(const struct trace *trace, const struct alloc_hooks *hooks,
                       struct trace *copy)
{
    trace_init(copy, trace->capacity, hooks);
    for (size_t i = 0; i < trace->names.count; i++) {
        const char *text = *(const char *const *)vec_at(&trace->names, i);
        if (trace_new_name(copy, text, strlen(text), i) == 0) {
            trace_fini(copy);
            return FGPU_E_NOMEM;
        }
    }
    map_fini(&copy->name_ids); /* the copy is for reading: its keys above mean nothing */
    map_init(&copy->name_ids, hooks);
    uint32_t length = trace_length(trace);
    if (length == 0)
        return FGPU_OK;
    if (trace_enable(copy, true) != FGPU_OK) {
        trace_fini(copy);
        return FGPU_E_NOMEM;
    }
    copy->on = false;
    copy->count = trace->count;
    /* Same capacity, same count: every event keeps its place. */
    memcpy(copy->ring, trace->ring, length * sizeof trace->ring[0]);
    return FGPU_OK;
}

/* ---- candidates: three times of 40 bits and a byte of flags in 128 bits */

static uint64_t trace_cut_ns(uint64_t ns)
{
    return ns < TRACE_CANDIDATE_NS ? ns : TRACE_CANDIDATE_NS;
}

void trace_candidate_put(struct trace_event *event, const struct trace_candidate *candidate)
{
    uint64_t copy_ns = trace_cut_ns(candidate->copy_ns);
    uint64_t flags = (uint64_t)candidate->known | (uint64_t)candidate->chosen << 1 |
                     (uint64_t)(candidate->how & 63u) << 2;
    event->a = trace_cut_ns(candidate->wait_ns) | (copy_ns & 0xffffff) << 40;
    event->b = trace_cut_ns(candidate->run_ns) | (copy_ns >> 24) << 40 | flags << 56;
}

struct trace_candidate trace_candidate_get(const struct trace_event *event)
{
    return (struct trace_candidate){.wait_ns = event->a & TRACE_CANDIDATE_NS,
                                    .copy_ns = event->a >> 40 | (event->b >> 40 & 0xffff) << 24,
                                    .run_ns = event->b & TRACE_CANDIDATE_NS,
                                    .known = event->b >> 56 & 1,
                                    .chosen = event->b >> 57 & 1,
                                    .how = (uint8_t)(event->b >> 58)};
}

/* ---- what the kinds are called */

const char *trace_kind_name(uint32_t kind)
{
    static const char *const names[] = {
#define TRACE_KIND_NAME(name, a, b) #name,
        TRACE_KINDS(TRACE_KIND_NAME)
#undef TRACE_KIND_NAME
    };
    return kind < TRACE_KIND_COUNT ? names[kind] : "?";
}

const char *trace_kind_value(uint32_t kind, uint32_t which)
{
    static const char *const values[][2] = {
#define TRACE_KIND_VALUES(name, a, b) {a, b},
        TRACE_KINDS(TRACE_KIND_VALUES)
#undef TRACE_KIND_VALUES
    };
    return kind < TRACE_KIND_COUNT && which < 2 ? values[kind][which] : "";
}
