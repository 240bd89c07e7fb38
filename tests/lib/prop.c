/* The loop over seeds and the shrinking. See lib/prop.h. */
#include "lib/prop.h"

#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "lib/seed.h"

struct prop_case {
    const struct prop *prop;
    uint64_t seed;
    char *ops, *trial; /* the list that fails, and one that is being tried */
    size_t count;
    const char *what;
};

static void prop_dump(void *user)
{
    const struct prop_case *run = user;
    seed_print(run->prop->name, run->seed);
}

/* Tries the list without the operations [at, at + n); keeps it when it still fails. */
static int prop_without(struct prop_case *run, size_t at, size_t n)
{
    size_t bytes = run->prop->op_bytes;
    memcpy(run->trial, run->ops, at * bytes);
    memcpy(run->trial + at * bytes, run->ops + (at + n) * bytes, (run->count - at - n) * bytes);
    const char *what = run->prop->run(run->trial, run->count - n, run->seed);
    if (what == NULL)
        return 0;
    char *kept = run->trial;
    run->trial = run->ops;
    run->ops = kept;
    run->count -= n;
    run->what = what;
    return 1;
}

static void prop_shrink(struct prop_case *run)
{
    for (size_t n = run->count / 2; n > 0;) {
        int shrunk = 0;
        for (size_t at = 0; at + n <= run->count;) {
            if (prop_without(run, at, n))
                shrunk = 1;
            else
                at += n;
        }
        if (n == 1 && !shrunk)
            break;
        n = n > 1 ? n / 2 : 1;
    }
}

static void prop_tell(const struct prop_case *run)
{
    FILE *out = run->prop->out != NULL ? run->prop->out : stderr;
    fprintf(out, "%s: %s, after these operations:\n", run->prop->name, run->what);
    for (size_t i = 0; i < run->count; i++) {
        fprintf(out, "  %zu: ", i);
        run->prop->print(out, run->ops + i * run->prop->op_bytes);
        fprintf(out, "\n");
    }
    if (out == stderr)
        seed_print(run->prop->name, run->seed);
}

/* One seed; true when it holds. */
static int prop_try(struct prop_case *run)
{
    const struct prop *prop = run->prop;
    struct rng rng;
    rng_init(&rng, run->seed);
    run->count = prop->op_count;
    for (size_t i = 0; i < run->count; i++)
        prop->make(&rng, run->ops + i * prop->op_bytes);
    run->what = prop->run(run->ops, run->count, run->seed);
    if (run->what == NULL)
        return 1;
    prop_shrink(run);
    prop_tell(run);
    return 0;
}

size_t prop_run(const struct prop *prop)
{
    struct prop_case run = {.prop = prop};
    uint64_t first = seed_get(prop->first_seed), count = seed_count(prop->seed_count);
    size_t left = 0;
    run.ops = calloc(prop->op_count, prop->op_bytes);
    run.trial = calloc(prop->op_count, prop->op_bytes);
    if (run.ops == NULL || run.trial == NULL)
        abort();
    assert_hook_set(prop_dump, &run);
    for (uint64_t i = 0; i < count && left == 0; i++) {
        run.seed = first + i;
        left = prop_try(&run) ? 0 : run.count;
    }
    assert_hook_clear(prop_dump, &run);
    free(run.ops);
    free(run.trial);
    return left;
}
