/* Build options as a prelude of directives; see option.h.
 *
 * Source: OpenCL 1.2 specification, 5.6.4 (options) and 6.10 (predefined macros).
 */
#include "code/option.h"

#include <string.h>

static const char predefined[] =
    "#define CL_VERSION_1_0 100\n"
    "#define CL_VERSION_1_1 110\n"
    "#define CL_VERSION_1_2 120\n"
    "#define __kernel_exec(X, typen) __kernel __attribute__((work_group_size_hint(X, 1, 1))) "
    "__attribute__((vec_type_hint(typen)))\n";

static void add(struct code_context *context, struct vec *text, const char *bytes)
{
    for (; *bytes != '\0'; bytes++)
        code_context_push(context, text, bytes);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/* Copies the next word of the options without its quotes; NULL at the end. */
static const char *next_word(struct code_context *context, const char **at, struct vec *word,
                             bool *quoted)
{
    char quote = '\0';
    const char *p = *at;
    vec_clear(word);
    *quoted = false;
    while (is_blank(*p))
        p++;
    if (*p == '\0')
        return NULL;
    for (; *p != '\0' && (quote != '\0' || !is_blank(*p)); p++) {
        bool opens = quote == '\0' && (*p == '"' || *p == '\'');
        *quoted |= opens || *p == '\\';
        if (opens)
            quote = *p;
        else if (quote != '\0' && *p == quote)
            quote = '\0';
        else if (*p == '\\' && p[1] != '\0')
            code_context_push(context, word, ++p);
        else
            code_context_push(context, word, p);
    }
    *at = p;
    const char end = '\0';
    return code_context_push(context, word, &end) != NULL ? word->items : NULL;
}

/* NAME or NAME=VALUE; clang cuts the value at a line's end. */
static void add_macro(struct code_context *context, struct vec *text, const char *word, bool define)
{
    const char space = ' ';
    bool value = false;
    add(context, text, define ? "#define " : "#undef ");
    for (; *word != '\0' && *word != '\n' && *word != '\r'; word++) {
        bool split = *word == '=' && !value;
        value |= split;
        code_context_push(context, text, split ? &space : word);
    }
    add(context, text, value || !define ? "\n" : " 1\n");
}

static void add_standard(struct code_context *context, struct vec *text, const char *name)
{
    static const struct {
        const char *name;
        const char *line;
    } versions[] = {
        {"CL1.0", "#define __OPENCL_C_VERSION__ 100\n"},
        {"CL1.1", "#define __OPENCL_C_VERSION__ 110\n"},
        {"CL1.2", "#define __OPENCL_C_VERSION__ 120\n"},
        {"CL2.0", "#define __OPENCL_C_VERSION__ 200\n#define CL_VERSION_2_0 200\n"},
        {"CL3.0", "#define __OPENCL_C_VERSION__ 300\n#define CL_VERSION_2_0 200\n"
                  "#define CL_VERSION_3_0 300\n"},
    };
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        if (strcmp(name, versions[i].name) == 0) {
            add(context, text, versions[i].line);
            return;
        }
    code_context_doubt(context, 0, "build option -cl-std=%.32s is not known", name);
}

static void add_option(struct code_context *context, struct vec *text, const char *word,
                       char pending, bool quoted)
{
    if ((pending != '\0' || strncmp(word, "-D", 2) == 0) && quoted)
        code_context_doubt(context, 0,
                           "build option '%.64s' has quotes, which compilers read "
                           "differently",
                           word);
    if (pending != '\0')
        add_macro(context, text, word, pending == 'D');
    else if (strncmp(word, "-D", 2) == 0 || strncmp(word, "-U", 2) == 0)
        add_macro(context, text, word + 2, word[1] == 'D');
    else if (strncmp(word, "-cl-std=", 8) == 0)
        add_standard(context, text, word + 8);
    else if (strncmp(word, "-include", 8) == 0 || strcmp(word, "-x") == 0)
        code_context_doubt(context, 0, "build option '%.64s' is not read", word);
}

void code_option_prelude(struct code_context *context, const char *options, struct vec *text)
{
    struct vec word;
    char pending = '\0';
    bool quoted;
    vec_init(&word, 1, context->hooks);
    add(context, text, predefined);
    add_standard(context, text, "CL1.2");
    const char *at = options != NULL ? options : "";
    const char *read;
    while ((read = next_word(context, &at, &word, &quoted)) != NULL) {
        bool alone = pending == '\0' && (strcmp(read, "-D") == 0 || strcmp(read, "-U") == 0);
        if (!alone)
            add_option(context, text, read, pending, quoted);
        pending = alone ? read[1] : '\0';
    }
    vec_fini(&word);
}
