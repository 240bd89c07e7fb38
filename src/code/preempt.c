/* Text of sliced and guarded kernels; see preempt.h.
 *
 * First what the kernel calls is gathered, and which of it asks for its place in the grid: those
 * names get the range as first parameter where they are declared, and a macro that passes it on
 * where they are called, so that calls inside macros need no edit. A constant of the same name is
 * there for all other functions of the file, which nobody calls.
 */
#include "code/preempt.h"

#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/map.h"
#include "code/context.h"
#include "code/word.h"

/* Before the text. A group's place comes from the launch's one row of groups. It is found out once,
 * by all items alike, before anything else and without a branch: where it stands inside the
 * kernel's own branches PoCL 3.1 no longer vectorises the loops behind them (6 to 7 times slower).
 * fgpu_enter holds the only barrier: the first item claims the group, and all do what it says. */
static const char prelude_sliced[] =
    "typedef struct { uint4 group, groups; } fgpu_where;\n"
    "static fgpu_where fgpu_find(uint4 grid)\n"
    "{ fgpu_where at; uint g = (uint)get_group_id(0) + grid.x, row;\n"
    "  at.groups = (uint4)(grid.y, grid.z, grid.w, 1u);\n"
    "  row = g / grid.y;\n"
    "  at.group = (uint4)(g - row * grid.y, row % grid.z, row / grid.z, 0u);\n"
    "  return at; }\n"
    "static size_t fgpu_group(fgpu_where at, uint d)\n"
    "{ return d == 0u ? at.group.x : d == 1u ? at.group.y : d == 2u ? at.group.z : 0u; }\n"
    "static size_t fgpu_groups(fgpu_where at, uint d)\n"
    "{ return d == 0u ? at.groups.x : d == 1u ? at.groups.y : d == 2u ? at.groups.z : 1u; }\n"
    "static size_t fgpu_item(fgpu_where at, uint d)\n"
    "{ return fgpu_group(at, d) * get_local_size(d) + get_local_id(d); }\n"
    "static size_t fgpu_items(fgpu_where at, uint d)\n"
    "{ return fgpu_groups(at, d) * get_local_size(d); }\n"
    "static size_t fgpu_zero(uint d) { return 0; }\n"
    "__constant fgpu_where fgpu_at = {(uint4)(0u, 0u, 0u, 0u), (uint4)(1u, 1u, 1u, 1u)};\n";

static const char prelude_guarded[] =
    "static uint fgpu_enter(uint4 grid, volatile __global uint *flag, __global uchar *done,\n"
    "                       __local uint *go)\n"
    "{ if ((get_local_id(0) | get_local_id(1) | get_local_id(2)) == 0u) {\n"
    "    uint g = (uint)get_group_id(0) + grid.x, run = 0u;\n"
    "    if (grid.x != 0xffffffffu && flag[0] == 0u && done[g] == 0u) { done[g] = 1; run = 1u; }\n"
    "    go[0] = run; }\n"
    "  barrier(CLK_LOCAL_MEM_FENCE);\n"
    "  return go[0]; }\n";

static const char prelude_names[] = "#define get_group_id(D) fgpu_group(fgpu_at, D)\n"
                                    "#define get_num_groups(D) fgpu_groups(fgpu_at, D)\n"
                                    "#define get_global_id(D) fgpu_item(fgpu_at, D)\n"
                                    "#define get_global_size(D) fgpu_items(fgpu_at, D)\n"
                                    "#define get_global_offset(D) fgpu_zero(D)\n";

static const char *const place_names[] = {"get_group_id", "get_num_groups", "get_global_id",
                                          "get_global_size", "get_global_offset"};
enum { PLACE_NAMES = sizeof place_names / sizeof place_names[0] };

enum { NO_SLOT = UINT32_MAX };

/* A function is known by its slot: the index of the first head of its name. */
struct edge {
    uint32_t callee, caller; /* slots */
};

/* What the transform is to do, and what stands in its way. */
struct plan {
    const struct code_preempt_source *source;
    const struct code_kernel *kernel;
    enum code_preempt form;
    struct code_context context; /* memory; numbers of names here are not those of the unit */
    const struct code_head *heads;
    uint32_t head_count;
    uint32_t places[PLACE_NAMES]; /* their names in the unit, 0 where they do not occur */
    struct map slot_of;           /* by name */
    uint32_t *slots;              /* by head */
    uint32_t *next;               /* by head: the next one of the name, or NO_SLOT */
    bool *reached;                /* by slot: the kernel, and what it calls */
    bool *placed;                 /* by slot: it gets the range passed */
    struct vec work;              /* of uint32_t: slots to look at */
    struct vec edges;             /* of struct edge */
    struct vec edits;             /* of struct code_edit, in any order */
    struct vec prelude;           /* of char */
    const char *reason;           /* NULL: nothing does */
};

static void refuse(struct plan *plan, uint32_t line, const char *what, const char *detail)
{
    if (plan->reason == NULL)
        plan->reason = line != 0 ? code_context_sentence(&plan->context, "line %u: %s%.64s", line,
                                                         what, detail)
                                 : code_context_sentence(&plan->context, "%s%.64s", what, detail);
}

static bool goes_on(const struct plan *plan)
{
    return plan->reason == NULL && code_context_ok(&plan->context);
}

static const struct code_token *token_at(const struct plan *plan, uint32_t index)
{
    const struct code_token *token = code_unit_token(plan->source->unit, index);
    static const struct code_token end;
    return token != NULL ? token : &end;
}

static const char *head_text(const struct plan *plan, const struct code_head *head)
{
    return head->token != 0 ? code_unit_token_text(plan->source->unit, head->token) : "?";
}

/* ---- what is called ---- */

static uint32_t slot_find(const struct plan *plan, uint32_t name)
{
    uint64_t slot;
    return name != 0 && map_get(&plan->slot_of, name, &slot) ? (uint32_t)slot : NO_SLOT;
}

static void slots_make(struct plan *plan)
{
    size_t words = (plan->head_count + (size_t)1) * sizeof(uint32_t);
    uint32_t *last = code_context_alloc(&plan->context, words);
    plan->slots = code_context_alloc(&plan->context, words);
    plan->next = code_context_alloc(&plan->context, words);
    plan->reached = code_context_alloc(&plan->context, plan->head_count + (size_t)1);
    plan->placed = code_context_alloc(&plan->context, plan->head_count + (size_t)1);
    for (uint32_t h = 0; h < plan->head_count && code_context_ok(&plan->context); h++) {
        uint32_t slot = slot_find(plan, plan->heads[h].name);
        plan->next[h] = NO_SLOT;
        if (slot == NO_SLOT && map_put(&plan->slot_of, plan->heads[h].name, h) != FGPU_OK)
            (void)code_context_fail_memory(&plan->context);
        plan->slots[h] = slot == NO_SLOT ? h : slot;
        if (slot != NO_SLOT)
            plan->next[last[slot]] = h;
        last[plan->slots[h]] = h;
    }
}

/* Marks a slot and puts it down to be looked at, once. */
static void mark(struct plan *plan, bool *marks, uint32_t slot)
{
    if (marks[slot])
        return;
    marks[slot] = true;
    code_context_push(&plan->context, &plan->work, &slot);
}

static bool is_place(const struct plan *plan, uint32_t name)
{
    for (int i = 0; i < PLACE_NAMES; i++)
        if (plan->places[i] == name)
            return true;
    return false;
}

/* What the body names is what it calls, or may call. */
static void look_at_body(struct plan *plan, const struct code_head *head, uint32_t slot)
{
    for (uint32_t t = head->body + 1; t < head->body_end && goes_on(plan); t++) {
        const struct code_token *token = token_at(plan, t);
        if (token->kind != CODE_TOKEN_NAME || token->name == 0)
            continue;
        const struct edge edge = {slot_find(plan, token->name), slot};
        if (is_place(plan, token->name))
            plan->placed[slot] = true;
        if (edge.callee == NO_SLOT)
            continue;
        if (plan->heads[edge.callee].kernel)
            refuse(plan, token->line, "it calls another kernel, ",
                   head_text(plan, &plan->heads[edge.callee]));
        mark(plan, plan->reached, edge.callee);
        code_context_push(&plan->context, &plan->edges, &edge);
    }
}

static int compare_edges(const void *a, const void *b)
{
    const struct edge *x = a;
    const struct edge *y = b;
    return x->callee < y->callee ? -1 : x->callee > y->callee;
}

/* Callers of `slot` need their place as well. */
static void place_callers(struct plan *plan, uint32_t slot)
{
    const struct edge *edges = vec_at(&plan->edges, 0);
    size_t low = 0;
    size_t high = plan->edges.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (edges[middle].callee < slot)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < plan->edges.count && edges[low].callee == slot; low++)
        mark(plan, plan->placed, edges[low].caller);
}

static void gather(struct plan *plan)
{
    uint32_t entry = slot_find(plan, code_unit_name(plan->source->unit, plan->kernel->name));
    mark(plan, plan->reached, entry);
    while (plan->work.count > 0 && goes_on(plan)) {
        uint32_t slot = *(uint32_t *)vec_at(&plan->work, plan->work.count - 1);
        vec_pop(&plan->work);
        for (uint32_t h = slot; h != NO_SLOT; h = plan->next[h])
            if (plan->heads[h].body != 0)
                look_at_body(plan, &plan->heads[h], slot);
    }
    if (!goes_on(plan) || plan->edges.count == 0)
        return;
    qsort(vec_at(&plan->edges, 0), plan->edges.count, plan->edges.item_bytes, compare_edges);
    for (uint32_t slot = 0; slot < plan->head_count; slot++)
        if (plan->placed[slot])
            code_context_push(&plan->context, &plan->work, &slot);
    while (plan->work.count > 0 && goes_on(plan)) {
        uint32_t slot = *(uint32_t *)vec_at(&plan->work, plan->work.count - 1);
        vec_pop(&plan->work);
        place_callers(plan, slot);
    }
}

/* ---- what the text must not hold ---- */

static bool is_ours(const char *name)
{
    return strncmp(name, "fgpu_", 5) == 0;
}

static void check_directive(struct plan *plan, const struct code_token *name)
{
    const char *text = code_token_text(&plan->context, name);
    uint32_t slot = slot_find(plan, code_unit_name(plan->source->unit, text));
    bool taken = slot != NO_SLOT && plan->placed[slot];
    for (int i = 0; i < PLACE_NAMES; i++)
        taken |= strcmp(place_names[i], text) == 0;
    if (taken)
        refuse(plan, name->line, "the text has a macro of its own for ", text);
}

/* Reads the text once more, as it is: names that are ours, macros that would be. */
static void check_text(struct plan *plan)
{
    struct code_lexer lexer;
    struct code_token token;
    int directive = 0; /* 1 behind `#`, 2 behind define or undef */
    code_lexer_init(&lexer, &plan->context, plan->source->text, plan->source->length, 1);
    for (token = code_lexer_next(&lexer); token.kind != CODE_TOKEN_END && goes_on(plan);
         token = code_lexer_next(&lexer)) {
        if (token.kind == CODE_TOKEN_NAME && is_ours(code_token_text(&plan->context, &token)))
            refuse(plan, token.line, "a name begins with fgpu_, as ours do: ",
                   code_token_text(&plan->context, &token));
        if (directive == 2 && token.kind == CODE_TOKEN_NAME)
            check_directive(plan, &token);
        if (directive == 1 && (code_token_is_word(&token, CODE_WORD_define) ||
                               code_token_is_word(&token, CODE_WORD_undef)))
            directive = 2;
        else
            directive =
                (token.flags & CODE_TOKEN_FIRST) != 0 && code_token_is(&token, CODE_PUNCT_HASH);
    }
}

static void check_options(struct plan *plan)
{
    const char *options = plan->source->options != NULL ? plan->source->options : "";
    if (strstr(options, "fgpu_") != NULL)
        refuse(plan, 0, "a build option names what begins with fgpu_, as ours do", "");
    for (int i = 0; i < PLACE_NAMES; i++)
        if (strstr(options, place_names[i]) != NULL)
            refuse(plan, 0, "a build option names ", place_names[i]);
}

/* ---- edits ---- */

static void edit(struct plan *plan, uint32_t offset, uint32_t length, const char *text)
{
    const struct code_edit change = {offset, length, text};
    code_context_push(&plan->context, &plan->edits, &change);
}

static bool is_plain(const struct code_token *token)
{
    return token->line != 0 && (token->flags & CODE_TOKEN_MACRO) == 0;
}

static uint32_t end_of(const struct code_token *token)
{
    return token->offset + token->length;
}

/* Can the head be edited? It is `name (` in the text itself. */
static bool head_is_plain(struct plan *plan, const struct code_head *head)
{
    const struct code_token *name = token_at(plan, head->token);
    const struct code_token *open = token_at(plan, head->token + 1);
    if (head->token != 0 && is_plain(name) && is_plain(open) &&
        code_token_is(open, CODE_PUNCT_LPAREN))
        return true;
    refuse(plan, name->line,
           "this comes out of a macro, where no parameter can be added: ", head_text(plan, head));
    return false;
}

/* Puts parameters in for `void` or nothing. False: there are others. */
static bool edit_empty(struct plan *plan, const struct code_head *head, const char *text)
{
    const struct code_token *open = token_at(plan, head->token + 1);
    const struct code_token *first = token_at(plan, head->token + 2);
    if (head->parameter_count != 0)
        return false;
    if (code_token_is(first, CODE_PUNCT_RPAREN))
        edit(plan, end_of(open), 0, text);
    else if (is_plain(first))
        edit(plan, first->offset, first->length, text);
    else
        refuse(plan, open->line, "its parameters come out of a macro: ", head_text(plan, head));
    return true;
}

/* What a function is called that gets the range: its own name is the macro's. */
static const char *other_name(struct plan *plan, const struct code_head *head)
{
    const char *name = head_text(plan, head);
    size_t length = strlen(name);
    char *text = code_context_alloc(&plan->context, length + sizeof "fgpu_at_");
    if (text == NULL)
        return "";
    memcpy(text, "fgpu_at_", sizeof "fgpu_at_" - 1);
    memcpy(text + sizeof "fgpu_at_" - 1, name, length + 1);
    return text;
}

static void edit_function(struct plan *plan, const struct code_head *head)
{
    const struct code_token *name = token_at(plan, head->token);
    if (!head_is_plain(plan, head))
        return;
    edit(plan, name->offset, name->length, other_name(plan, head));
    if (!edit_empty(plan, head, "fgpu_where fgpu_at"))
        edit(plan, end_of(token_at(plan, head->token + 1)), 0, "fgpu_where fgpu_at, ");
}

/* The `)` of the parameters. */
static const struct code_token *closing(const struct plan *plan, const struct code_head *head)
{
    uint32_t depth = 0;
    for (uint32_t t = head->token + 1;; t++) {
        const struct code_token *token = token_at(plan, t);
        depth += code_token_is(token, CODE_PUNCT_LPAREN);
        if (code_token_is(token, CODE_PUNCT_RPAREN) && --depth == 0)
            return token;
        if (token->kind == CODE_TOKEN_END)
            return token;
    }
}

static void edit_kernel(struct plan *plan, const struct code_head *head)
{
    static const char *const more[] = {
        ", const uint4 fgpu_grid",
        ", const uint4 fgpu_grid, volatile __global uint *fgpu_flag, __global uchar *fgpu_done"};
    static const char *const enter[] = {
        " const fgpu_where fgpu_at = fgpu_find(fgpu_grid); if (fgpu_grid.x == 0xffffffffu) return;",
        " const fgpu_where fgpu_at = fgpu_find(fgpu_grid); __local uint fgpu_go; if "
        "(fgpu_enter(fgpu_grid, fgpu_flag, fgpu_done, &fgpu_go) == 0u)"
        " return;"};
    const struct code_token *body = token_at(plan, head->body);
    if (!head_is_plain(plan, head))
        return;
    if (!edit_empty(plan, head, more[plan->form] + 2)) {
        const struct code_token *close = closing(plan, head);
        if (!is_plain(close))
            refuse(plan, close->line, "its parameters end in a macro: ", plan->kernel->name);
        edit(plan, close->offset, 0, more[plan->form]);
    }
    if (head->body != 0 && !is_plain(body))
        refuse(plan, body->line, "its body begins in a macro: ", plan->kernel->name);
    else if (head->body != 0)
        edit(plan, end_of(body), 0, enter[plan->form]);
}

static void add(struct plan *plan, const char *text)
{
    for (; *text != '\0'; text++)
        code_context_push(&plan->context, &plan->prelude, text);
}

/* The macro that passes the range on; one for all functions of a name. */
static void add_call(struct plan *plan, uint32_t h)
{
    const struct code_head *head = &plan->heads[h];
    const char *name = head_text(plan, head);
    bool empty = head->parameter_count == 0;
    if (plan->slots[h] != h) {
        if ((plan->heads[plan->slots[h]].parameter_count == 0) != empty)
            refuse(plan, token_at(plan, head->token)->line,
                   "of this name there are functions with and without parameters: ", name);
        return;
    }
    add(plan, "#define ");
    add(plan, name);
    add(plan, empty ? "() " : "(...) ");
    add(plan, other_name(plan, head));
    add(plan, empty ? "(fgpu_at)\n" : "(fgpu_at, __VA_ARGS__)\n");
}

/* Where the text begins: a byte order mark stays first. */
static uint32_t text_begin(const struct plan *plan)
{
    static const char mark[] = "\xef\xbb\xbf";
    return plan->source->length >= 3 && memcmp(plan->source->text, mark, 3) == 0 ? 3 : 0;
}

static void write_edits(struct plan *plan)
{
    uint32_t entry = slot_find(plan, code_unit_name(plan->source->unit, plan->kernel->name));
    add(plan, prelude_sliced);
    if (plan->form == CODE_PREEMPT_GUARDED)
        add(plan, prelude_guarded);
    add(plan, prelude_names);
    for (uint32_t h = 0; h < plan->head_count && goes_on(plan); h++) {
        if (plan->slots[h] == entry) {
            edit_kernel(plan, &plan->heads[h]);
        } else if (plan->placed[plan->slots[h]]) {
            add_call(plan, h);
            edit_function(plan, &plan->heads[h]);
        }
    }
    add(plan, "#line 1\n");
    code_context_push(&plan->context, &plan->prelude, "");
    if (code_context_ok(&plan->context))
        edit(plan, text_begin(plan), 0, vec_at(&plan->prelude, 0));
}

static int compare_edits(const void *a, const void *b)
{
    const struct code_edit *x = a;
    const struct code_edit *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* ---- all of it ---- */

static void plan_run(struct plan *plan)
{
    const struct code_class *class = &plan->kernel->class;
    plan->heads = code_unit_heads(plan->source->unit, &plan->head_count);
    slots_make(plan);
    for (int i = 0; i < PLACE_NAMES; i++)
        plan->places[i] = code_unit_name(plan->source->unit, place_names[i]);
    if (class->slicing == CODE_SLICING_NEVER)
        refuse(plan, 0, class->reason, "");
    if (!goes_on(plan))
        return;
    gather(plan);
    check_options(plan);
    check_text(plan);
    if (goes_on(plan))
        write_edits(plan);
}

fgpu_status code_preempt_make(const struct code_preempt_source *source,
                              const struct code_kernel *kernel, enum code_preempt form,
                              struct code_text *result)
{
    struct plan plan = {.source = source, .kernel = kernel, .form = form};
    fgpu_status status = code_context_init(&plan.context, source->hooks);
    *result = (struct code_text){NULL, 0};
    vec_init(&plan.edits, sizeof(struct code_edit), source->hooks);
    vec_init(&plan.prelude, 1, source->hooks);
    vec_init(&plan.work, sizeof(uint32_t), source->hooks);
    vec_init(&plan.edges, sizeof(struct edge), source->hooks);
    map_init(&plan.slot_of, source->hooks);
    if (status == FGPU_OK)
        plan_run(&plan);
    status = plan.context.status;
    if (status == FGPU_OK && plan.reason != NULL) {
        status = error_set(FGPU_E_UNSUPPORTED, "kernel '%.64s' cannot be %s: %s", kernel->name,
                           form == CODE_PREEMPT_GUARDED ? "guarded" : "sliced", plan.reason);
    } else if (status == FGPU_OK) {
        /* No two edits share a place: names, parentheses and braces are tokens of their own, and
         * none of them is the first of a text. */
        qsort(vec_at(&plan.edits, 0), plan.edits.count, plan.edits.item_bytes, compare_edits);
        status = code_rewrite_apply(source->text, source->length, vec_at(&plan.edits, 0),
                                    plan.edits.count, source->hooks, result);
    }
    vec_fini(&plan.prelude);
    vec_fini(&plan.edits);
    vec_fini(&plan.edges);
    vec_fini(&plan.work);
    map_fini(&plan.slot_of);
    code_context_fini(&plan.context);
    return status;
}
