/*
 * Finds the kernels in preprocessed OpenCL C and writes what the library needs to call them.
 *
 * Runs in the caller's thread, without the lock; pure. For each kernel one caller function that
 * takes the addresses of the arguments, one table of the arguments' sizes, and one text that lists
 * all kernels ("B<any barrier><barrier outside kernels>", then lines "name kinds x y z b" with the
 * required work-group size and whether the kernel itself has a barrier) are appended to the
 * program, so that a compiled program describes itself. Kinds of arguments: g global, r global and
 * const, c constant, l local, v value.
 */
#include "internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct token {
    const char *at;
    size_t length;
    bool is_word;
};

struct parse {
    struct token *tokens;
    size_t count, capacity;
    size_t next;
    bool has_barrier, helper_has_barrier;
    size_t body_end;    /* of the kernel that was read last */
    size_t required[3]; /* work-group size, by an attribute before or after "kernel" */
    const char *problem;
    struct token kernel; /* the one being read */
    FILE *callers, *table;
    char names[64][NAME_BYTES];
    size_t name_count;
};

static void add_token(struct parse *parse, const char *at, size_t length, bool is_word)
{
    if (parse->count == parse->capacity) {
        parse->capacity = parse->capacity * 2 + 256;
        struct token *wider = realloc(parse->tokens, parse->capacity * sizeof(*wider));
        if (wider == NULL)
            abort();
        parse->tokens = wider;
    }
    parse->tokens[parse->count++] = (struct token){at, length, is_word};
}

static const char *skip_quoted(const char *at)
{
    char quote = *at++;
    while (*at != '\0' && *at != quote)
        at += at[0] == '\\' && at[1] != '\0' ? 2 : 1;
    return *at == '\0' ? at : at + 1;
}

static void tokenize(struct parse *parse, const char *at)
{
    bool line_begins = true;
    while (*at != '\0') {
        const char *from = at;
        if (*at == '#' && line_begins) {
            at += strcspn(at, "\n");
        } else if (isspace((unsigned char)*at)) {
            line_begins = *at == '\n';
            at++;
            continue;
        } else if (*at == '"' || *at == '\'') {
            at = skip_quoted(at);
            add_token(parse, from, (size_t)(at - from), false);
        } else if (isalnum((unsigned char)*at) || *at == '_') {
            while (isalnum((unsigned char)*at) || *at == '_')
                at++;
            add_token(parse, from, (size_t)(at - from), !isdigit((unsigned char)*from));
        } else {
            add_token(parse, at++, 1, false);
        }
        line_begins = false;
    }
}

static bool is(const struct token *token, const char *text)
{
    return strlen(text) == token->length && memcmp(token->at, text, token->length) == 0;
}

static bool is_either(const struct token *token, const char *a, const char *b)
{
    return is(token, a) || is(token, b);
}

static struct token *look(struct parse *parse)
{
    static struct token end = {"", 0, false};
    return parse->next < parse->count ? &parse->tokens[parse->next] : &end;
}

/* The index after the bracket that closes the one at the index. */
static size_t after_bracket(const struct parse *parse, size_t at)
{
    int depth = 0;
    for (; at < parse->count; at++) {
        char c = parse->tokens[at].at[0];
        if (c == '(' || c == '[' || c == '{')
            depth++;
        if ((c == ')' || c == ']' || c == '}') && --depth == 0)
            return at + 1;
    }
    return at;
}

/* An attribute: skipped, but a required work-group size in it is kept. */
static void read_attribute(struct parse *parse)
{
    size_t end = after_bracket(parse, parse->next + 1);
    for (size_t i = parse->next; i + 7 < end; i++) {
        if (!is_either(&parse->tokens[i], "reqd_work_group_size", "__reqd_work_group_size__"))
            continue;
        for (size_t d = 0; d < 3; d++)
            parse->required[d] = strtoul(parse->tokens[i + 2 + 2 * d].at, NULL, 0);
    }
    parse->next = end;
}

/* One parameter, tokens [from, to): its kind, its size and how it is passed. */
static char read_parameter(struct parse *parse, size_t from, size_t to, size_t index)
{
    char kind = 'v';
    bool pointer = false, constant = false;
    size_t name = to;
    for (size_t i = from; i < to; i++) {
        const struct token *token = &parse->tokens[i];
        if (is(token, "*") || is(token, "["))
            pointer = true;
        if (is(token, "[")) {
            to = i;
            break;
        }
        if (is_either(token, "__global", "global"))
            kind = 'g';
        if (is_either(token, "__constant", "constant"))
            kind = 'c';
        if (is_either(token, "__local", "local"))
            kind = 'l';
        if (is(token, "const") && !pointer)
            constant = true;
        if (is(token, "sampler_t") || (token->length > 5 && memcmp(token->at, "image", 5) == 0 &&
                                       memcmp(token->at + token->length - 2, "_t", 2) == 0))
            parse->problem = "images and samplers are not supported";
        if (token->is_word)
            name = i;
    }
    bool array = to < parse->count && is(&parse->tokens[to], "[");
    fprintf(parse->callers, "%s*(", index == 0 ? "" : ", ");
    fprintf(parse->table, "%ssizeof(", index == 0 ? "" : ", ");
    for (size_t i = from; i < to; i++) {
        if (i == name)
            continue;
        fprintf(parse->callers, "%.*s ", (int)parse->tokens[i].length, parse->tokens[i].at);
        fprintf(parse->table, "%.*s ", (int)parse->tokens[i].length, parse->tokens[i].at);
    }
    fprintf(parse->callers, "%s__private *)a[%zu]", array ? "* " : "", index);
    fprintf(parse->table, "%s)", array ? "*" : "");
    if (!pointer)
        return 'v';
    return kind == 'g' && constant ? 'r' : kind;
}

/* The parameters between the bracket at parse->next and its end. */
static size_t read_parameters(struct parse *parse, char *kinds)
{
    size_t end = after_bracket(parse, parse->next) - 1, from = parse->next + 1, count = 0;
    int depth = 0;
    if (from == end || (from + 1 == end && is(&parse->tokens[from], "void")))
        return 0;
    for (size_t i = from; i <= end; i++) {
        char c = parse->tokens[i].at[0];
        if (i == end || (c == ',' && depth == 0)) {
            if (count == ARG_COUNT_MAX) {
                parse->problem = "a kernel has too many arguments";
                return count;
            }
            kinds[count] = read_parameter(parse, from, i, count);
            count++;
            from = i + 1;
        }
        depth += (c == '(' || c == '[') - (c == ')' || c == ']');
    }
    return count;
}

static bool is_new_name(struct parse *parse, const struct token *name)
{
    for (size_t i = 0; i < parse->name_count; i++)
        if (is(name, parse->names[i]))
            return false;
    if (parse->name_count == sizeof(parse->names) / NAME_BYTES || name->length >= NAME_BYTES) {
        parse->problem = "too many kernels, or a name that is too long";
        return false;
    }
    snprintf(parse->names[parse->name_count++], NAME_BYTES, "%.*s", (int)name->length, name->at);
    return true;
}

static bool has_word(const struct parse *parse, size_t from, size_t to, const char *word)
{
    for (size_t i = from; i < to; i++)
        if (is(&parse->tokens[i], word))
            return true;
    return false;
}

/* From the token after "kernel": the function's head; a prototype alone is not a kernel. */
static void read_kernel(struct parse *parse, FILE *out, FILE *list)
{
    size_t count, parameters;
    char kinds[ARG_COUNT_MAX + 2] = "-";
    struct token name = {"", 0, false};
    while (parse->next < parse->count && !is(look(parse), "(")) {
        if (is(look(parse), "__attribute__")) {
            read_attribute(parse);
            continue;
        }
        name = *look(parse);
        parse->next++;
    }
    parameters = parse->next;
    parse->next = after_bracket(parse, parse->next);
    while (is(look(parse), "__attribute__"))
        read_attribute(parse);
    if (!is(look(parse), "{") || !is_new_name(parse, &name))
        return;
    char *calls = NULL, *sizes = NULL;
    size_t calls_bytes, sizes_bytes, body = parse->next;
    parse->callers = open_memstream(&calls, &calls_bytes);
    parse->table = open_memstream(&sizes, &sizes_bytes);
    parse->next = parameters;
    count = read_parameters(parse, kinds);
    parse->next = body;
    parse->body_end = after_bracket(parse, body);
    bool own_barrier = has_word(parse, body, parse->body_end, "barrier");
    fclose(parse->callers);
    fclose(parse->table);
    if (count > 0)
        kinds[count] = '\0';
    int length = (int)name.length;
    fprintf(out, "FAKECL_SEEN void fakecl_call_%.*s(__private void *__private *a);\n", length,
            name.at);
    fprintf(out, "FAKECL_SEEN void fakecl_call_%.*s(__private void *__private *a) { %.*s(%s); }\n",
            length, name.at, length, name.at, calls);
    fprintf(out, "FAKECL_SEEN __constant ulong fakecl_sizes_%.*s[] = {%s%s0};\n", length, name.at,
            sizes, count > 0 ? ", " : "");
    fprintf(list, "\"%.*s %s %zu %zu %zu %d\\n\"\n", length, name.at, kinds, parse->required[0],
            parse->required[1], parse->required[2], own_barrier);
    free(calls);
    free(sizes);
}

static void read_all(struct parse *parse, FILE *out, FILE *list)
{
    while (parse->next < parse->count && parse->problem == NULL) {
        struct token *token = look(parse);
        if (is(token, "__attribute__")) {
            read_attribute(parse);
            continue;
        }
        if (is(token, "barrier")) {
            parse->has_barrier = true;
            parse->helper_has_barrier |= parse->next >= parse->body_end;
        }
        if (is_either(token, ";", "}"))
            memset(parse->required, 0, sizeof(parse->required));
        parse->next++;
        if (is_either(token, "__kernel", "kernel"))
            read_kernel(parse, out, list);
    }
}

char *parse_kernels(const char *text, char **log)
{
    struct parse *parse = state_alloc(sizeof(*parse));
    char *result = NULL, *list_text = NULL;
    size_t result_bytes, list_bytes;
    FILE *out = open_memstream(&result, &result_bytes);
    FILE *list = open_memstream(&list_text, &list_bytes);
    tokenize(parse, text);
    fprintf(out, "\n# 1 \"callers\"\n"
                 "#define FAKECL_SEEN __attribute__((visibility(\"default\")))\n");
    read_all(parse, out, list);
    fclose(list);
    fprintf(out, "FAKECL_SEEN __constant char fakecl_list[] = \"B%d%d\\n\"\n%s;\n",
            parse->has_barrier, parse->helper_has_barrier, list_text);
    fclose(out);
    if (parse->problem != NULL) {
        *log = state_copy_text(parse->problem);
        free(result);
        result = NULL;
    }
    free(list_text);
    free(parse->tokens);
    free(parse);
    return result;
}
