/* The fake NVRTC: CUDA C to a shared object, by the system's clang as C++ with a prelude.
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
    "#include <dlfcn.h>\n#include <pthread.h>\n#include <unistd.h>\n"
    "struct dim3 { unsigned x, y, z; };\n"
    "static thread_local dim3 threadIdx, blockIdx;\n"
    "static dim3 blockDim, gridDim; static int fakecuda_error;\n"
    "static pthread_barrier_t fakecuda_barrier;\n"
    "#define __global__\n#define __device__\n#define __constant__\n#define __shared__ static\n"
    "#define __forceinline__ inline\n#define __launch_bounds__(n)\n"
    "#define __syncthreads() pthread_barrier_wait(&fakecuda_barrier)\n"
    "#define __trap() (fakecuda_error = 719)\n"
    "#define __nanosleep(n) usleep(1)\n";

/* What CUDA declares without being asked: what the translation of OpenCL C uses of it. */
static const char prelude_math[] =
    "extern \"C\" { int printf(const char *, ...);\n"
    "#define F1(n) float n##f(float); double n(double);\n"
    "#define F2(n) float n##f(float, float); double n(double, double);\n"
    "F1(acos) F1(acosh) F1(asin) F1(asinh) F1(atan) F1(atanh) F1(cbrt) F1(ceil) F1(cos) F1(cosh)\n"
    "F1(erf) F1(erfc) F1(exp) F1(exp10) F1(exp2) F1(expm1) F1(fabs) F1(floor) F1(lgamma) F1(log)\n"
    "F1(log10) F1(log1p) F1(log2) F1(logb) F1(rint) F1(round) F1(sin) F1(sinh) F1(sqrt) F1(tan)\n"
    "F1(tanh) F1(tgamma) F1(trunc) F2(atan2) F2(copysign) F2(fdim) F2(fmax) F2(fmin) F2(fmod)\n"
    "F2(hypot) F2(nextafter) F2(pow) F2(remainder)\n"
    "float fmaf(float, float, float); double fma(double, double, double);\n"
    "float ldexpf(float, int); double ldexp(double, int); int ilogbf(float); int ilogb(double);\n"
    "float frexpf(float, int *); double frexp(double, int *); float modff(float, float *);\n"
    "double modf(double, double *); void sincosf(float, float *, float *);\n"
    "void sincos(double, double *, double *); float remquof(float, float, int *);\n"
    "double remquo(double, double, int *); }\n"
    "#undef F1\n#undef F2\n"
    "inline double rsqrt(double a) { return 1 / sqrt(a); }\n"
    "inline float rsqrtf(float a) { return (float)rsqrt(a); }\n"
    "inline double sinpi(double a) { return sin(remainder(a, 2) * 3.14159265358979323846); }\n"
    "inline double cospi(double a) { return cos(remainder(a, 2) * 3.14159265358979323846); }\n"
    "inline float sinpif(float a) { return (float)sinpi(a); }\n"
    "inline float cospif(float a) { return (float)cospi(a); }\n"
    "inline float __cosf(float a) { return cosf(a); } inline float __sinf(float a) "
    "{ return sinf(a); }\n"
    "inline float __tanf(float a) { return tanf(a); } inline float __expf(float a) "
    "{ return expf(a); }\n"
    "inline float __exp10f(float a) { return exp10f(a); } inline float __logf(float a) "
    "{ return logf(a); }\n"
    "inline float __log10f(float a) { return log10f(a); } inline float __log2f(float a) "
    "{ return log2f(a); }\n"
    "inline float __fdividef(float a, float b) { return a / b; }\n"
    "inline float __powf(float a, float b) { return powf(a, b); }\n"
    "inline bool isinf(double a) { return a == a && a - a != 0; }\n"
    "inline int __clz(int a) { return a == 0 ? 32 : __builtin_clz((unsigned)a); }\n"
    "inline int __clzll(long long a) { return a == 0 ? 64 : "
    "__builtin_clzll((unsigned long long)a); }\n"
    "inline int __popcll(unsigned long long a) { return __builtin_popcountll(a); }\n"
    "inline long long __mul64hi(long long a, long long b) { return (long long)"
    "(((__int128)a * b) >> 64); }\n"
    "inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) "
    "{ return (unsigned long long)(((unsigned __int128)a * b) >> 64); }\n"
    "inline float fakecuda_next(float a, float b) { return nextafterf(a, b); }\n"
    "inline double fakecuda_next(double a, double b) { return nextafter(a, b); }\n"
    /* A long double holds 64 bits. */
    "template <class F> F fakecuda_round(long double v, bool up) { F r = (F)v;\n"
    "  return up && r < v ? fakecuda_next(r, (F)1e30) : !up && r > v ? "
    "fakecuda_next(r, (F)-1e30) : r; }\n"
    "#define R(F, name, V) inline F name##_rz(V v) { return fakecuda_round<F>(v, v < 0); }\\\n"
    "  inline F name##_ru(V v) { return fakecuda_round<F>(v, true); }\\\n"
    "  inline F name##_rd(V v) { return fakecuda_round<F>(v, false); }\n"
    "R(float, __ll2float, long long) R(float, __ull2float, unsigned long long)\n"
    "R(double, __ll2double, long long) R(double, __ull2double, unsigned long long)\n#undef R\n"
    "inline int __mul24(int a, int b) { return (int)((unsigned)(a << 8 >> 8) * "
    "(unsigned)(b << 8 >> 8)); }\n"
    "inline unsigned __umul24(unsigned a, unsigned b) { return (a & 0xffffff) * "
    "(b & 0xffffff); }\n"
    "inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }\n"
    "inline void __threadfence_block() { __threadfence(); }\n"
    "inline void __threadfence_system() { __threadfence(); }\n"
    "inline bool __isShared(const void *p) { Dl_info i; return dladdr(p, &i) != 0; }\n"
    "#define A(name, op) template <class T> inline T name(T *p, T v) { return op(p, v, "
    "__ATOMIC_SEQ_CST); }\n"
    "A(atomicAdd, __atomic_fetch_add) A(atomicAnd, __atomic_fetch_and)\n"
    "A(atomicOr, __atomic_fetch_or) A(atomicXor, __atomic_fetch_xor)\n"
    "A(atomicExch, __atomic_exchange_n) A(atomicMax, __atomic_fetch_max)\n"
    "A(atomicMin, __atomic_fetch_min)\n#undef A\n"
    "template <class T> inline T atomicCAS(T *p, T old, T v) { __atomic_compare_exchange_n(p, "
    "&old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); return old; }\n";

static const char prelude_line[] = "#line 1 \"kernel.cu\"\n";

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
    "\n#line 1 \"footer\"\n#undef NULL\n#include <stdlib.h>\nstruct fakecuda_item;\n"
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

/* Finds sizes of the parameters, and calls the kernel with values of them. */
static const char footer_call[] =
    "extern \"C\" { unsigned fakecuda_count, fakecuda_sizes[66]; }\n"
    "template <int... I> struct fakecuda_list {};\n"
    "template <class T, T... I> struct fakecuda_numbers { typedef fakecuda_list<I...> list; };\n"
    /* Values lie anywhere. */
    "template <class P> P fakecuda_value(void *a) { union U { P v; U() {} } u;\n"
    "  __builtin_memcpy((void *)&u.v, a, sizeof(P)); return u.v; }\n"
    "template <class... P, int... I>\n"
    "void fakecuda_with(void (*f)(P...), void **a, fakecuda_list<I...>) "
    "{ f(fakecuda_value<P>(a[I])...); (void)a; }\n"
    "template <class... P> void fakecuda_apply(void (*f)(P...), void **a)\n"
    "{ fakecuda_with(f, a, typename __make_integer_seq<fakecuda_numbers, int, "
    "sizeof...(P)>::list()); }\n"
    "template <class... P> bool fakecuda_measure(void (*)(P...))\n"
    "{ unsigned sizes[] = {sizeof(P)..., 0}; for (; fakecuda_count < sizeof...(P) && "
    "fakecuda_count < 65; fakecuda_count++) fakecuda_sizes[fakecuda_count] = "
    "sizes[fakecuda_count]; return true; }\n";

/* Does a thread of the block wait for another? The translation's own text names barriers always. */
static bool has_barrier(const char *text)
{
    const char *user = strstr(text, "namespace user {");

    if (user == NULL)
        return strstr(text, "__syncthreads") != NULL;
    return strstr(user, "barrier") != NULL || strstr(user, "wait_group_events") != NULL;
}

static void put_footer(struct writer *to, const struct program *program)
{
    static const char bounds[] = "__launch_bounds__(";
    const char *bound = strstr(program->text, bounds);
    char line[600];

    put_text(to, footer_alloc);
    put_text(to, footer_call);
    (void)snprintf(line, sizeof line,
                   "#define FAKECUDA_BARRIER %d\nextern \"C\" { extern const unsigned "
                   "fakecuda_threads; const unsigned fakecuda_threads = %d; }\n"
                   "static bool fakecuda_measured = fakecuda_measure(&%s);\n"
                   "static void fakecuda_call(void **a) { fakecuda_apply(&%s, a); }\n",
                   has_barrier(program->text), bound != NULL ? atoi(bound + strlen(bounds)) : 1024,
                   program->entry, program->entry);
    put_text(to, line);
    put_text(to, footer_run);
}

/* [give] The whole text, or NULL without the kernel. */
static char *program_text(struct program *program)
{
    bool found = strstr(program->entry, "::") != NULL ||
                 find_parameters(program->text, program->entry) != NULL;
    struct writer to = {malloc(NVRTC_TEXT), 0}, shared = {malloc(NVRTC_TEXT), 0};

    if (!found) {
        (void)snprintf(program->log, sizeof program->log,
                       "error: name expression \"%s\" is not a function", program->entry);
        free(to.text);
        free(shared.text);
        return NULL;
    }
    put_text(&to, prelude);
    put_text(&to, prelude_math);
    put_text(&to, prelude_line);
    put_kernel(&to, &shared, program->text);
    put_text(&to, "\n");
    if (shared.used > 0)
        put_text(&to, shared.text);
    put_footer(&to, program);
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
                   "%.100s -x c++ -std=c++20 -O1 -w -fPIC -shared -fno-exceptions -nostdinc++ "
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

/* Options that say nothing to clang. */
static bool is_flag(const char *option)
{
    static const char *const flags[] = {"-default-device", "--std=c++20", "-w",
                                        "--use_fast_math", "--ftz=true",  "--fmad=false"};

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(option, flags[i]) == 0)
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
        else if (strncmp(options[i], "-D", 2) == 0 && strlen(defines) < 200)
            (void)sprintf(defines + strlen(defines), "%.90s ", options[i]);
        else if (!is_flag(options[i]))
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
                   program->entry);
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
