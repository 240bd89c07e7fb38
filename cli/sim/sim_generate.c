/* Reads the word that names a generator and its parameters: see sim_generate.h. */
#include "cli/sim/sim_generate.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/nearest.h"
#include "cli/common/why.h"

static const struct sim_generator *const sim_generators[] = {
    &sim_generate_cholesky,    &sim_generate_lu,     &sim_generate_gemm,
    &sim_generate_wavefront,   &sim_generate_layers, &sim_generate_random,
    &sim_generate_independent, &sim_generate_chain,
};

#define SIM_GENERATORS (sizeof sim_generators / sizeof sim_generators[0])

/* What is said and to whom. */
struct sim_words {
    const struct sim_generator *generator;
    char *why;
    size_t why_bytes;
};

const struct sim_generator *sim_generator_at(uint32_t index)
{
    return index < SIM_GENERATORS ? sim_generators[index] : NULL;
}

double sim_generate_flops(const char *kernel, uint64_t size)
{
    static const struct {
        const char *name;
        double cubes;
    } known[] = {
        {"gemm", 2.0}, {"syrk", 1.0}, {"trsm", 1.0}, {"potrf", 1.0 / 3}, {"getrf", 2.0 / 3}};
    double cube = (double)size * (double)size * (double)size;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, kernel) == 0)
            return known[i].cubes * cube;
    return 2 * cube;
}

static fgpu_status sim_refuse_number(const struct sim_words *words, const struct sim_param *param,
                                     const char *text)
{
    return why_fail(FGPU_E_INVAL, words->why, words->why_bytes,
                    "%s: %s=%.64s: want a %s from %.15g to %.15g", words->generator->name,
                    param->name, text, param->kind == SIM_REAL ? "number" : "whole number",
                    param->low, param->high);
}

static fgpu_status sim_take_number(const struct sim_words *words, const struct sim_param *param,
                                   const char *text, double *number)
{
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9')
        return sim_refuse_number(words, param, text);
    *number = strtod(text, &end);
    if (*end || !(*number >= param->low && *number <= param->high) ||
        strspn(text, "0123456789.eE+-") != strlen(text) ||
        (param->kind != SIM_REAL && *number != floor(*number)))
        return sim_refuse_number(words, param, text);
    return FGPU_OK;
}

/* One entry of a list. */
static fgpu_status sim_take_entry(const struct sim_words *words, const struct sim_param *param,
                                  const char *text, struct sim_value *value)
{
    double number = 0;
    fgpu_status status = FGPU_OK;
    uint32_t most = param->kind == SIM_NAMES ? (uint32_t)param->high : SIM_LIST;

    if (value->count == most)
        return why_fail(FGPU_E_INVAL, words->why, words->why_bytes,
                        "%s: %s: want at most %u, joined by +", words->generator->name, param->name,
                        most);
    if (param->kind == SIM_SIZES) {
        status = sim_take_number(words, param, text, &number);
        value->sizes[value->count] = (uint64_t)number;
    } else if (!text[0] || strlen(text) >= SIM_NAME_BYTES) {
        status = why_fail(FGPU_E_INVAL, words->why, words->why_bytes,
                          "%s: %s=%.70s: want names of 1 to %d bytes, joined by +",
                          words->generator->name, param->name, text, SIM_NAME_BYTES - 1);
    } else {
        memcpy(value->names[value->count], text, strlen(text) + 1);
    }
    value->count++;
    return status;
}

static fgpu_status sim_take(const struct sim_words *words, const struct sim_param *param,
                            char *text, struct sim_value *value)
{
    fgpu_status status = FGPU_OK;

    memset(value, 0, sizeof *value);
    if (param->kind == SIM_WHOLE || param->kind == SIM_REAL) {
        status = sim_take_number(words, param, text, &value->real);
        if (status == FGPU_OK && param->kind == SIM_WHOLE)
            value->whole = (uint64_t)value->real;
        return status;
    }
    for (char *entry = text; entry && status == FGPU_OK;) {
        char *next = strchr(entry, '+');
        if (next)
            *next++ = '\0';
        status = sim_take_entry(words, param, entry, value);
        entry = next;
    }
    return status;
}

static fgpu_status sim_refuse_param(const struct sim_words *words, const char *name)
{
    const struct sim_generator *generator = words->generator;
    struct nearest nearest;
    char all[256] = "";

    nearest_init(&nearest, name);
    for (uint32_t i = 0; i < generator->param_count; i++) {
        size_t used = strlen(all);
        nearest_try(&nearest, generator->params[i].name);
        (void)snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? ", " : "",
                       generator->params[i].name);
    }
    const char *found = nearest_found(&nearest);
    return why_fail(FGPU_E_INVAL, words->why, words->why_bytes,
                    "%s has no parameter %.64s; it has %s%s%s", generator->name, name, all,
                    found ? "; the nearest is " : "", found ? found : "");
}

/* One "name=value". */
static fgpu_status sim_take_pair(const struct sim_words *words, char *pair,
                                 struct sim_value *values, bool *is_given)
{
    const struct sim_generator *generator = words->generator;
    char *text = strchr(pair, '=');

    if (!text)
        return why_fail(FGPU_E_INVAL, words->why, words->why_bytes,
                        "%s: %.64s: want NAME=VALUE, with commas between", generator->name, pair);
    *text++ = '\0';
    for (uint32_t i = 0; i < generator->param_count; i++)
        if (strcmp(generator->params[i].name, pair) == 0) {
            if (is_given[i])
                return why_fail(FGPU_E_INVAL, words->why, words->why_bytes, "%s: %s is given twice",
                                generator->name, pair);
            is_given[i] = true;
            return sim_take(words, &generator->params[i], text, &values[i]);
        }
    return sim_refuse_param(words, pair);
}

static fgpu_status sim_take_all(const struct sim_words *words, char *pairs,
                                struct sim_value *values)
{
    const struct sim_generator *generator = words->generator;
    bool is_given[SIM_PARAMS] = {false};
    fgpu_status status = FGPU_OK;

    while (pairs && *pairs && status == FGPU_OK) {
        char *next = strchr(pairs, ',');
        if (next)
            *next++ = '\0';
        status = sim_take_pair(words, pairs, values, is_given);
        pairs = next;
    }
    for (uint32_t i = 0; i < generator->param_count && status == FGPU_OK; i++) {
        char usual[128];
        if (is_given[i])
            continue;
        (void)snprintf(usual, sizeof usual, "%s", generator->params[i].usual);
        status = sim_take(words, &generator->params[i], usual, &values[i]);
    }
    return status;
}

static fgpu_status sim_find(struct sim_words *words, const char *name)
{
    struct nearest nearest;
    char all[256] = "";

    nearest_init(&nearest, name);
    for (size_t i = 0; i < SIM_GENERATORS; i++) {
        size_t used = strlen(all);
        words->generator = sim_generators[i];
        if (strcmp(words->generator->name, name) == 0)
            return FGPU_OK;
        nearest_try(&nearest, words->generator->name);
        (void)snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? ", " : "",
                       words->generator->name);
    }
    const char *found = nearest_found(&nearest);
    return why_fail(FGPU_E_INVAL, words->why, words->why_bytes,
                    "%.64s: there is no such generator; there are %s%s%s", name, all,
                    found ? "; the nearest is " : "", found ? found : "");
}

fgpu_status sim_generate(const char *text, struct sim_graph *graph, char *why, size_t why_bytes)
{
    struct sim_words words = {.why = why, .why_bytes = why_bytes};
    char *copy = strdup(text);
    struct sim_value *values = calloc(SIM_PARAMS, sizeof *values);
    fgpu_status status = why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");

    if (copy && values) {
        char *pairs = strchr(copy, ':');
        if (pairs)
            *pairs++ = '\0';
        status = sim_find(&words, copy);
        if (status == FGPU_OK)
            status = sim_take_all(&words, pairs, values);
        double count = status == FGPU_OK ? words.generator->count(values) : 0;
        if (status == FGPU_OK && count > CLI_SIM_TASKS_LIMIT)
            status = why_fail(FGPU_E_LIMIT, why, why_bytes,
                              "%.64s: these are %.0f tasks; the limit is %u", text, count,
                              CLI_SIM_TASKS_LIMIT);
        if (status == FGPU_OK) {
            words.generator->make(graph, values);
            status = graph->status;
            if (status != FGPU_OK)
                (void)why_fail(status, why, why_bytes, "%.64s: %s", text,
                               status == FGPU_E_LIMIT ? "its data or arguments are too many or "
                                                        "together above 64 TiB"
                                                      : "no memory");
        }
    }
    free(copy);
    free(values);
    return status;
}
