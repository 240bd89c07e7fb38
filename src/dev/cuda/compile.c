/* NVRTC and the cache: see compile.h.
 *
 * NVRTC makes machine code where it knows the card, else PTX for the newest architecture below the
 * card's, which the driver translates. A cached file is a head, the kernel's lowered name and the
 * code.
 */
#include "dev/cuda/compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/limits.h"
#include "dev/cuda/text.h"
#include "dev/host/binaries.h"

#define COMPILE_KEY_FORMAT "fastgpu-cuda-1" /* changes when what is cached changes its meaning */
#define COMPILE_KEY_SEED 0x63756461u
#define COMPILE_OPTIONS 64u
#define COMPILE_ARCHS 128u
#define COMPILE_ALIGN 16u

struct compile_head {
    uint64_t name_bytes; /* with NUL, rounded up */
    uint64_t code_bytes;
};

/* One compilation. */
struct compile {
    const struct cuda_nvrtc *nvrtc;
    struct cuda_device *device;
    const fgpu_code_source *source;
    int version[2];  /* of NVRTC */
    char target[40]; /* --gpu-architecture=... */
    bool machine;    /* of the card itself: machine code */
    void *program;
};

void cuda_compile_free(struct cuda_image *image)
{
    free(image->memory);
    *image = (struct cuda_image){NULL, NULL, NULL};
}

void cuda_compile_say(fgpu_code_built *built, const char *text)
{
    char *joined = NULL;
    const char *log = built->log != NULL ? built->log : "";

    if (asprintf(&joined, "%s%s%s", text, log[0] != '\0' ? "\n" : "", log) < 0)
        return;
    free(built->log);
    built->log = joined;
}

/* ---- the cache ------------------------------------------------------------------------------ */

/* Does what is compiled depend on files that nobody hands to us? Then it is not kept: they may
 * change. Anything that looks like it counts, also in a comment. */
static bool compile_reads_files(const fgpu_code_source *source)
{
    const char *at = source->text;

    if (strstr(source->options, "-I") != NULL || strstr(source->options, "include") != NULL)
        return true;
    while ((at = strstr(at, "include")) != NULL) {
        const char *before = at;
        while (before > source->text && (before[-1] == ' ' || before[-1] == '\t'))
            before--;
        if (before > source->text && before[-1] == '#')
            return true;
        at++;
    }
    return false;
}

static bool compile_key(const struct compile *compile, struct hash128 *key)
{
    const fgpu_code_source *source = compile->source;
    char *text = NULL;
    int bytes =
        asprintf(&text, "%s|%d.%d|%s|%zu|%s|%zu|%s|%s", COMPILE_KEY_FORMAT, compile->version[0],
                 compile->version[1], compile->target, strlen(source->options), source->options,
                 strlen(source->entry), source->entry, source->text);

    if (bytes < 0)
        return false;
    *key = hash128(text, (size_t)bytes, COMPILE_KEY_SEED);
    free(text);
    return true;
}

/* Takes the bytes over; false where they are none of ours. */
static bool compile_open(void *bytes, size_t size_bytes, struct cuda_image *image)
{
    struct compile_head head;
    char *name = (char *)bytes + sizeof head;

    if (size_bytes < sizeof head)
        return false;
    memcpy(&head, bytes, sizeof head);
    if (head.name_bytes == 0 || head.name_bytes > size_bytes || head.code_bytes == 0 ||
        head.code_bytes > size_bytes ||
        sizeof head + head.name_bytes + head.code_bytes != size_bytes ||
        name[head.name_bytes - 1] != '\0')
        return false;
    *image = (struct cuda_image){bytes, name + head.name_bytes, name};
    return true;
}

static bool compile_load(const struct compile *compile, struct hash128 key,
                         struct cuda_image *image)
{
    void *bytes = NULL;
    size_t size_bytes = 0;

    if (binaries_load(compile->source->cache_dir, key, &bytes, &size_bytes) != FGPU_OK)
        return false;
    if (compile_open(bytes, size_bytes, image))
        return true;
    free(bytes);
    return false;
}

/* ---- the compiler --------------------------------------------------------------------------- */

/* Does the text of options choose an architecture itself? */
static bool compile_has_target(const char *options)
{
    return strstr(options, "-arch") != NULL || strstr(options, "--gpu-architecture") != NULL;
}

static fgpu_status compile_choose(struct compile *compile)
{
    int archs[COMPILE_ARCHS];
    int count = 0, card = (int)compile->device->arch, best = 0;

    if (compile->nvrtc->arch_count(&count) != 0 || count < 1 || count > (int)COMPILE_ARCHS ||
        compile->nvrtc->archs(archs) != 0)
        return error_set(FGPU_E_DEVICE, "cuda:%u: NVRTC does not say what it compiles for",
                         compile->device->index);
    for (int i = 0; i < count; i++)
        if (archs[i] <= card && archs[i] > best)
            best = archs[i];
    if (best == 0)
        return error_set(FGPU_E_UNSUPPORTED,
                         "cuda:%u: NVRTC %d.%d compiles for capability %d.%d and newer, the card "
                         "has %d.%d; install an older NVRTC (FASTGPU_NVRTC_LIBRARY)",
                         compile->device->index, compile->version[0], compile->version[1],
                         archs[0] / 10, archs[0] % 10, card / 10, card % 10);
    compile->machine = best == card;
    (void)snprintf(compile->target, sizeof compile->target, "--gpu-architecture=%s_%d",
                   compile->machine ? "sm" : "compute", best);
    return FGPU_OK;
}

static void compile_log(const struct compile *compile, fgpu_code_built *built)
{
    size_t bytes = 0;
    char *log = NULL;

    if (compile->nvrtc->log_bytes(compile->program, &bytes) != 0 || bytes <= 1)
        return;
    log = calloc(1, bytes + 1);
    if (log != NULL && compile->nvrtc->log(compile->program, log) == 0 &&
        log[strspn(log, " \t\r\n")] != '\0')
        built->log = log;
    else
        free(log);
}

static fgpu_status compile_fail(const struct compile *compile, int error, fgpu_code_built *built)
{
    char text[LIMITS_ERROR_TEXT];
    fgpu_status status = FGPU_E_DEVICE;

    (void)snprintf(text, sizeof text, "cuda:%u: building \"%.100s\" failed: %s (%d)",
                   compile->device->index, compile->source->entry,
                   compile->nvrtc->error_string(error), error);
    if (error == NVRTC_ERROR_COMPILATION || error == NVRTC_ERROR_INVALID_OPTION ||
        error == NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID)
        status = FGPU_E_BUILD;
    else if (error == NVRTC_ERROR_OUT_OF_MEMORY)
        status = FGPU_E_NOMEM;
    if (status == FGPU_E_BUILD)
        cuda_compile_say(built, text);
    return error_set(status, "%s", text);
}

/* Options are separated by blanks. `words` is a copy of them that is cut up here. */
static int compile_split(char *words, const char **options, int count)
{
    char *rest = NULL;

    for (char *word = strtok_r(words, " \t\r\n", &rest); word != NULL;
         word = strtok_r(NULL, " \t\r\n", &rest)) {
        if (count == (int)COMPILE_OPTIONS)
            return -1;
        options[count++] = word;
    }
    return count;
}

static int compile_run(struct compile *compile)
{
    const char *options[COMPILE_OPTIONS] = {compile->target};
    char *words = strdup(compile->source->options);
    int count = compile_has_target(compile->source->options) ? 0 : 1;
    int error = NVRTC_ERROR_OUT_OF_MEMORY;

    if (words == NULL)
        return error;
    count = compile_split(words, options, count);
    error = count < 0 ? NVRTC_ERROR_INVALID_OPTION
                      : compile->nvrtc->add_name(compile->program, compile->source->entry);
    if (error == 0)
        error = compile->nvrtc->compile(compile->program, count, options);
    free(words);
    return error;
}

/* Head, name and code in one piece of memory, as it is cached. */
static int compile_collect(const struct compile *compile, void **bytes, size_t *size_bytes)
{
    const struct cuda_nvrtc *nvrtc = compile->nvrtc;
    struct compile_head head = {0, 0};
    const char *name = NULL;
    size_t code_bytes = 0;
    int error = nvrtc->lowered(compile->program, compile->source->entry, &name);
    bool machine = false;
    char *made = NULL;

    if (error != 0)
        return error;
    machine = nvrtc->cubin_bytes(compile->program, &code_bytes) == 0 && code_bytes != 0;
    if (!machine)
        error = nvrtc->ptx_bytes(compile->program, &code_bytes);
    if (error != 0)
        return error;
    head.name_bytes = (strlen(name) + COMPILE_ALIGN) / COMPILE_ALIGN * COMPILE_ALIGN;
    head.code_bytes = code_bytes;
    *size_bytes = sizeof head + head.name_bytes + head.code_bytes;
    made = calloc(1, *size_bytes);
    if (made == NULL)
        return NVRTC_ERROR_OUT_OF_MEMORY;
    memcpy(made, &head, sizeof head);
    memcpy(made + sizeof head, name, strlen(name) + 1);
    error = machine ? nvrtc->cubin(compile->program, made + sizeof head + head.name_bytes)
                    : nvrtc->ptx(compile->program, made + sizeof head + head.name_bytes);
    if (error == 0)
        *bytes = made;
    else
        free(made);
    return error;
}

static fgpu_status compile_make(struct compile *compile, fgpu_code_built *built, void **bytes,
                                size_t *size_bytes)
{
    int error = compile->nvrtc->create(&compile->program, compile->source->text, "kernel.cu", 0,
                                       NULL, NULL);

    if (error != 0)
        return compile_fail(compile, error, built);
    error = compile_run(compile);
    compile_log(compile, built);
    if (error == 0)
        error = compile_collect(compile, bytes, size_bytes);
    (void)compile->nvrtc->destroy(&compile->program);
    return error == 0 ? FGPU_OK : compile_fail(compile, error, built);
}

static fgpu_status compile_begin(struct compile *compile, fgpu_code_built *built)
{
    char why[LIMITS_ERROR_TEXT] = "";
    fgpu_status status =
        cuda_loader_nvrtc(compile->device->api->version, &compile->nvrtc, why, sizeof why);

    if (status != FGPU_OK) {
        cuda_compile_say(built, why);
        return error_set(status, "cuda:%u: %s", compile->device->index, why);
    }
    if (compile->nvrtc->version(&compile->version[0], &compile->version[1]) != 0)
        compile->version[0] = compile->version[1] = 0;
    return compile_choose(compile);
}

fgpu_status cuda_compile(struct cuda_device *device, const fgpu_code_source *source,
                         fgpu_code_built *built, struct cuda_image *image)
{
    struct compile compile = {.device = device, .source = source};
    struct hash128 key = {0, 0};
    void *bytes = NULL;
    size_t size_bytes = 0;
    fgpu_status status = compile_begin(&compile, built);
    bool keyed = status == FGPU_OK && source->cache_dir != NULL && !compile_reads_files(source) &&
                 compile_key(&compile, &key);

    if (keyed && compile_load(&compile, key, image)) {
        built->cached = 1;
        return FGPU_OK;
    }
    if (status == FGPU_OK)
        status = compile_make(&compile, built, &bytes, &size_bytes);
    if (status != FGPU_OK)
        return status;
    if (keyed) /* what cannot be kept works all the same */
        (void)binaries_store(source->cache_dir, key, bytes, size_bytes);
    return compile_open(bytes, size_bytes, image) ? FGPU_OK : FGPU_E_DEVICE;
}
