/* Access modes of random kernels that juggle pointers, against running them by hand.
 *
 * An operation is a statement in the kernel or in one of three helper functions: pointers are
 * copied, chosen, swapped, cast, put into arrays, structs, numbers and other pointers, handed to
 * helpers and returned. Each program is printed as OpenCL C and read by src/code; and it is run
 * many times by a small machine that knows what each pointer points to and takes random branches.
 * What the machine saw written must not be called READ, what it saw read must not be called
 * writes_only or unused. A count of READs keeps the reader from being right by giving up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "code/unit.h"
#include "lib/prop.h"

enum {
    BUFFERS = 4,   /* parameters of the kernel */
    HELPERS = 3,   /* helper i calls helpers below i */
    VARIABLES = 6, /* pointers of a function, its parameters first */
    RUNS = 60,     /* random walks through one program */
    ROUNDS = 2,    /* every body is a loop */
    NOWHERE = -1
};

/* X(name, text, weight): %1$s is the operation's first variable and so on. */
#define OPS(X)                                                                                     \
    X(STORE, "*%1$s = x;")                                                                         \
    X(ADD, "%1$s[1] += x;")                                                                        \
    X(LOAD, "x += %1$s[2];")                                                                       \
    X(LOAD_ONE, "x ^= *%1$s;")                                                                     \
    X(COPY, "%1$s = %2$s + 1;")                                                                    \
    X(CHOOSE, "%1$s = x > 3 ? %2$s : %3$s;")                                                       \
    X(CAST, "%1$s = (global int *)((global char *)%2$s + 4);")                                     \
    X(ADDRESS, "%1$s = &%2$s[2];")                                                                 \
    X(DIFFERENCE, "%1$s = %2$s + (%3$s - %2$s);")                                                  \
    X(SWAP, "{ global int *t = %1$s; %1$s = %2$s; %2$s = t; }")                                    \
    X(LIST_PUT, "list[x & 1] = %1$s;")                                                             \
    X(LIST_GET, "%1$s = list[x & 1];")                                                             \
    X(MEMBER_PUT, "s.p = %1$s;")                                                                   \
    X(MEMBER_GET, "%1$s = s.p;")                                                                   \
    X(NUMBER_PUT, "n = (long)%1$s;")                                                               \
    X(NUMBER_GET, "%1$s = (global int *)n;")                                                       \
    X(POINT, "pp = &%1$s;")                                                                        \
    X(THROUGH_PUT, "if (pp) *pp = %1$s;")                                                          \
    X(THROUGH_GET, "if (pp) %1$s = *pp;")                                                          \
    X(VECTOR_STORE, "vstore2((int2)(x, 1), 0, %1$s);")                                             \
    X(VECTOR_LOAD, "x += vload2(0, %1$s).y;")                                                      \
    X(ATOMIC, "atomic_inc(%1$s);")                                                                 \
    X(CALL, "%4$s(%1$s, %2$s, x);")                                                                \
    X(CALL_GET, "%1$s = %4$s(%2$s, %3$s, x);")

enum op_kind {
#define OP_ENUM(name, text) OP_##name,
    OPS(OP_ENUM)
#undef OP_ENUM
        OP_KINDS
};

struct op {
    uint8_t kind;
    uint8_t place; /* helper, or HELPERS for the kernel */
    uint8_t a, b, c;
    bool guarded; /* behind an if */
};

struct program {
    const struct op *ops;
    size_t count;
};

static unsigned read_count;    /* parameters that were called READ */
static unsigned careful_count; /* ... READ_WRITE, although no run wrote them */

static void make(struct rng *rng, void *place)
{
    struct op *op = place;
    bool simple = rng_below(rng, 4) != 0;
    op->kind = (uint8_t)rng_below(rng, simple ? OP_LIST_PUT : OP_KINDS);
    if (simple && rng_below(rng, 5) == 0)
        op->kind = (uint8_t)(OP_CALL + rng_below(rng, 2));
    op->place = (uint8_t)(rng_below(rng, 2) == 0 ? HELPERS : rng_below(rng, HELPERS));
    op->a = (uint8_t)rng_below(rng, VARIABLES);
    op->b = (uint8_t)rng_below(rng, VARIABLES);
    op->c = (uint8_t)rng_below(rng, VARIABLES);
    op->guarded = rng_below(rng, 2) == 0;
}

/* Which helper a call means; HELPERS when the function is too low to call any. */
static unsigned callee_of(const struct op *op)
{
    return op->place == 0 ? HELPERS : (unsigned)(op->c + op->a) % op->place;
}

/* ---- as text ---- */

static void print_op(FILE *out, const struct op *op)
{
    static const char *const texts[] = {
#define OP_TEXT(name, text) text,
        OPS(OP_TEXT)
#undef OP_TEXT
    };
    static const char *const names[] = {"v0", "v1", "v2", "v3", "v4", "v5"};
    static const char *const helpers[] = {"h0", "h1", "h2", "none"};
    if ((op->kind == OP_CALL || op->kind == OP_CALL_GET) && callee_of(op) == HELPERS)
        return;
    char line[160];
    const char *format = texts[op->kind];
    size_t used = 0;
    for (; *format != '\0' && used + 8 < sizeof line; format++) {
        if (*format != '%') {
            line[used++] = *format;
            continue;
        }
        const char *text = format[1] == '1'   ? names[op->a]
                           : format[1] == '2' ? names[op->b]
                           : format[1] == '3' ? names[op->c]
                                              : helpers[callee_of(op)];
        used += (size_t)snprintf(line + used, sizeof line - used, "%s", text);
        format += 3;
    }
    line[used] = '\0';
    fprintf(out, "        %s%s\n", op->guarded ? "if (x & 8) " : "", line);
}

static void print_function(FILE *out, const struct program *program, unsigned place)
{
    unsigned params = place == HELPERS ? BUFFERS : 2;
    if (place == HELPERS)
        fprintf(out, "kernel void k(");
    else
        fprintf(out, "global int *h%u(", place);
    for (unsigned v = 0; v < params; v++)
        fprintf(out, "global int *v%u, ", v);
    fprintf(out, "int x)\n{\n    struct box s = {0};\n    global int *list[2] = {0, 0};\n"
                 "    global int **pp = 0;\n    long n = 0;\n");
    for (unsigned v = params; v < VARIABLES; v++)
        fprintf(out, "    global int *v%u = v%u;\n", v, v % params);
    fprintf(out, "    for (int i = 0; i < %d; i++) {\n", ROUNDS);
    for (size_t i = 0; i < program->count; i++)
        if (program->ops[i].place == place)
            print_op(out, &program->ops[i]);
    fprintf(out, place == HELPERS ? "    }\n}\n" : "    }\n    return v%u;\n}\n",
            VARIABLES - 1 - place);
}

static char *print_program(const struct program *program, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);
    assert_non_null(out);
    fprintf(out, "struct box { global int *p; };\n");
    for (unsigned place = 0; place <= HELPERS; place++)
        print_function(out, program, place);
    fclose(out);
    return text;
}

/* ---- as a machine ---- */

struct machine {
    const struct program *program;
    struct rng rng;
    bool read[BUFFERS];
    bool written[BUFFERS];
};

struct frame {
    int v[VARIABLES]; /* the buffer that it points into, or NOWHERE */
    int list[2];
    int member;
    int number;
    int target; /* variable that pp points to, or NOWHERE */
};

static void touch(struct machine *machine, int buffer, bool reads, bool writes)
{
    if (buffer == NOWHERE)
        return;
    machine->read[buffer] |= reads;
    machine->written[buffer] |= writes;
}

static int call(struct machine *machine, unsigned place, const int *arguments);

/* Statements that move pointers between variables. */
static void move(struct machine *machine, struct frame *f, const struct op *op)
{
    int old = f->v[op->a];
    switch ((enum op_kind)op->kind) {
    case OP_COPY:
    case OP_CAST:
    case OP_ADDRESS:
        f->v[op->a] = f->v[op->b];
        break;
    case OP_DIFFERENCE:
        f->v[op->a] = f->v[op->c];
        break;
    case OP_CHOOSE:
        f->v[op->a] = f->v[rng_below(&machine->rng, 2) == 0 ? op->b : op->c];
        break;
    case OP_SWAP:
        f->v[op->a] = f->v[op->b];
        f->v[op->b] = old;
        break;
    case OP_LIST_PUT:
        f->list[rng_below(&machine->rng, 2)] = old;
        break;
    case OP_LIST_GET:
        f->v[op->a] = f->list[rng_below(&machine->rng, 2)];
        break;
    case OP_MEMBER_PUT:
        f->member = old;
        break;
    case OP_MEMBER_GET:
        f->v[op->a] = f->member;
        break;
    case OP_NUMBER_PUT:
        f->number = old;
        break;
    case OP_NUMBER_GET:
        f->v[op->a] = f->number;
        break;
    case OP_POINT:
        f->target = op->a;
        break;
    case OP_THROUGH_PUT:
        if (f->target != NOWHERE)
            f->v[f->target] = old;
        break;
    case OP_THROUGH_GET:
        if (f->target != NOWHERE)
            f->v[op->a] = f->v[f->target];
        break;
    default:
        break;
    }
}

static void step(struct machine *machine, struct frame *f, const struct op *op)
{
    const int direct[2] = {f->v[op->a], f->v[op->b]};
    const int shifted[2] = {f->v[op->b], f->v[op->c]};
    switch ((enum op_kind)op->kind) {
    case OP_STORE:
    case OP_VECTOR_STORE:
        touch(machine, f->v[op->a], false, true);
        break;
    case OP_ADD:
    case OP_ATOMIC:
        touch(machine, f->v[op->a], true, true);
        break;
    case OP_LOAD:
    case OP_LOAD_ONE:
    case OP_VECTOR_LOAD:
        touch(machine, f->v[op->a], true, false);
        break;
    case OP_CALL:
        if (callee_of(op) != HELPERS)
            call(machine, callee_of(op), direct);
        break;
    case OP_CALL_GET:
        if (callee_of(op) != HELPERS)
            f->v[op->a] = call(machine, callee_of(op), shifted);
        break;
    default:
        move(machine, f, op);
    }
}

static int call(struct machine *machine, unsigned place, const int *arguments)
{
    unsigned params = place == HELPERS ? BUFFERS : 2;
    struct frame f = {
        .list = {NOWHERE, NOWHERE}, .member = NOWHERE, .number = NOWHERE, .target = NOWHERE};
    for (unsigned v = 0; v < VARIABLES; v++)
        f.v[v] = arguments[v % params];
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < machine->program->count; i++) {
            const struct op *op = &machine->program->ops[i];
            if (op->place == place && (!op->guarded || rng_below(&machine->rng, 2) == 0))
                step(machine, &f, op);
        }
    return place == HELPERS ? NOWHERE : f.v[VARIABLES - 1 - place];
}

/* ---- both ---- */

static const char *judge(const struct machine *machine, const struct code_kernel *kernel)
{
    for (uint32_t b = 0; b < BUFFERS; b++) {
        const struct code_param *param = &kernel->params[b];
        bool touched = machine->read[b] || machine->written[b];
        if (param->access == CODE_ACCESS_UNKNOWN)
            return "the kernel could not be read";
        if (machine->written[b] && param->access != CODE_ACCESS_READ_WRITE)
            return "a parameter that is written was called READ";
        if (machine->read[b] && param->writes_only)
            return "a parameter that is read was called writes_only";
        if (touched && param->unused)
            return "a parameter that is used was called unused";
        read_count += param->access == CODE_ACCESS_READ;
        careful_count += !machine->written[b] && param->access != CODE_ACCESS_READ;
    }
    return NULL;
}

static const char *run(const void *ops, size_t count, uint64_t seed)
{
    static const int buffers[BUFFERS] = {0, 1, 2, 3};
    struct program program = {ops, count};
    struct machine machine = {.program = &program};
    struct code_unit *unit;
    size_t length = 0;
    rng_init(&machine.rng, seed ^ 0x5eed);
    for (int i = 0; i < RUNS; i++)
        call(&machine, HELPERS, buffers);
    char *text = print_program(&program, &length);
    fgpu_status status = code_unit_create(text, length, NULL, NULL, &unit);
    free(text);
    if (status != FGPU_OK)
        return fgpu_last_error();
    const struct code_kernel *kernel = code_unit_find(unit, "k");
    const char *wrong = kernel == NULL ? "there is no kernel" : judge(&machine, kernel);
    code_unit_destroy(unit);
    return wrong;
}

static void print(FILE *out, const void *place)
{
    const struct op *op = place;
    fprintf(out, "%s%u:", op->place == HELPERS ? "kernel " : "helper ", op->place);
    print_op(out, op);
}

static void test_access(void **unused)
{
    const struct prop prop = {
        .name = "test_code_access",
        .op_bytes = sizeof(struct op),
        .op_count = 14,
        .first_seed = 1,
        .seed_count = 3000,
        .make = make,
        .run = run,
        .print = print,
    };
    (void)unused;
    assert_int_equal(prop_run(&prop), 0);
    printf("%u called READ, %u READ_WRITE although never written\n", read_count, careful_count);
    assert_true(read_count > careful_count / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_access)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
