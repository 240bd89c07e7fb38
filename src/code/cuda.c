/* OpenCL C to CUDA C++, all of it; see cuda.h.
 *
 * Steps: read the text with a watch (watch.h), find what the kernel needs, write that
 * (cuda_write.h) and behind it the kernel itself, which takes what a launch passes and calls the
 * translated one. Functions get the offset as a first parameter.
 */
#include "code/cuda.h"

#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "code/cuda_text.h"
#include "code/cuda_write.h"
#include "code/parser.h"
#include "code/preprocess.h"

/* What the device's compiler defines; options of the program come behind. */
#define CUDA_DEFINES                                                                               \
    "-D cl_khr_fp64=1 -D cl_khr_byte_addressable_store=1 -D cl_khr_global_int32_base_atomics=1 "   \
    "-D cl_khr_global_int32_extended_atomics=1 -D cl_khr_local_int32_base_atomics=1 "              \
    "-D cl_khr_local_int32_extended_atomics=1 -D cl_khr_int64_base_atomics=1 "                     \
    "-D cl_khr_int64_extended_atomics=1 -D __ENDIAN_LITTLE__=1 -D FP_FAST_FMA=1 "                  \
    "-D FP_FAST_FMAF=1 "

static const char flags[] = "-default-device --std=c++20 -w";

enum { NO_ITEM = UINT32_MAX };

struct cuda {
    const struct code_cuda_source *source;
    const char *options; /* ours and the program's */
    struct code_context context;
    struct code_parser parser;
    struct code_watch watch;
    struct code_cuda_writer writer;
    struct vec tokens; /* of struct code_token */
    bool *wanted;      /* by item: it is written */
    uint32_t *first;   /* by name: the first item that declares a function of it, or NO_ITEM */
    uint32_t *next;    /* by item: the next one of the name, or NO_ITEM */
    struct vec work;   /* of uint32_t: items whose bodies are to be looked at */
};

static struct code_watch_item *item_at(const struct cuda *cuda, uint32_t index)
{
    return vec_at(&cuda->watch.items, index);
}

/* ---- what the kernel needs ---- */

/* Wants all functions of a name, or the kernel alone. */
static void want(struct cuda *cuda, uint32_t name)
{
    if (name == 0 || name >= cuda->parser.name_count)
        return;
    for (uint32_t i = cuda->first[name]; i != NO_ITEM && !cuda->wanted[i]; i = cuda->next[i]) {
        cuda->wanted[i] = true;
        if (item_at(cuda, i)->body != 0)
            code_context_push(&cuda->context, &cuda->work, &i);
    }
}

static void find_items(struct cuda *cuda)
{
    size_t count = cuda->watch.items.count;
    cuda->wanted = code_context_alloc(&cuda->context, count + 1);
    cuda->next = code_context_alloc(&cuda->context, (count + 1) * sizeof *cuda->next);
    cuda->first = code_context_alloc(&cuda->context,
                                     (cuda->parser.name_count + (size_t)1) * sizeof *cuda->first);
    if (!code_context_ok(&cuda->context))
        return;
    memset(cuda->first, 0xff, cuda->parser.name_count * sizeof *cuda->first);
    for (uint32_t i = (uint32_t)count; i > 0; i--) {
        uint32_t name = item_at(cuda, i - 1)->function;
        cuda->wanted[i - 1] = name == 0;
        cuda->next[i - 1] = cuda->first[name];
        cuda->first[name] = i - 1;
    }
}

static void find_wanted(struct cuda *cuda, uint32_t entry)
{
    find_items(cuda);
    if (!code_context_ok(&cuda->context))
        return;
    want(cuda, entry);
    while (cuda->work.count > 0 && code_context_ok(&cuda->context)) {
        uint32_t index = *(uint32_t *)vec_at(&cuda->work, cuda->work.count - 1);
        const struct code_watch_item *item = item_at(cuda, index);
        vec_pop(&cuda->work);
        for (uint32_t at = item->body; at < item->end; at++)
            if (cuda->parser.tokens[at].kind == CODE_TOKEN_NAME)
                want(cuda, cuda->parser.tokens[at].name);
    }
}

/* ---- writing ---- */

/* The hidden parameter of every function. */
static void note_heads(struct cuda *cuda)
{
    for (size_t i = 0; i < cuda->parser.heads.count; i++) {
        const struct code_head *head = vec_at(&cuda->parser.heads, i);
        uint32_t open = head->token + 1;
        if (head->token == 0 || open + 1 >= cuda->parser.count ||
            !code_token_is(&cuda->parser.tokens[open], CODE_PUNCT_LPAREN)) {
            code_watch_refuse(&cuda->watch, head->token, "a function's head cannot be translated");
            continue;
        }
        code_watch_behind(&cuda->watch, open,
                          head->parameter_count > 0 ? "fcl::grid fcl_at, " : "fcl::grid fcl_at");
        if (head->parameter_count == 0 &&
            code_token_is_word(&cuda->parser.tokens[open + 1], CODE_WORD_void))
            code_watch_replace(&cuda->watch, open + 1, "");
    }
}

/* The kernel of that name with a body. */
static const struct code_function *find_kernel(struct cuda *cuda)
{
    uint32_t name = code_names_find(&cuda->context.names, cuda->source->entry);
    for (size_t i = 0; i < cuda->parser.functions.count; i++) {
        const struct code_function *function =
            *(struct code_function **)vec_at(&cuda->parser.functions, i);
        if (name != 0 && function->name == name && function->kernel && function->defined)
            return function;
    }
    (void)code_context_fail(&cuda->context, FGPU_E_UNSUPPORTED, NULL, "it has no kernel '%.64s'",
                            cuda->source->entry);
    return NULL;
}

static bool is_local(const struct code_type *type)
{
    return type->form == CODE_FORM_POINTER && code_type_pointee_space(type) == CODE_SPACE_LOCAL;
}

/* Can a launch pass it? */
static void check_parameter(struct cuda *cuda, const struct code_parameter *parameter)
{
    const struct code_type *type = parameter->type;
    bool pointer = type->form == CODE_FORM_POINTER &&
                   code_type_pointee_space(type) != CODE_SPACE_PRIVATE &&
                   type->next->form != CODE_FORM_POINTER;
    bool value = (type->form == CODE_FORM_VALUE && type->width != 0 &&
                  type->scalar != CODE_SCALAR_HALF && type->scalar != CODE_SCALAR_BOOL) ||
                 type->form == CODE_FORM_RECORD;
    if ((!pointer && !value) || parameter->name == 0)
        (void)code_context_fail(&cuda->context, FGPU_E_UNSUPPORTED, &parameter->place,
                                "kernel parameter '%.64s' is not supported on this device",
                                code_names_text(&cuda->context.names, parameter->name));
}

/* Behind the last token of the parameter that begins at `at`. */
static uint32_t parameter_end(const struct cuda *cuda, uint32_t at)
{
    uint32_t depth = 0;
    for (; at < cuda->parser.count; at++) {
        const struct code_token *token = &cuda->parser.tokens[at];
        depth +=
            code_token_is(token, CODE_PUNCT_LPAREN) || code_token_is(token, CODE_PUNCT_LBRACKET);
        if (depth == 0 &&
            (code_token_is(token, CODE_PUNCT_COMMA) || code_token_is(token, CODE_PUNCT_RPAREN)))
            return at;
        depth -=
            code_token_is(token, CODE_PUNCT_RPAREN) || code_token_is(token, CODE_PUNCT_RBRACKET);
    }
    return at;
}

/* The token behind the `(` of the kernel's parameters. */
static uint32_t parameters_begin(const struct cuda *cuda, const struct code_function *kernel)
{
    for (size_t i = 0; i < cuda->parser.heads.count; i++) {
        const struct code_head *head = vec_at(&cuda->parser.heads, i);
        if (head->body == kernel->body)
            return head->token + 2;
    }
    return 0;
}

static void write_kernel(struct cuda *cuda, const struct code_function *kernel)
{
    struct code_cuda_writer *writer = &cuda->writer;
    char text[80];
    uint32_t at = parameters_begin(cuda, kernel);
    uint64_t items = (uint64_t)kernel->group[0] * kernel->group[1] * kernel->group[2];
    code_cuda_put(writer, "\nextern \"C\" __global__ void ");
    if (kernel->required_group && items > 0 && items <= 1024) {
        (void)snprintf(text, sizeof text, "__launch_bounds__(%u) ", (unsigned)items);
        code_cuda_put(writer, text);
    }
    code_cuda_put(writer, "fgpu_kernel(");
    for (uint32_t i = 0; i < kernel->parameter_count; i++) {
        const struct code_parameter *parameter = &kernel->parameters[i];
        uint32_t end = parameter_end(cuda, at);
        check_parameter(cuda, parameter);
        (void)snprintf(text, sizeof text, "unsigned fcl_local_%u", i);
        if (is_local(parameter->type))
            code_cuda_put(writer, text);
        else
            code_cuda_write(writer, at, end);
        code_cuda_put(writer, ", ");
        at = end + 1;
    }
    code_cuda_put(writer, "fcl::grid fcl_at)\n{ ");
    code_cuda_put(writer, code_cuda_name(writer, kernel->name));
    code_cuda_put(writer, "(fcl_at");
    for (uint32_t i = 0; i < kernel->parameter_count; i++) {
        (void)snprintf(text, sizeof text, ", fcl::pointer(&fcl_shared[0].bytes[fcl_local_%u])", i);
        code_cuda_put(writer, is_local(kernel->parameters[i].type) ? text : ", ");
        if (!is_local(kernel->parameters[i].type))
            code_cuda_put(writer, code_cuda_name(writer, kernel->parameters[i].name));
    }
    code_cuda_put(writer, "); }\n}}\n");
}

static void write_all(struct cuda *cuda, const struct code_function *kernel)
{
    struct code_cuda_writer *writer = &cuda->writer;
    code_cuda_put(writer, code_cuda_text);
    code_cuda_put(writer, "namespace fcl { namespace user {");
    for (uint32_t i = 0; i < cuda->watch.items.count && code_context_ok(&cuda->context); i++)
        if (cuda->wanted[i])
            code_cuda_write(writer, item_at(cuda, i)->begin, item_at(cuda, i)->end);
    writer->line = 0;
    write_kernel(cuda, kernel);
    code_context_push(&cuda->context, &writer->out, "");
}

/* ---- options ---- */

static bool has_option(const struct cuda *cuda, const char *name)
{
    const char *at = cuda->source->options;
    size_t length = strlen(name);
    while (at != NULL && (at = strstr(at, name)) != NULL) {
        if ((at == cuda->source->options || at[-1] == ' ') &&
            (at[length] == '\0' || at[length] == ' '))
            return true;
        at += length;
    }
    return false;
}

static void make_options(const struct cuda *cuda, struct code_cuda *result)
{
    (void)snprintf(result->options, sizeof result->options, "%s%s%s%s", flags,
                   has_option(cuda, "-cl-fast-relaxed-math") ? " --use_fast_math" : "",
                   has_option(cuda, "-cl-denorms-are-zero") ? " --ftz=true" : "",
                   cuda->context.no_contract ? " --fmad=false" : "");
}

static void join_options(struct cuda *cuda)
{
    const char *given = cuda->source->options != NULL ? cuda->source->options : "";
    const char *relaxed =
        has_option(cuda, "-cl-fast-relaxed-math") ? "-D __FAST_RELAXED_MATH__=1 " : "";
    size_t bytes = sizeof CUDA_DEFINES + strlen(relaxed) + strlen(given);
    char *text = code_context_alloc(&cuda->context, bytes);
    if (text != NULL)
        (void)snprintf(text, bytes, "%s%s%s", CUDA_DEFINES, relaxed, given);
    cuda->options = text;
}

/* ---- all ---- */

/* Lines that code_preempt_make() puts in front, up to its `#line 1`. */
static uint32_t lines_in_front(const struct code_cuda_source *source)
{
    static const char mark[] = "\n#line 1\n";
    static const char begin[] = "typedef struct { uint4 group, groups; } fgpu_where;";
    const char *found = NULL;
    if (source->length > sizeof begin && memcmp(source->text, begin, sizeof begin - 1) == 0)
        found = memmem(source->text, source->length, mark, sizeof mark - 1);
    uint32_t lines = 2;
    if (found == NULL)
        return 0;
    for (const char *at = source->text; at < found; at++)
        lines += *at == '\n';
    return lines;
}

static void translate(struct cuda *cuda, struct code_cuda *result)
{
    const struct code_function *kernel = NULL;
    struct code_context *context = &cuda->context;
    cuda->parser.watch = &cuda->watch;
    code_functions_parse(&cuda->parser);
    if (context->stop != NULL && code_context_ok(context)) {
        const struct code_token place = {.line = context->stop_line, .column = 1};
        (void)code_context_fail(context, FGPU_E_UNSUPPORTED, &place, "%s", context->stop);
    }
    if (code_context_ok(context))
        kernel = find_kernel(cuda);
    if (kernel == NULL)
        return;
    find_wanted(cuda, kernel->name);
    note_heads(cuda);
    code_cuda_writer_init(&cuda->writer, context, &cuda->watch, cuda->parser.tokens);
    cuda->writer.first = lines_in_front(cuda->source);
    cuda->writer.single = has_option(cuda, "-cl-single-precision-constant");
    if (code_context_ok(context))
        write_all(cuda, kernel);
    result->param_count = kernel->parameter_count;
    for (int i = 0; i < 3; i++)
        result->required_local[i] = kernel->required_group ? kernel->group[i] : 0;
    if (code_context_ok(context)) {
        result->text.length = cuda->writer.out.count - 1;
        result->text.text = alloc_get(cuda->source->hooks, result->text.length + 1, 16);
        if (result->text.text == NULL)
            (void)code_context_fail_memory(context);
        else
            memcpy(result->text.text, cuda->writer.out.items, result->text.length + 1);
    }
    code_cuda_writer_fini(&cuda->writer);
}

fgpu_status code_cuda_make(const struct code_cuda_source *source, struct code_cuda *result)
{
    struct cuda cuda = {.source = source};
    fgpu_status status;
    *result = (struct code_cuda){.param_count = 0};
    if (source->text == NULL || source->entry == NULL)
        return error_set(FGPU_E_INVAL, "OpenCL C source: the text or the kernel's name is NULL");
    if (source->length > LIMITS_SOURCE_BYTES)
        return error_set(FGPU_E_LIMIT, "OpenCL C source: %zu bytes are more than the limit of %u",
                         source->length, LIMITS_SOURCE_BYTES);
    vec_init(&cuda.tokens, sizeof(struct code_token), source->hooks);
    vec_init(&cuda.work, sizeof(uint32_t), source->hooks);
    if (code_context_init(&cuda.context, source->hooks) == FGPU_OK)
        join_options(&cuda);
    if (code_context_ok(&cuda.context) &&
        code_preprocess(&cuda.context, source->text, source->length, cuda.options, &cuda.tokens) ==
            FGPU_OK) {
        code_watch_init(&cuda.watch, &cuda.context, (uint32_t)cuda.tokens.count);
        if (code_parser_init(&cuda.parser, &cuda.context, vec_at(&cuda.tokens, 0),
                             cuda.tokens.count))
            translate(&cuda, result);
        code_parser_fini(&cuda.parser);
        code_watch_fini(&cuda.watch);
    }
    status = cuda.context.status;
    make_options(&cuda, result);
    vec_fini(&cuda.work);
    vec_fini(&cuda.tokens);
    code_context_fini(&cuda.context);
    if (status != FGPU_OK)
        code_cuda_fini(result, source->hooks);
    return status;
}

void code_cuda_fini(struct code_cuda *result, const struct alloc_hooks *hooks)
{
    if (result == NULL || result->text.text == NULL)
        return;
    alloc_put(hooks, result->text.text, result->text.length + 1);
    result->text = (struct code_text){NULL, 0};
}
