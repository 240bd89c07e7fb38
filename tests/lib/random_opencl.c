/* Grows random expressions; see random_opencl.h. */
#include "lib/random_opencl.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum type { T_CHAR, T_UCHAR, T_SHORT, T_USHORT, T_INT, T_UINT, T_LONG, T_ULONG, T_FLOAT };
enum { TYPES = T_FLOAT + 1, DEPTH = 4 };

static const char *const names[TYPES] = {"char", "uchar", "short", "ushort", "int",
                                         "uint", "long",  "ulong", "float"};
static const int sizes[TYPES] = {1, 1, 2, 2, 4, 4, 8, 8, 4};
static const int widths[] = {1, 2, 3, 4, 8, 16};

struct grow {
    struct rng *rng;
    char *text;
    size_t used;
};

static void put(struct grow *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct grow *g, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int bytes = vsnprintf(g->text + g->used, RANDOM_OPENCL_TEXT - g->used, format, args);
    va_end(args);
    g->used += (size_t)bytes;
    if (g->used >= RANDOM_OPENCL_TEXT)
        abort();
}

static uint32_t pick(struct grow *g, uint32_t count)
{
    return (uint32_t)(rng_u64(g->rng) % count);
}

static bool is_signed(enum type t)
{
    return t != T_FLOAT && t % 2 == 0;
}

static void put_type(struct grow *g, enum type t, int w)
{
    put(g, w > 1 ? "%s%d" : "%s", names[t], w);
}

static void expression(struct grow *g, enum type t, int w, int depth);

/* A signed operand that sums and products of a few keep in range; others as they are. */
static void operand(struct grow *g, enum type t, int w, int depth)
{
    put(g, "(");
    expression(g, t, w, depth);
    if (is_signed(t))
        put(g, " & (%s)7", names[t]);
    put(g, ")");
}

static void leaf(struct grow *g, enum type t, int w)
{
    if (pick(g, 4) == 0) {
        put(g, "(");
        put_type(g, t, w);
        put(g, ")(%s%u)", t == T_FLOAT && pick(g, 2) == 0 ? "-" : "", pick(g, 5));
        return;
    }
    put(g, "%s_%d", names[t], w);
}

static void binary(struct grow *g, enum type t, int w, int depth)
{
    static const char *const sums[] = {"+", "-", "*"};
    static const char *const bits[] = {"&", "|", "^"};
    static const char *const shifts[] = {"<<", ">>"};
    static const char *const divisions[] = {"/", "%"};
    uint32_t which = t == T_FLOAT ? 0 : pick(g, 4);

    put(g, "(");
    put_type(g, t, w);
    put(g, ")(");
    if (which == 0) {
        operand(g, t, w, depth);
        put(g, " %s ", sums[pick(g, 3)]);
        operand(g, t, w, depth);
    } else if (which == 3) {
        operand(g, t, w, depth);
        put(g, " %s (", divisions[pick(g, 2)]);
        operand(g, t, w, depth);
        put(g, " %% (%s)5 + (%s)7)", names[t], names[t]);
    } else {
        const char *op = which == 1 ? bits[pick(g, 3)] : shifts[pick(g, 2)];
        expression(g, t, w, depth);
        put(g, " %s ", op);
        expression(g, t, which == 2 && pick(g, 3) == 0 ? 1 : w, depth);
    }
    put(g, ")");
}

/* A truth value of a signed type: all bits or none in vectors. */
static void truth(struct grow *g, enum type t, int w, int depth)
{
    static const char *const compares[] = {"<", ">", "<=", ">=", "==", "!=", "&&", "||"};
    enum type of = t == T_INT && pick(g, 2) == 0 ? T_FLOAT : (enum type)((uint32_t)t + pick(g, 2));

    put(g, "(");
    if (pick(g, 6) == 0) {
        put(g, "!");
        expression(g, of, w, depth);
    } else {
        expression(g, of, w, depth);
        put(g, " %s ", compares[pick(g, 8)]);
        expression(g, of, w, depth);
    }
    put(g, ")");
}

static void choice(struct grow *g, enum type t, int w, int depth)
{
    enum type of = t == T_FLOAT ? T_INT : (enum type)(t - t % 2);

    if (pick(g, 4) == 0) {
        put(g, "select(");
        expression(g, t, w, depth);
        put(g, ", ");
        expression(g, t, w, depth);
        if (w > 1)
            put(g, ", ");
        else
            put(g, ", (%s)", names[of]);
        truth(g, of, w, depth);
        put(g, ")");
        return;
    }
    put(g, "(");
    truth(g, of, w, depth);
    put(g, " ? ");
    expression(g, t, w, depth);
    put(g, " : ");
    expression(g, t, w, depth);
    put(g, ")");
}

static void call(struct grow *g, enum type t, int w, int depth)
{
    static const char *const whole[] = {"add_sat", "sub_sat", "hadd",  "rhadd",    "rotate",
                                        "mul_hi",  "min",     "max",   "clz",      "popcount",
                                        "mad_hi",  "mad_sat", "clamp", "bitselect"};
    static const int whole_args[] = {2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 3, 3, 3, 3};
    static const char *const real[] = {"fmin", "fmax", "fabs", "floor", "ceil",
                                       "rint", "max",  "min",  "trunc", "sign"};
    static const int real_args[] = {2, 2, 1, 1, 1, 1, 2, 2, 1, 1};
    uint32_t which = pick(g, t == T_FLOAT ? 10 : 14);
    const char *name = t == T_FLOAT ? real[which] : whole[which];
    int args = t == T_FLOAT ? real_args[which] : whole_args[which];

    put(g, "%s(", name);
    for (int i = 0; i < args; i++) {
        put(g, i > 0 ? ", " : "");
        if (strcmp(name, "clamp") == 0 && i > 0) { /* low and high in order */
            put(g, "(");
            put_type(g, t, w);
            put(g, ")(%d)", i == 1 ? 3 : 90);
        } else {
            expression(g, t, w, depth);
        }
    }
    put(g, ")");
}

/* Of a wider vector some components, or a literal of several parts. */
static void parts(struct grow *g, enum type t, int w, int depth)
{
    static const char *const of_4[] = {"", "z", "wy", "xzz", "wzyx"};
    static const char *const of_16[] = {"", "sA", "s0f", "s3b7", "s9Ce1"};
    uint32_t which = pick(g, 4);

    if (which == 0 && w <= 4) {
        put(g, "%s_4.%s", names[t], of_4[w]);
    } else if (which == 1 && w <= 4) {
        put(g, "%s_16.%s", names[t], of_16[w]);
    } else if (which == 2 && (w == 2 || w == 4 || w == 8)) {
        static const char *const halves[] = {"lo", "hi", "even", "odd"};
        put(g, "(");
        expression(g, t, 2 * w, depth);
        put(g, ").%s", halves[pick(g, 4)]);
    } else if (w > 1) {
        put(g, "(");
        put_type(g, t, w);
        put(g, ")(");
        for (int left = w; left > 0;) {
            int part = left >= 2 && pick(g, 2) == 0 ? 2 : 1;
            expression(g, t, part, depth - 2);
            left -= part;
            put(g, left > 0 ? ", " : ")");
        }
    } else {
        put(g, "%s_8.s%u", names[t], pick(g, 8));
    }
}

static void conversion(struct grow *g, enum type t, int w, int depth)
{
    enum type from = (enum type)pick(g, TYPES);

    if (t == T_FLOAT) { /* small ones are exact */
        put(g, "convert_");
        put_type(g, t, w);
        put(g, "(");
        expression(g, T_INT, w, depth);
        put(g, " & 7)");
    } else if (from == T_FLOAT) {
        static const char *const modes[] = {"", "_rte", "_rtz", "_rtp", "_rtn"};
        put(g, "convert_");
        put_type(g, t, w);
        put(g, "_sat%s(", modes[pick(g, 5)]);
        expression(g, from, w, depth);
        put(g, " * 0.25f)");
    } else if (sizes[from] == sizes[t] && pick(g, 2) == 0) {
        put(g, "as_");
        put_type(g, t, w);
        put(g, "(");
        expression(g, from, w, depth);
        put(g, ")");
    } else {
        put(g, "convert_");
        put_type(g, t, w);
        put(g, pick(g, 2) == 0 ? "_sat(" : "(");
        expression(g, from, w, depth);
        put(g, ")");
    }
}

static void expression(struct grow *g, enum type t, int w, int depth)
{
    uint32_t which = depth > 0 ? pick(g, 8) : 0;

    /* Floats grow with each product: three levels of 7.5 stay exact. */
    if (t == T_FLOAT && depth > 2)
        depth = 2;
    if (w == 1) /* not what C promotes it to */
        put(g, "(%s)(", names[t]);
    if (which == 0)
        leaf(g, t, w);
    else if (which <= 2)
        binary(g, t, w, depth - 1);
    else if (which == 3)
        choice(g, t, w, depth - 1);
    else if (which == 4)
        call(g, t, w, depth - 1);
    else if (which == 5)
        parts(g, t, w, depth - 1);
    else if (which == 6 && is_signed(t) && (w > 1 || t == T_INT))
        truth(g, t, w, depth - 1);
    else
        conversion(g, t, w, depth - 1);
    put(g, w == 1 ? ")" : "");
}

/* Changes some components of a variable, by `op` and an expression. */
static void change(struct grow *g, enum type t)
{
    static const char *const targets[] = {"2.y", "3.zx", "4.ywx", "8.even", "16.hi", "4", "16.sa"};
    static const int target_widths[] = {1, 2, 3, 4, 8, 4, 1};
    static const char *const ops[] = {"=", "^=", "|=", "<<=", ">>=", "+="};
    uint32_t target = pick(g, 7);
    uint32_t op = t == T_FLOAT ? 0 : pick(g, is_signed(t) ? 5 : 6);

    put(g, "  %s_%s %s ", names[t], targets[target], ops[op]);
    expression(g, t, target_widths[target], 2);
    put(g, ";\n");
}

static void variables(struct grow *g)
{
    for (int t = 0; t < TYPES; t++)
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
            int w = widths[i];
            uint32_t at = pick(g, RANDOM_OPENCL_IN - 128);
            put(g, "  ");
            put_type(g, (enum type)t, w);
            if (t == T_FLOAT && w == 1)
                put(g, " float_1 = (float)(in[%u] & 15) * 0.25f;\n", at);
            else if (t == T_FLOAT)
                put(g, " float_%d = convert_float%d(vload%d(0, in + %u) & (uchar)15) * 0.25f;\n", w,
                    w, w, at);
            else if (w == 1)
                put(g, " %s_1 = *(__global const %s *)(in + %u);\n", names[t], names[t], at & ~7u);
            else
                put(g, " %s_%d = vload%d(0, (__global const %s *)(in + %u));\n", names[t], w, w,
                    names[t], at & ~7u);
        }
}

void random_opencl_make(struct rng *rng, char *text, size_t lines[RANDOM_OPENCL_STATEMENTS])
{
    struct grow g = {.rng = rng, .text = text};

    put(&g,
        "__kernel void k(__global const uchar *in, __global uchar *out)\n{\n"
        "  in += get_global_id(0) * %d;\n  out += get_global_id(0) * %d;\n",
        RANDOM_OPENCL_IN, RANDOM_OPENCL_STATEMENTS * RANDOM_OPENCL_SLOT);
    variables(&g);
    for (int s = 0; s < RANDOM_OPENCL_STATEMENTS; s++) {
        enum type t = (enum type)pick(&g, TYPES);
        int w = widths[pick(&g, sizeof widths / sizeof *widths)];
        lines[s] = g.used;
        change(&g, t);
        if (w == 1)
            put(&g, "  *(__global %s *)(out + %d) = ", names[t], s * RANDOM_OPENCL_SLOT);
        else
            put(&g, "  vstore%d(", w);
        expression(&g, t, w, DEPTH - 1);
        if (w == 1)
            put(&g, ";\n");
        else
            put(&g, ", 0, (__global %s *)(out + %d));\n", names[t], s * RANDOM_OPENCL_SLOT);
    }
    put(&g, "}\n");
}
