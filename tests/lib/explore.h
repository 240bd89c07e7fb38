/* Explores every interleaving of a few threads over a small model of a lock-free algorithm.
 *
 * The model is a plain struct: the shared words, and for each thread a program counter and its
 * local variables. One step of a thread is at most one access to shared memory. The explorer walks
 * all states that can be reached (depth first, each state once), so that a loop that retries does
 * not make it endless. It reports a step that says so, a final state that does not pass, and a
 * state in which nobody can go on though not everybody is done (a lost wake-up).
 * Memory is sequentially consistent here; the weaker orders are what the stress tests are for.
 */
#ifndef FASTGPU_TESTS_LIB_EXPLORE_H
#define FASTGPU_TESTS_LIB_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>

enum explore_step {
    EXPLORE_MOVED,   /* did one step */
    EXPLORE_BLOCKED, /* cannot go on now (asleep); the state is as it was */
    EXPLORE_DONE,    /* this thread has finished; the state is as it was */
    EXPLORE_BROKEN   /* this step shows a bug */
};

struct explore_model {
    const char *name;
    size_t state_bytes;
    int thread_count;
    void (*init)(void *state); /* the memory is zeroed before */
    enum explore_step (*step)(void *state, int thread);
    bool (*final)(const void *state); /* all are done: is it as it should be? May be NULL */
    size_t state_limit;               /* more states than that: the model is too large */
};

struct explore_result {
    bool bug;
    const char *what; /* "broken step", "stuck", "wrong end" or "too many states" */
    size_t state_count;
    size_t depth;       /* steps to the bug */
    char schedule[512]; /* thread numbers of those steps, "0 0 1 2 ..." */
};

/* Walks the model. Runs until the first bug or until all states have been seen. */
struct explore_result explore_run(const struct explore_model *model);

#endif
