/* The fake NVRTC: CUDA C to a shared object, by the system's clang as C++ with a prelude. Takes
 * what src/code/ makes of OpenCL C, too: entries in namespaces, functions that CUDA declares.
 *
 * What is made is kept below FAKECL_CACHE, by the hash of all that goes in. Blocks run one after
 * another, the threads of a block too, unless the text has a barrier: then each is a thread.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fakecuda/fake.h"
#include "fakecuda/image.h"

#define NVRTC_PATH 512
#define NVRTC_TEXT (1u << 20)

struct program {
    char *text;
    char entry[100];
    char log[4096];
    char lowered[128];
    bool machine; /* compiled for a card, not PTX */
    void *image;  /* a struct image_head and the shared object */
    size_t image_bytes;
};

static const char prelude[] =
    "#include <pthread.h>\n#include <unistd.h>\n"
    "struct dim3 { unsigned x, y, z; };\n"
    "static thread_local dim3 threadIdx, blockIdx;\n"
    "static dim3 blockDim, gridDim; static int fakecuda_error;\n"
    "static pthread_barrier_t fakecuda_barrier;\n"
    "#define __global__\n#define __device__\n#define __constant__\n#define __shared__ static\n"
    "#define __forceinline__ inline\n#define __launch_bounds__(n)\n"
    "#define __syncthreads() pthread_barrier_wait(&fakecuda_barrier)\n"
    "#define __trap() (fakecuda_error = 719)\n"
    "#define __nanosleep(n) usleep(1)\n"
    "#define __threadfence() __sync_synchronize()\n"
    "#define __threadfence_block() __sync_synchronize()\n"
    "#define __threadfence_system() __sync_synchronize()\n"
    "#line 1 \"kernel.cu\"\n";

/* What CUDA declares of itself and translated texts use. */
static const char prelude_functions[] =
    "#include <dlfcn.h>\n#include <math.h>\n#include <stdio.h>\n"
    "#undef isfinite\n#undef isinf\n#undef isnan\n#undef isnormal\n#undef signbit\n"
    "#undef isgreater\n#undef isgreaterequal\n#undef isless\n#undef islessequal\n"
    "#undef islessgreater\n#undef isunordered\n"
    "#define FAKECUDA_IS(name) template <class T> static bool name(T x)\\\n"
    "  { return __builtin_##name(x); }\n"
    "FAKECUDA_IS(isfinite) FAKECUDA_IS(isinf) FAKECUDA_IS(isnan) FAKECUDA_IS(isnormal)\n"
    "template <class T> static bool signbit(T x) { return __builtin_signbit(x); }\n"
    "template <class T, class U> T atomicAdd(T *p, U v) { return __atomic_fetch_add(p, (T)v, 5); "
    "}\n"
    "template <class T, class U> T atomicAnd(T *p, U v) { return __atomic_fetch_and(p, (T)v, 5); "
    "}\n"
    "template <class T, class U> T atomicOr(T *p, U v) { return __atomic_fetch_or(p, (T)v, 5); }\n"
    "template <class T, class U> T atomicXor(T *p, U v) { return __atomic_fetch_xor(p, (T)v, 5); "
    "}\n"
    "template <class T, class U> T atomicExch(T *p, U v) { T w = (T)v, o;\n"
    "  __atomic_exchange(p, &w, &o, 5); return o; }\n"
    "template <class T> T atomicCAS(T *p, T o, T v) { __atomic_compare_exchange(p, &o, &v, false, "
    "5,"
    " 5); return o; }\n"
    "template <class T> T atomicMax(T *p, T v) { T o = *p; while (o < v && "
    "!__atomic_compare_exchange(p, &o, &v, false, 5, 5)) {} return o; }\n"
    "template <class T> T atomicMin(T *p, T v) { T o = *p; while (v < o && "
    "!__atomic_compare_exchange(p, &o, &v, false, 5, 5)) {} return o; }\n"
    "static int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }\n"
    "static int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll((unsigned long)x); }\n"
    "static int __popcll(unsigned long long x) { return __builtin_popcountll(x); }\n"
    "static int __mul24(int a, int b) { return (a << 8 >> 8) * (b << 8 >> 8); }\n"
    "static unsigned __umul24(unsigned a, unsigned b) { return (a & 0xffffffu) * (b & 0xffffffu); "
    "}\n"
    "static long long __mul64hi(long long a, long long b) { return (__int128)a * b >> 64; }\n"
    "static unsigned long long __umul64hi(unsigned long long a, unsigned long long b)\n"
    "{ return (unsigned __int128)a * b >> 64; }\n"
    "static float __fdividef(float a, float b) { return a / b; }\n"
    "#define __powf powf\n"
    "#define __exp10f exp10f\n"
    "#define __sinf sinf\n"
    "#define __cosf cosf\n"
    "#define __tanf tanf\n"
    "#define __expf expf\n"
    "#define __logf logf\n"
    "#define __log2f log2f\n"
    "#define __log10f log10f\n"
    "static float rsqrtf(float a) { return 1.0f / sqrtf(a); }\n"
    "static double rsqrt(double a) { return 1.0 / sqrt(a); }\n"
    "static const double fakecuda_pi = 3.14159265358979323846;\n"
    "#define FAKECUDA_PI(name) static double name##pi(double a) { return name(a * fakecuda_pi); "
    "}\\\n"
    "  static float name##pif(float a) { return (float)name(a * fakecuda_pi); }\n"
    "FAKECUDA_PI(sin) FAKECUDA_PI(cos)\n"
    "static int __isShared(const void *p) { Dl_info a, b; return dladdr(p, &a) &&\n"
    "  dladdr(&fakecuda_barrier, &b) && a.dli_fbase == b.dli_fbase; }\n"
    "#line 1 \"kernel.cu\"\n";

static const char footer_run[] =
    "struct fakecuda_launch { unsigned grid[3], block[3]; void **args; };\n"
    "struct fakecuda_item { void **args; dim3 thread, block; };\n"
    "static void *fakecuda_one(void *p) { fakecuda_item *i = (fakecuda_item *)p;\n"
    "  threadIdx = i->thread; blockIdx = i->block; fakecuda_call(i->args); return 0; }\n"
    "static void fakecuda_block(const fakecuda_launch *l, dim3 block) {\n"
    "  unsigned n = l->block[0] * l->block[1] * l->block[2];\n"
    "  fakecuda_item *items = new_items(n); pthread_t *threads = new_threads(n);\n"
    "  if (FAKECUDA_BARRIER) pthread_barrier_init(&fakecuda_barrier, 0, n);\n"
    "  for (unsigned t = 0; t < n; t++) {\n"
    "    items[t].args = l->args; items[t].block = block;\n"
    "    items[t].thread.x = t % l->block[0];\n"
    "    items[t].thread.y = t / l->block[0] % l->block[1];\n"
    "    items[t].thread.z = t / l->block[0] / l->block[1];\n"
    "    if (!FAKECUDA_BARRIER) fakecuda_one(&items[t]);\n"
    "    else if (pthread_create(&threads[t], 0, fakecuda_one, &items[t]) != 0) __builtin_trap();\n"
    "  }\n"
    "  for (unsigned t = 0; FAKECUDA_BARRIER && t < n; t++) pthread_join(threads[t], 0);\n"
    "  if (FAKECUDA_BARRIER) pthread_barrier_destroy(&fakecuda_barrier);\n"
    "  free(items); free(threads); }\n"
    "extern \"C\" int fakecuda_run(const fakecuda_launch *l) {\n"
    "  fakecuda_error = 0;\n"
    "  gridDim.x = l->grid[0]; gridDim.y = l->grid[1]; gridDim.z = l->grid[2];\n"
    "  blockDim.x = l->block[0]; blockDim.y = l->block[1]; blockDim.z = l->block[2];\n"
    "  for (unsigned z = 0; z < gridDim.z; z++) for (unsigned y = 0; y < gridDim.y; y++)\n"
    "    for (unsigned x = 0; x < gridDim.x; x++) { dim3 b; b.x = x; b.y = y; b.z = z;\n"
    "      fakecuda_block(l, b); if (fakecuda_error) return fakecuda_error; }\n"
    "  return 0; }\n";

static const char footer_alloc[] =
    "\n#line 1 \"footer\"\n#include <stdlib.h>\nstruct fakecuda_item;\n"
    "#define new_items(n) ((fakecuda_item *)calloc(n, sizeof(fakecuda_item)))\n"
    "#define new_threads(n) ((pthread_t *)calloc(n, sizeof(pthread_t)))\n";

FAKE(int, nvrtcVersion, (int *major, int *minor))
{
    *major = 12;
    *minor = 4;
    return 0;
}

FAKE(const char *, nvrtcGetErrorString, (int error))
{
    static const char *const names[] = {"NVRTC_SUCCESS",
                                        "NVRTC_ERROR_OUT_OF_MEMORY",
                                        "NVRTC_ERROR_PROGRAM_CREATION_FAILURE",
                                        "NVRTC_ERROR_INVALID_INPUT",
                                        "NVRTC_ERROR_INVALID_PROGRAM",
                                        "NVRTC_ERROR_INVALID_OPTION",
                                        "NVRTC_ERROR_COMPILATION"};

    return error >= 0 && error <= 6 ? names[error] : "NVRTC_ERROR_INTERNAL_ERROR";
}

FAKE(int, nvrtcGetNumSupportedArchs, (int *count))
{
    *count = (int)(fake_get(FAKE_nvrtc_most) - fake_get(FAKE_nvrtc_least)) / 10 + 1;
    return 0;
}

FAKE(int, nvrtcGetSupportedArchs, (int *archs))
{
    int count = 0;

    for (long arch = fake_get(FAKE_nvrtc_least); arch <= fake_get(FAKE_nvrtc_most); arch += 10)
        archs[count++] = (int)arch;
    return 0;
}

FAKE(int, nvrtcCreateProgram,
     (void **made, const char *text, const char *name, int count, const char *const *headers,
      const char *const *names))
{
    struct program *program = calloc(1, sizeof *program);

    (void)name;
    if (count != 0 || headers != NULL || names != NULL || program == NULL) {
        free(program);
        return 3;
    }
    program->text = strdup(text);
    *made = program;
    return 0;
}

FAKE(int, nvrtcDestroyProgram, (void **handle))
{
    struct program *program = *handle;

    free(program->text);
    free(program->image);
    free(program);
    *handle = NULL;
    return 0;
}

FAKE(int, nvrtcAddNameExpression, (void *handle, const char *name))
{
    struct program *program = handle;

    (void)snprintf(program->entry, sizeof program->entry, "%s", name);
    return 0;
}

/* ---- the text that is compiled -------------------------------------------------------------- */

/* Writes to a buffer of NVRTC_TEXT bytes. */
struct writer {
    char *text;
    size_t used;
};

static void put(struct writer *to, const char *text, size_t bytes)
{
    if (bytes >= NVRTC_TEXT - to->used)
        abort(); /* longer than any test's */
    memcpy(to->text + to->used, text, bytes);
    to->used += bytes;
    to->text[to->used] = '\0';
}

static void put_text(struct writer *to, const char *text)
{
    put(to, text, strlen(text));
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* A name without its namespaces. */
static const char *plain_name(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon != NULL ? colon + 1 : name;
}

/* Opens the namespaces of a name, or closes them. */
static void put_namespaces(struct writer *to, const char *name, bool open)
{
    for (const char *end = strstr(name, "::"); end != NULL;
         name = end + 2, end = strstr(name, "::")) {
        if (open) {
            put_text(to, "namespace ");
            put(to, name, (size_t)(end - name));
        }
        put_text(to, open ? " { " : " }");
    }
    put_text(to, "\n");
}

/* Does the kernel's own text wait for other threads? (The prelude of OpenCL C names it always.) */
static bool has_barrier(const struct program *program)
{
    const char *own = strstr(program->text, "namespace fcl { namespace user {");

    if (own == NULL)
        return strstr(program->text, "__syncthreads") != NULL;
    return strstr(own, "barrier") != NULL || strstr(own, "wait_group_events") != NULL ||
           strstr(own, "async_work_group") != NULL;
}

/* The '(' behind the kernel's name, or NULL. */
static const char *find_parameters(const char *text, const char *entry)
{
    size_t length = strlen(entry);

    for (const char *at = strstr(text, entry); at != NULL; at = strstr(at + 1, entry)) {
        const char *behind = at + length + strspn(at + length, " \n");
        if ((at == text || !is_name(at[-1])) && *behind == '(')
            return behind;
    }
    return NULL;
}

/* Types of the parameters, without their names, into types[0..IMAGE_PARAMS). */
static unsigned cut_parameters(const char *open, char types[IMAGE_PARAMS][100])
{
    unsigned count = 0;
    const char *end = strchr(open, ')');

    for (const char *at = open + 1; end != NULL && at < end && count < IMAGE_PARAMS;) {
        size_t length = strcspn(at, ",)"), kept = length;
        while (kept > 0 && isspace((unsigned char)at[kept - 1]))
            kept--;
        while (kept > 0 && is_name(at[kept - 1]))
            kept--;
        if (kept > 0)
            (void)snprintf(types[count++], 100, "%.*s", (int)kept, at);
        at += length + 1;
    }
    return count;
}

/* "extern __shared__ T name[];" stays a declaration; its memory is defined behind the text. */
static void put_kernel(struct writer *to, struct writer *shared, const char *text)
{
    static const char wanted[] = "extern __shared__";

    for (const char *at = text; *at != '\0';) {
        const char *found = strstr(at, wanted);
        if (found == NULL) {
            put_text(to, at);
            return;
        }
        const char *declared = found + strlen(wanted);
        put(to, at, (size_t)(found - at));
        put_text(to, "extern");
        if (shared->used == 0) {
            put_text(shared, "alignas(16) ");
            put(shared, declared, strcspn(declared, "["));
            put_text(shared, "[131072];\n");
        }
        at = declared;
    }
}

static void put_footer(struct writer *to, const struct program *program, const char *open)
{
    static char types[IMAGE_PARAMS][100];
    static const char bounds[] = "__launch_bounds__(";
    const char *bound = strstr(program->text, bounds);
    char line[400];
    unsigned count = cut_parameters(open, types);

    put_text(to, footer_alloc);
    put_namespaces(to, program->entry, true);
    (void)snprintf(line, sizeof line,
                   "#define FAKECUDA_BARRIER %d\nextern \"C\" { extern const unsigned "
                   "fakecuda_count, fakecuda_threads, fakecuda_sizes[]; const unsigned "
                   "fakecuda_count = %u; const unsigned fakecuda_threads = %d; const unsigned "
                   "fakecuda_sizes[] = {",
                   has_barrier(program), count,
                   bound != NULL ? atoi(bound + strlen(bounds)) : 1024);
    put_text(to, line);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(line, sizeof line, "sizeof(%s), ", types[i]);
        put_text(to, line);
    }
    (void)snprintf(line, sizeof line, "0}; }\nstatic void fakecuda_call(void **a) { %s(",
                   plain_name(program->entry));
    put_text(to, line);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(line, sizeof line, "%s*(%s *)a[%u]", i > 0 ? ", " : "", types[i], i);
        put_text(to, line);
    }
    put_text(to, "); (void)a; }\n");
    put_namespaces(to, program->entry, false);
    if (strstr(program->entry, "::") != NULL)
        put_text(to, "using fcl::user::fakecuda_call;\n");
    put_text(to, footer_run);
}

/* [give] The whole text, or NULL without the kernel. */
static char *program_text(struct program *program)
{
    const char *open = find_parameters(program->text, plain_name(program->entry));
    struct writer to = {malloc(NVRTC_TEXT), 0}, shared = {malloc(NVRTC_TEXT), 0};

    if (open == NULL) {
        (void)snprintf(program->log, sizeof program->log,
                       "error: name expression \"%s\" is not a function", program->entry);
        free(to.text);
        free(shared.text);
        return NULL;
    }
    put_text(&to, prelude);
    if (strstr(program->entry, "::") != NULL)
        put_text(&to, prelude_functions);
    put_kernel(&to, &shared, program->text);
    put_text(&to, "\n");
    if (shared.used > 0)
        put_text(&to, shared.text);
    put_footer(&to, program, open);
    free(shared.text);
    return to.text;
}

/* ---- compiling ------------------------------------------------------------------------------ */

static void cache_folder(char *path)
{
    const char *given = getenv("FAKECL_CACHE");

    if (given != NULL && given[0] != '\0')
        (void)snprintf(path, NVRTC_PATH, "%.300s", given);
    else
        (void)snprintf(path, NVRTC_PATH, "/tmp/fastgpu-fakecuda-%d", (int)getuid());
    (void)mkdir(path, 0700);
}

static uint64_t text_hash(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash * 31 + 7;
}

static void *read_whole(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    char *memory = NULL;

    if (file == NULL)
        return NULL;
    if (fstat(fileno(file), &status) == 0) {
        *bytes = (size_t)status.st_size;
        memory = calloc(1, *bytes + 1);
        if (memory != NULL && fread(memory, 1, *bytes, file) != *bytes) {
            free(memory);
            memory = NULL;
        }
    }
    (void)fclose(file);
    return memory;
}

/* Runs clang; false with its words in the log. */
static bool run_clang(struct program *program, const char *text, const char *options,
                      const char *object)
{
    char source[NVRTC_PATH + 16], log[NVRTC_PATH + 16], command[4 * NVRTC_PATH];
    const char *compiler = getenv("FAKECL_CC");
    FILE *file = NULL;
    bool good = false;
    size_t bytes = 0;

    (void)snprintf(source, sizeof source, "%.500s.cu", object);
    (void)snprintf(log, sizeof log, "%.500s.log", object);
    file = fopen(source, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        return false;
    (void)snprintf(command, sizeof command,
                   "%.100s -x c++ -std=c++17 -O1 -w -ffp-contract=off -fPIC -shared "
                   "-fno-exceptions -nostdinc++ "
                   "-nostdlib++ %.300s '%s' -o '%s' -lpthread > '%s' 2>&1",
                   compiler != NULL && compiler[0] != '\0' ? compiler : "clang", options, source,
                   object, log);
    good = system(command) == 0;
    (void)atomic_fetch_add(&fake_settings[FAKE_compiled], 1);
    if (!good) {
        char *words = read_whole(log, &bytes);
        (void)snprintf(program->log, sizeof program->log, "%.4000s", words != NULL ? words : "");
        free(words);
    }
    (void)unlink(source);
    (void)unlink(log);
    return good;
}

static bool take_object(struct program *program, const char *path)
{
    struct image_head head = {.magic = IMAGE_MAGIC};
    size_t bytes = 0;
    void *object = read_whole(path, &bytes);

    if (object == NULL)
        return false;
    head.bytes = bytes;
    memcpy(head.name, program->lowered, sizeof head.name);
    program->image_bytes = sizeof head + bytes;
    program->image = malloc(program->image_bytes);
    memcpy(program->image, &head, sizeof head);
    memcpy((char *)program->image + sizeof head, object, bytes);
    free(object);
    return true;
}

/* Of no meaning on a CPU. */
static bool is_known_option(const char *option)
{
    static const char *const known[] = {"-default-device", "-w", "--use_fast_math", "--ftz=true"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(option, known[i]) == 0)
            return true;
    return false;
}

/* Defines are for clang too; the architecture is looked at here; others are not known. */
static bool read_options(struct program *program, int count, const char *const *options,
                         char *defines)
{
    for (int i = 0; i < count; i++) {
        if (strncmp(options[i], "--gpu-architecture=", 19) == 0)
            program->machine = strncmp(options[i] + 19, "sm_", 3) == 0;
        else if (strncmp(options[i], "--std=", 6) == 0 && strlen(defines) < 200)
            (void)sprintf(defines + strlen(defines), "-%.20s ", options[i] + 1);
        else if (is_known_option(options[i]))
            continue;
        else if (strncmp(options[i], "-D", 2) == 0 && strlen(defines) < 200)
            (void)sprintf(defines + strlen(defines), "%.90s ", options[i]);
        else
            return false;
    }
    return true;
}

FAKE(int, nvrtcCompileProgram, (void *handle, int count, const char *const *options))
{
    struct program *program = handle;
    char folder[NVRTC_PATH], path[NVRTC_PATH + 64], made[NVRTC_PATH + 96], defines[400] = "";
    static atomic_int number;
    char *text = NULL;
    uint64_t hash;
    bool is_c = strstr(program->text, "extern \"C\"") != NULL;

    if (!read_options(program, count, options, defines)) {
        (void)snprintf(program->log, sizeof program->log, "nvrtc: error: unrecognized option");
        return 5;
    }
    text = program_text(program);
    if (text == NULL)
        return 6;
    (void)snprintf(program->lowered, sizeof program->lowered, "%s%s", is_c ? "" : "_Zfake_",
                   plain_name(program->entry));
    cache_folder(folder);
    hash = text_hash(text_hash(0xcbf29ce484222325u, text), defines);
    (void)snprintf(path, sizeof path, "%s/cuda-%016llx.so", folder, (unsigned long long)hash);
    (void)snprintf(made, sizeof made, "%s.%d.%d", path, (int)getpid(),
                   atomic_fetch_add(&number, 1));
    if (!take_object(program, path) && run_clang(program, text, defines, made) &&
        rename(made, path) == 0)
        (void)take_object(program, path);
    free(text);
    return program->image != NULL ? 0 : 6;
}

FAKE(int, nvrtcGetProgramLogSize, (void *handle, size_t *bytes))
{
    *bytes = strlen(((struct program *)handle)->log) + 1;
    return 0;
}

FAKE(int, nvrtcGetProgramLog, (void *handle, char *log))
{
    memcpy(log, ((struct program *)handle)->log, strlen(((struct program *)handle)->log) + 1);
    return 0;
}

FAKE(int, nvrtcGetLoweredName, (void *handle, const char *name, const char **found))
{
    struct program *program = handle;

    *found = program->lowered;
    return strcmp(name, program->entry) == 0 && program->image != NULL ? 0 : 10;
}

static int give(const struct program *program, bool machine, void *to)
{
    if (program->image == NULL || program->machine != machine)
        return 4;
    memcpy(to, program->image, program->image_bytes);
    return 0;
}

FAKE(int, nvrtcGetCUBINSize, (void *handle, size_t *bytes))
{
    const struct program *program = handle;

    *bytes = program->machine ? program->image_bytes : 0;
    return 0;
}

FAKE(int, nvrtcGetCUBIN, (void *handle, char *cubin))
{
    return give(handle, true, cubin);
}

FAKE(int, nvrtcGetPTXSize, (void *handle, size_t *bytes))
{
    *bytes = ((struct program *)handle)->image_bytes;
    return 0;
}

FAKE(int, nvrtcGetPTX, (void *handle, char *ptx))
{
    return give(handle, false, ptx);
}
