/*
 * From OpenCL C text to a shared object, by the system's clang, and back into memory.
 *
 * Runs in the caller's thread, without the lock, except compile_load, compile_unload and
 * compile_image, which do not mind it. The text is preprocessed by itself (clang's own header
 * comes in the second step, since its macros decide there which functions exist), read for its
 * kernels (parse.c), compiled for the host as OpenCL C 1.2 and linked with the built-in functions
 * (builtins.c). Both are kept in a cache folder by the hash of everything that went in, whole or
 * not at all (rename). Programs with a barrier are compiled without optimisation: the optimiser may
 * turn __local variables, which are static here, into private ones.
 */
#include "internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* RECIPE changes when the flags for the built-in functions do, so that old objects are not used. */
enum { PATH_BYTES = 512, WORDS_MAX = 64, RECIPE = 1 };

struct build {
    const char *source, *options;
    char folder[PATH_BYTES]; /* temporary, one a build */
    char log[PATH_BYTES];
    char *option_text; /* cut into words */
    const char *words[WORDS_MAX];
    size_t word_count;
    bool is_c;            /* not OpenCL C */
    bool is_preprocessed; /* the user's macros are expanded already */
};

uint64_t compile_hash(uint64_t hash, const void *bytes, size_t size_bytes)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size_bytes; i++)
        hash = (hash ^ at[i]) * 0x100000001B3u; /* FNV-1a */
    return hash;
}

static const char *cache_folder(void)
{
    static _Thread_local char folder[PATH_BYTES];
    const char *given = getenv("FAKECL_CACHE");
    if (given != NULL && given[0] != '\0')
        snprintf(folder, sizeof(folder), "%.400s", given);
    else
        snprintf(folder, sizeof(folder), "/tmp/fakecl-%u", (unsigned)geteuid());
    struct stat status;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return NULL;
    if (stat(folder, &status) != 0 || status.st_uid != geteuid())
        return NULL;
    return folder;
}

static bool is_option_with_value(const char *word)
{
    return strcmp(word, "-D") == 0 || strcmp(word, "-I") == 0;
}

static bool is_known_option(const char *word)
{
    static const char *const known[] = {"-cl-single-precision-constant",
                                        "-cl-denorms-are-zero",
                                        "-cl-fp32-correctly-rounded-divide-sqrt",
                                        "-cl-opt-disable",
                                        "-cl-mad-enable",
                                        "-cl-no-signed-zeros",
                                        "-cl-unsafe-math-optimizations",
                                        "-cl-finite-math-only",
                                        "-cl-fast-relaxed-math",
                                        "-cl-kernel-arg-info",
                                        "-cl-std=CL1.0",
                                        "-cl-std=CL1.1",
                                        "-cl-std=CL1.2",
                                        "-w",
                                        "-Werror"};
    if ((word[0] == '-') && (word[1] == 'D' || word[1] == 'I') && word[2] != '\0')
        return true;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(word, known[i]) == 0)
            return true;
    return false;
}

/* Cuts the options into words, in place. False: an unknown option, or too many. */
static bool cut_options(char *text, const char **words, size_t *count)
{
    bool value = false;
    char *rest = NULL;
    *count = 0;
    for (char *word = strtok_r(text, " \t\n", &rest); word != NULL;
         word = strtok_r(NULL, " \t\n", &rest)) {
        if (*count == WORDS_MAX - 30)
            return false;
        if (!value && !is_option_with_value(word) && !is_known_option(word))
            return false;
        value = !value && is_option_with_value(word);
        words[(*count)++] = word;
    }
    return !value;
}

bool compile_options_ok(const char *options)
{
    const char *words[WORDS_MAX];
    size_t count;
    char *text = state_copy_text(options);
    bool good = cut_options(text, words, &count);
    free(text);
    return good;
}

static size_t put_words(const char **argv, size_t at, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        argv[at++] = words[i];
    return at;
}

/* Two options say what is so anyway and clang does not know them all; macros are used up once. */
static bool is_dropped(const struct build *build, const char *word)
{
    return strcmp(word, "-cl-fp32-correctly-rounded-divide-sqrt") == 0 ||
           strcmp(word, "-cl-kernel-arg-info") == 0 ||
           (build->is_preprocessed && (word[1] == 'D' || word[1] == 'I'));
}

/* Runs "clang <base> <options> <words...>". */
static bool run_compiler(const struct build *build, const char *const *words, size_t word_count)
{
    static const char *const opencl[] = {"-x", "cl", "-cl-std=CL1.2"};
    static const char *const c[] = {"-x", "c"};
    const char *argv[WORDS_MAX + 16] = {compile_compiler(), "-target", "x86_64-unknown-linux-gnu"};
    size_t at = build->is_c ? put_words(argv, 3, c, 2) : put_words(argv, 3, opencl, 3);
    for (size_t i = 0; i < build->word_count; i++)
        if (build->is_preprocessed && is_option_with_value(build->words[i]))
            i++;
        else if (!is_dropped(build, build->words[i]))
            argv[at++] = build->words[i];
    at = put_words(argv, at, words, word_count);
    argv[at] = NULL;
    return compile_run(argv, build->log) == 0;
}

static uint64_t hash_file(uint64_t hash, const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0) {
        hash = compile_hash(hash, &status.st_mtim, sizeof(status.st_mtim));
        hash = compile_hash(hash, &status.st_size, sizeof(status.st_size));
    }
    return hash;
}

/* Programs depend on this library's code as well: it writes a part of them. */
static uint64_t library_hash(uint64_t hash)
{
    Dl_info info;
    bool found = dladdr((void *)&config, &info) != 0 && info.dli_fname != NULL;
    return found ? hash_file(hash, info.dli_fname) : hash;
}

static uint64_t tool_hash(void)
{
    const char *compiler = compile_compiler();
    uint64_t hash = compile_hash(0xCBF29CE484222325u + RECIPE, compiler, strlen(compiler));
    hash = hash_file(hash, compiler);
    hash = compile_hash(hash, builtins_base_text(), strlen(builtins_base_text()));
    for (unsigned part = 0; part < BUILTINS_COUNT; part++)
        hash = compile_hash(hash, builtins_text(part), strlen(builtins_text(part)));
    return hash;
}

/* The object of one part of the built-in functions, made if the cache lacks it. */
static bool make_part(const struct build *build, unsigned part, char path[PATH_BYTES])
{
    struct build plain = *build;
    char source[PATH_BYTES], object[PATH_BYTES];
    const char *base = part == BUILTINS_ITEMS ? "" : builtins_base_text();
    const char *words[] = {
        "-O0", "-fPIC", "-fvisibility=hidden", "-ffunction-sections", "-w", "-c", source,
        "-o",  object};
    plain.word_count = 0;
    plain.is_c = part == BUILTINS_ITEMS;
    snprintf(path, PATH_BYTES, "%.400s/part-%u-%016llx.o", cache_folder(), part,
             (unsigned long long)tool_hash());
    if (access(path, R_OK) == 0)
        return true;
    snprintf(source, sizeof(source), "%.480s/part%u.cl", build->folder, part);
    snprintf(object, sizeof(object), "%.480s/part%u.o", build->folder, part);
    size_t base_bytes = strlen(base), text_bytes = strlen(builtins_text(part));
    char *text = state_alloc(base_bytes + text_bytes + 1);
    memcpy(text, base, base_bytes);
    memcpy(text + base_bytes, builtins_text(part), text_bytes);
    bool good = compile_write_file(source, text, base_bytes + text_bytes) &&
                run_compiler(&plain, words, sizeof(words) / sizeof(words[0])) &&
                rename(object, path) == 0;
    free(text);
    return good;
}

/* One process at a time makes the parts, so that parallel tests do not all do the same work. */
static bool make_parts(const struct build *build, const char *program,
                       char paths[BUILTINS_COUNT][PATH_BYTES], size_t *count)
{
    char lock[PATH_BYTES];
    snprintf(lock, sizeof(lock), "%.400s/lock", cache_folder());
    int file = open(lock, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    bool good = file >= 0 && flock(file, LOCK_EX) == 0;
    *count = 0;
    for (unsigned part = 0; good && part < BUILTINS_COUNT; part++)
        if (builtins_needed(part, program))
            good = make_part(build, part, paths[(*count)++]);
    if (file >= 0)
        close(file);
    return good;
}

static char *preprocess(const struct build *build)
{
    char source[PATH_BYTES], out[PATH_BYTES];
    const char *words[] = {"-E", "-cl-no-stdinc", source, "-o", out};
    static const char first[] = "#line 1 \"program\"\n";
    snprintf(source, sizeof(source), "%.480s/source.cl", build->folder);
    snprintf(out, sizeof(out), "%.480s/preprocessed.cl", build->folder);
    size_t size = strlen(build->source) + sizeof(first) + 1, read_bytes;
    char *text = state_alloc(size);
    snprintf(text, size, "%s%s\n", first, build->source);
    bool good = compile_write_file(source, text, strlen(text)) && run_compiler(build, words, 5);
    free(text);
    return good ? (char *)compile_read_file(out, &read_bytes) : NULL;
}

static bool link_program(const struct build *build, const char *program, const char *object)
{
    char paths[BUILTINS_COUNT][PATH_BYTES], source[PATH_BYTES];
    size_t count, at = 0;
    const char *words[40];
    struct build finish = *build;
    finish.is_preprocessed = true;
    bool barriers = strstr(program, "fakecl_list[] = \"B1") != NULL;
    snprintf(source, sizeof(source), "%.480s/program.cl", build->folder);
    if (!make_parts(build, program, paths, &count) ||
        !compile_write_file(source, program, strlen(program)))
        return false;
    const char *flags[] = {barriers ? "-O0" : "-O1",
                           "-fPIC",
                           "-fvisibility=hidden",
                           "-shared",
                           "-Wl,-z,defs",
                           "-Wl,--gc-sections",
                           "-o",
                           object,
                           source,
                           "-x",
                           "none"};
    at = put_words(words, at, flags, sizeof(flags) / sizeof(flags[0]));
    for (size_t i = 0; i < count; i++)
        words[at++] = paths[i];
    words[at++] = "-lm";
    return run_compiler(&finish, words, at);
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"source.cl", "preprocessed.cl", "program.cl", "program.so",
                                        "log"};
    char path[PATH_BYTES];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%.480s/%s", folder, names[i]);
        unlink(path);
    }
    for (unsigned part = 0; part < BUILTINS_COUNT; part++) {
        snprintf(path, sizeof(path), "%.480s/part%u.cl", folder, part);
        unlink(path);
        snprintf(path, sizeof(path), "%.480s/part%u.o", folder, part);
        unlink(path);
    }
    rmdir(folder);
}

/* Compiles into the cache; the log, empty where all is well, goes to *log. */
static bool build_into(struct build *build, const char *target, char **log)
{
    char object[PATH_BYTES], *problem = NULL;
    size_t log_bytes;
    snprintf(build->log, sizeof(build->log), "%.480s/log", build->folder);
    snprintf(object, sizeof(object), "%.480s/program.so", build->folder);
    bool good = false;
    char *text = preprocess(build);
    char *callers = text != NULL ? parse_kernels(text, &problem) : NULL;
    if (callers != NULL) {
        size_t size = strlen(text) + strlen(callers) + 1;
        char *program = state_alloc(size);
        snprintf(program, size, "%s%s", text, callers);
        good = link_program(build, program, object) && rename(object, target) == 0;
        free(program);
    }
    *log = (char *)compile_read_file(build->log, &log_bytes);
    if (problem != NULL || *log == NULL) {
        free(*log);
        *log = problem != NULL ? problem : state_copy_text("");
    }
    free(callers);
    free(text);
    return good;
}

static cl_int build_once(const char *source, const char *options, const char *target, char **log)
{
    struct build build = {.source = source, .options = options};
    snprintf(build.folder, sizeof(build.folder), "%.400s/build-XXXXXX", cache_folder());
    if (mkdtemp(build.folder) == NULL)
        return CL_OUT_OF_HOST_MEMORY;
    build.option_text = state_copy_text(options);
    cut_options(build.option_text, build.words, &build.word_count);
    bool good = build_into(&build, target, log);
    remove_folder(build.folder);
    free(build.option_text);
    return good ? CL_SUCCESS : CL_BUILD_PROGRAM_FAILURE;
}

cl_int compile_source(const char *source, const char *options, struct image **image, char **log,
                      bool *compiled)
{
    char target[PATH_BYTES];
    size_t size_bytes;
    *log = NULL;
    *image = NULL;
    *compiled = false;
    if (!compile_available())
        return CL_COMPILER_NOT_AVAILABLE;
    if (cache_folder() == NULL)
        return CL_OUT_OF_HOST_MEMORY;
    uint64_t low = compile_hash(library_hash(tool_hash()), options, strlen(options) + 1);
    uint64_t high = compile_hash(~low, source, strlen(source));
    low = compile_hash(low, source, strlen(source));
    snprintf(target, sizeof(target), "%.400s/%016llx%016llx.so", cache_folder(),
             (unsigned long long)high, (unsigned long long)low);
    unsigned char *bytes = compile_read_file(target, &size_bytes);
    if (bytes == NULL) {
        *compiled = true;
        cl_int error = build_once(source, options, target, log);
        if (error != CL_SUCCESS)
            return error;
        bytes = compile_read_file(target, &size_bytes);
    }
    *image = bytes != NULL ? compile_image(bytes, size_bytes) : NULL;
    if (*image == NULL)
        unlink(target); /* it cannot be used: the next build makes it anew */
    return *image != NULL ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
}

/* Each call makes a copy with static data of its own: the loader knows files by their inode. */
static void *load_copy(const unsigned char *bytes, size_t size_bytes)
{
    static atomic_uint number;
    char path[PATH_BYTES];
    if (cache_folder() == NULL)
        return NULL;
    snprintf(path, sizeof(path), "%.400s/load-%d-%u.so", cache_folder(), (int)getpid(),
             atomic_fetch_add(&number, 1));
    void *library = NULL;
    if (compile_write_file(path, bytes, size_bytes))
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    unlink(path);
    return library;
}

static bool read_list(struct image *image, void *library, const char *list)
{
    for (const char *at = strchr(list, '\n'); at != NULL && at[1] != '\0';
         at = strchr(at + 1, '\n'))
        image->kernel_count++;
    image->kernels = state_alloc((image->kernel_count + 1) * sizeof(struct kernel_info));
    const char *at = list;
    for (cl_uint i = 0; i < image->kernel_count; i++) {
        struct kernel_info *info = &image->kernels[i];
        char name[NAME_BYTES + 32];
        int barrier = 0;
        at = strchr(at, '\n') + 1;
        if (sscanf(at, "%127s %64s %zu %zu %zu %d", info->name, info->kinds,
                   &info->required_local[0], &info->required_local[1], &info->required_local[2],
                   &barrier) != 6)
            return false;
        if (info->kinds[0] == '-')
            info->kinds[0] = '\0';
        info->has_barrier = barrier != 0 || list[2] == '1';
        info->arg_count = (cl_uint)strlen(info->kinds);
        snprintf(name, sizeof(name), "fakecl_sizes_%s", info->name);
        const size_t *sizes = dlsym(library, name);
        if (sizes == NULL)
            return false;
        memcpy(info->sizes, sizes, info->arg_count * sizeof(size_t));
    }
    return true;
}

struct image *compile_image(unsigned char *bytes, size_t size_bytes)
{
    struct image *image = state_alloc(sizeof(*image));
    image->bytes = bytes;
    image->size_bytes = size_bytes;
    void *library = load_copy(bytes, size_bytes);
    const char *list = library != NULL ? dlsym(library, "fakecl_list") : NULL;
    bool good = list != NULL && list[0] == 'B' && read_list(image, library, list);
    if (library != NULL)
        dlclose(library);
    if (good)
        return image;
    compile_free_image(image);
    return NULL;
}

void compile_free_image(struct image *image)
{
    if (image == NULL)
        return;
    free(image->bytes);
    free(image->kernels);
    free(image);
}

struct module *compile_load(const struct image *image)
{
    void *library = load_copy(image->bytes, image->size_bytes);
    if (library == NULL)
        return NULL;
    struct module *module =
        state_alloc(sizeof(*module) + image->kernel_count * sizeof(module->calls[0]));
    module->library = library;
    module->item = dlsym(library, "fakecl_item");
    for (cl_uint i = 0; i < image->kernel_count; i++) {
        char name[NAME_BYTES + 32];
        snprintf(name, sizeof(name), "fakecl_call_%s", image->kernels[i].name);
        *(void **)(void *)&module->calls[i] = dlsym(library, name);
    }
    return module;
}

void compile_unload(struct module *module)
{
    if (module == NULL)
        return;
    dlclose(module->library);
    free(module);
}
