/* Random kernels that can be stopped: see preempt_cases.h. */
#include "lib/preempt_cases.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct writer {
    struct preempt_case *made;
    size_t used;
};

static void say(struct writer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct writer *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length =
        vsnprintf(out->made->text + out->used, sizeof out->made->text - out->used, format, args);
    va_end(args);
    out->used += (size_t)length;
}

/* Functions that the kernel calls: with the place in the grid and without, declared before and
 * only defined, without parameters, with calls of each other, one for all groups of a name. */
static void say_helpers(struct writer *out, struct rng *rng)
{
    static const char *const asks[] = {
        "get_global_id(0)", "get_global_id(1)",   "get_global_id(2)",   "get_group_id(0)",
        "get_group_id(1)",  "get_num_groups(0)",  "get_num_groups(1)",  "get_num_groups(2)",
        "get_group_id(2)",  "get_global_size(0)", "get_global_size(1)", "get_global_offset(0)"};
    const char *first = asks[rng_below(rng, 12)];
    const char *second = asks[rng_below(rng, 12)];

    say(out, "#define ASK (uint)%s\n", first);
    say(out, "uint deep(uint a, uint b);\nstatic uint flat();\n");
    say(out, "uint mix(uint x) { x ^= x >> 13; x *= 0x5bd1e995u; return x ^ x >> 15; }\n");
    say(out, "uint place(uint x)\n{\n    return x * 31u + ASK;\n}\n");
    say(out,
        "%suint deep(uint a, uint b)\n{\n    if (a & 1)\n        return mix(b);\n"
        "    return place(mix(a)) ^ (uint)%s;\n}\n",
        rng_below(rng, 2) != 0 ? "/* a comment */ " : "", second);
    say(out, "static uint flat(%s)\n{\n", rng_below(rng, 2) != 0 ? "void" : "");
    say(out, "    return get_global_id(0) + get_global_size(0) *\n"
             "        (get_global_id(1) + get_global_size(1) * get_global_id(2));\n}\n");
    say(out, "#define GROUP (get_group_id(0) + get_num_groups(0) * "
             "(get_group_id(1) + get_num_groups(1) * get_group_id(2)))\n");
    say(out, "#define FIRST (get_local_id(0) + get_local_id(1) + get_local_id(2) == 0)\n");
    say(out, "#define DEEP(x) deep(x, 7u)\n");
}

static void say_statement(struct writer *out, struct rng *rng, uint32_t items)
{
    switch (rng_below(rng, 7)) {
    case 0:
        say(out, "    x = x * %uu + ASK;\n", 2 * (unsigned)rng_below(rng, 1000) + 1);
        break;
    case 1:
        say(out, "    x ^= deep(x, %uu);\n", (unsigned)rng_below(rng, 1000));
        break;
    case 2:
        say(out, "    x += DEEP(place(x));\n");
        break;
    case 3:
        say(out, "    for (uint i = 0; i < rounds; i++)\n        x = x * 1664525u + i;\n");
        break;
    case 4:
        say(out, "    x += (uint)(as_float(0x3f800000u | (x & 0x7fffffu)) * %u.5f);\n",
            (unsigned)rng_below(rng, 100));
        break;
    default: /* an exchange through local memory */
        say(out,
            "    s[me] = x;\n    barrier(CLK_LOCAL_MEM_FENCE);\n    x += s[(me + %u) %% %uu];\n"
            "    barrier(CLK_LOCAL_MEM_FENCE);\n",
            (unsigned)rng_below(rng, items), items);
    }
}

static void say_kernel(struct writer *out, struct rng *rng, uint32_t items)
{
    const uint32_t *local = out->made->local;

    if (rng_below(rng, 3) == 0)
        say(out, "__attribute__((reqd_work_group_size(%u, %u, %u)))\n", local[0], local[1],
            local[2]);
    say(out, "__kernel void k(__global uint *out, __global uint *count, uint seed, uint rounds,\n"
             "                __local uint *s)\n{\n");
    say(out, "    const uint me = (uint)(get_local_id(0) + get_local_size(0) * (get_local_id(1) +\n"
             "                            get_local_size(1) * get_local_id(2)));\n");
    if (rng_below(rng, 2) == 0)
        say(out, "    __local uint shared;\n    if (FIRST)\n        shared = (uint)GROUP * 7u;\n"
                 "    barrier(CLK_LOCAL_MEM_FENCE);\n    uint x = seed ^ flat() ^ shared;\n");
    else
        say(out, "    uint x = seed ^ flat();\n");
    say(out, "    if (FIRST)\n        count[GROUP] += 1;\n");
    if (rng_below(rng, 2) == 0) /* all items of a group: barriers may follow */
        say(out,
            "    if (GROUP %% %uu == 1) {\n        out[flat()] += x;\n        return;\n    }\n",
            2 + (unsigned)rng_below(rng, 5));
    for (uint32_t n = 2 + (uint32_t)rng_below(rng, 5); n > 0; n--)
        say_statement(out, rng, items);
    if (rng_below(rng, 2) == 0)
        say(out, "    if ((x & 7u) == 3u)\n        return;\n");
    say(out, "    out[flat()] += x;\n}\n");
}

void preempt_case_make(struct preempt_case *made, struct rng *rng)
{
    struct writer out = {.made = made};
    uint32_t items = 1;

    *made = (struct preempt_case){.dims = 1 + (uint32_t)rng_below(rng, 3),
                                  .local = {1, 1, 1},
                                  .groups = {1, 1, 1},
                                  .group_count = 1};
    for (uint32_t d = 0; d < made->dims; d++) {
        made->local[d] = 1 + (uint32_t)rng_below(rng, d == 0 ? 16 : 4);
        made->groups[d] = 1 + rng_below(rng, made->dims == 1 ? 200 : d == 0 ? 20 : 5);
        made->group_count *= made->groups[d];
        items *= made->local[d];
    }
    made->item_count = made->group_count * items;
    say_helpers(&out, rng);
    say_kernel(&out, rng, items);
}
