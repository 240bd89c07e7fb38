/* What a kernel uses, and from that: may it run in slices, and may a guard stop it between groups?
 *
 * Slicing runs ranges of work groups as launches of their own; the guard of the pool skips groups
 * that are done. Both are right only where groups do not wait for each other or tell each other
 * their order. Global atomics count as such altogether: where only their sum matters
 * (CODE_USE_GLOBAL_ATOMIC without ..._RESULT) slices on one device would do, but not on several.
 * Where a kernel asks for its group's number or the launch's size, a slice would answer wrongly:
 * its text has to be rewritten first.
 * Filled while function bodies are read (parser.h); callees' uses count for their callers. Pure.
 * Thread: one.
 */
#ifndef FASTGPU_CODE_CLASSIFY_H
#define FASTGPU_CODE_CLASSIFY_H

#include "code/context.h"

/* X(name, verdict, sentence): FREE has no say; the sentence completes "it ...". */
#define CODE_USE_LIST(X)                                                                           \
    X(BARRIER, FREE, "uses barriers")                                                              \
    X(LOCAL_MEMORY, FREE, "uses local memory")                                                     \
    X(LOCAL_ATOMIC, FREE, "uses atomics on local memory")                                          \
    X(ASYNC_COPY, FREE, "uses async_work_group_copy")                                              \
    X(FP64, FREE, "uses double")                                                                   \
    X(FP16, FREE, "computes with half")                                                            \
    X(PRINTF, FREE, "uses printf")                                                                 \
    X(GROUP_ID, REWRITE, "uses get_group_id, which would count from the slice's begin")            \
    X(NUM_GROUPS, REWRITE, "uses get_num_groups, which would count the slice's groups")            \
    X(GLOBAL_SIZE, REWRITE, "uses get_global_size, which would be the slice's")                    \
    X(GLOBAL_OFFSET, REWRITE, "uses get_global_offset, which would be the slice's")                \
    X(GLOBAL_ATOMIC, NEVER, "uses atomics on global memory, over which groups can communicate")    \
    X(GLOBAL_ATOMIC_RESULT, NEVER,                                                                 \
      "uses the result of an atomic on global memory, which depends "                              \
      "on the order of groups")                                                                    \
    X(VOLATILE_GLOBAL, NEVER,                                                                      \
      "accesses volatile global memory, over which groups can communicate")                        \
    X(SPIN, NEVER, "waits in a loop for global memory to change")                                  \
    X(FENCE, NEVER, "orders global memory with a fence, as groups that communicate do")            \
    X(IMAGE, NEVER, "uses images or samplers, which are not supported")                            \
    X(RECURSION, NEVER, "calls itself, directly or not")                                           \
    X(INDIRECT, NEVER, "calls through a pointer, or takes a function's address")                   \
    X(EXTERNAL, NEVER, "calls a function whose body is not in the text")                           \
    X(UNREAD, NEVER, "could not be read")                                                          \
    X(DOUBT, NEVER, "may be another kernel on another device")

enum code_use {
#define CODE_USE_ENUM(name, verdict, sentence) CODE_USE_##name,
    CODE_USE_LIST(CODE_USE_ENUM)
#undef CODE_USE_ENUM
        CODE_USE_COUNT
};

enum code_slicing {
    CODE_SLICING_FREE,    /* by global offset, as it is */
    CODE_SLICING_REWRITE, /* after its calls that speak of the launch were rewritten */
    CODE_SLICING_NEVER
};

struct code_class {
    uint32_t uses;                       /* bit 1 << enum code_use */
    uint32_t lines[CODE_USE_COUNT];      /* where first */
    const char *details[CODE_USE_COUNT]; /* a name or a sentence that says more; NULL for none */
    uint8_t size_dims; /* bit d: of dimension d, get_global_size or get_num_groups is asked for */
    enum code_slicing slicing;
    const char *reason;   /* "line 7: it uses ..."; NULL when FREE */
    uint32_t reason_line; /* 0 when there is none */
};

static inline bool code_class_uses(const struct code_class *class, enum code_use use)
{
    return (class->uses >> use & 1u) != 0;
}

/* Notes a use. [borrow] detail: NULL, or a text that lives as long as the context. */
void code_class_note(struct code_class *class, enum code_use use, uint32_t line,
                     const char *detail);

/* Adds the uses of a function that is called. */
void code_class_merge(struct code_class *class, const struct code_class *callee);

/* Draws the verdict: `slicing`, `reason`, `reason_line`. */
void code_class_conclude(struct code_class *class, struct code_context *context);

#endif
