/* Depth-first search over the states of a model; the path on the stack is the schedule.
 * See lib/explore.h. The states seen are kept whole and compared whole: a hash only finds them.
 */
#include "lib/explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/map.h"
#include "base/vec.h"

struct explore {
    const struct explore_model *model;
    struct explore_result *result;
    struct vec states; /* all states seen */
    struct map index;  /* hash of a state -> its place in `states` */
    struct vec stack;  /* struct explore_frame */
};

struct explore_frame {
    size_t state; /* place in `states` */
    int thread;   /* the next one to try */
    int last;     /* who made the step that led here */
    int moved;    /* threads that could do a step here */
    int done;     /* threads that had finished here */
};

static void out_of_memory(void)
{
    fprintf(stderr, "explore: out of memory\n");
    abort();
}

/* Adds the state when it is new and pushes a frame for it. */
static void explore_visit(struct explore *walk, const void *state, int last)
{
    size_t bytes = walk->model->state_bytes;
    uint64_t place;
    for (uint64_t seed = 0;; seed++) {
        uint64_t hash = hash_bytes(state, bytes, seed);
        if (!map_get(&walk->index, hash, &place)) {
            if (map_put(&walk->index, hash, walk->states.count) != FGPU_OK)
                out_of_memory();
            break;
        }
        if (memcmp(vec_at(&walk->states, place), state, bytes) == 0)
            return;
    }
    struct explore_frame frame = {.state = walk->states.count, .last = last};
    if (vec_push(&walk->states, state) == NULL || vec_push(&walk->stack, &frame) == NULL)
        out_of_memory();
}

static void explore_report(struct explore *walk, const char *what, int thread)
{
    struct explore_result *result = walk->result;
    size_t used = 0;
    result->bug = true;
    result->what = what;
    result->depth = walk->stack.count - 1 + (thread >= 0);
    for (size_t i = 1; i < walk->stack.count && used + 8 < sizeof result->schedule; i++) {
        const struct explore_frame *frame = vec_at(&walk->stack, i);
        used += (size_t)sprintf(result->schedule + used, "%d ", frame->last);
    }
    if (thread >= 0 && used + 8 < sizeof result->schedule)
        sprintf(result->schedule + used, "%d", thread);
}

/* Everybody has been tried in the state on top of the stack. */
static void explore_leave(struct explore *walk, const struct explore_frame *top)
{
    const struct explore_model *model = walk->model;
    if (top->moved == 0 && top->done < model->thread_count)
        explore_report(walk, "stuck", -1);
    else if (top->done == model->thread_count && model->final != NULL &&
             !model->final(vec_at(&walk->states, top->state)))
        explore_report(walk, "wrong end", -1);
    else
        vec_pop(&walk->stack);
}

/* Tries the next thread in the state on top of the stack. */
static void explore_try(struct explore *walk, void *scratch)
{
    struct explore_frame *top = vec_at(&walk->stack, walk->stack.count - 1);
    if (top->thread == walk->model->thread_count) {
        explore_leave(walk, top);
        return;
    }
    int thread = top->thread++;
    memcpy(scratch, vec_at(&walk->states, top->state), walk->model->state_bytes);
    switch (walk->model->step(scratch, thread)) {
    case EXPLORE_MOVED:
        top->moved++;
        explore_visit(walk, scratch, thread);
        break;
    case EXPLORE_DONE:
        top->done++;
        break;
    case EXPLORE_BROKEN:
        explore_report(walk, "broken step", thread);
        break;
    case EXPLORE_BLOCKED:
        break;
    }
}

struct explore_result explore_run(const struct explore_model *model)
{
    struct explore_result result = {.what = "no bug"};
    struct explore walk = {.model = model, .result = &result};
    void *scratch = calloc(1, model->state_bytes);
    if (scratch == NULL)
        out_of_memory();
    vec_init(&walk.states, model->state_bytes, NULL);
    vec_init(&walk.stack, sizeof(struct explore_frame), NULL);
    map_init(&walk.index, NULL);
    model->init(scratch);
    explore_visit(&walk, scratch, -1);
    while (!result.bug && walk.stack.count > 0) {
        explore_try(&walk, scratch);
        if (walk.states.count > model->state_limit)
            explore_report(&walk, "too many states", -1);
    }
    result.state_count = walk.states.count;
    vec_fini(&walk.states);
    vec_fini(&walk.stack);
    map_fini(&walk.index);
    free(scratch);
    return result;
}
