/* Opens NVIDIA's libraries and fills the tables of entry points: see loader.h. */
#include "dev/cuda/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/fork.h"
#include "base/lock.h"
#include "dev/cuda/text.h"

#define LOADER_PATH 512u
#define LOADER_FIELDS 64u /* entry points of one library, at most */

/* What is to be looked for in a library: symbols, and how many of them must be there. */
struct loader_kind {
    const char *const *paths; /* usual names, the best first; NULL behind the last */
    const char *const *symbols;
    uint32_t count;
    uint32_t required;
};

struct loader_library {
    const struct loader_kind *kind;
    char path[LOADER_PATH]; /* what the environment named, or "" */
    union {
        struct cuda_api driver;
        struct cuda_nvrtc nvrtc;
        struct cuda_nvml nvml;
        unsigned char bytes[LOADER_FIELDS * sizeof(void *)]; /* one entry point behind the other */
    } table;
    bool started;
    struct loader_library *next;
};

static struct lock loader_lock;
static _Atomic uint32_t loader_forks; /* fork_count() + 1 when it was first asked; 0: never */
static struct loader_library *loader_opened; /* never freed: see loader.h */

#define LOADER_NAME(field, symbol, ...) symbol,
static const char *const driver_symbols[] = {CUDA_DRIVER_REQUIRED(LOADER_NAME)
                                                 CUDA_DRIVER_OPTIONAL(LOADER_NAME)};
static const char *const nvrtc_symbols[] = {CUDA_NVRTC_REQUIRED(LOADER_NAME)};
static const char *const nvml_symbols[] = {CUDA_NVML_REQUIRED(LOADER_NAME)};
#undef LOADER_NAME
#define LOADER_ONE(field, symbol, ...) +1u
static const char *const driver_paths[] = {"libcuda.so.1", NULL};
static const char *const nvrtc_paths[] = {
    "libnvrtc.so.13",
    "libnvrtc.so.12",
    "libnvrtc.so",
    "/usr/local/cuda/lib64/libnvrtc.so.13",
    "/usr/local/cuda/lib64/libnvrtc.so.12",
    NULL,
};
/* A driver of version 12 does not load what a compiler of version 13 makes. */
static const char *const nvrtc_old_paths[] = {
    "libnvrtc.so.12",
    "libnvrtc.so",
    "/usr/local/cuda/lib64/libnvrtc.so.12",
    NULL,
};
static const char *const nvml_paths[] = {"libnvidia-ml.so.1", NULL};
#define LOADER_COUNT(symbols) (sizeof(symbols) / sizeof *(symbols))
static const struct loader_kind kind_driver = {
    driver_paths, driver_symbols, LOADER_COUNT(driver_symbols), 0 CUDA_DRIVER_REQUIRED(LOADER_ONE)};
static const struct loader_kind kind_nvrtc = {
    nvrtc_paths, nvrtc_symbols, LOADER_COUNT(nvrtc_symbols), LOADER_COUNT(nvrtc_symbols)};
static const struct loader_kind kind_nvrtc_old = {
    nvrtc_old_paths, nvrtc_symbols, LOADER_COUNT(nvrtc_symbols), LOADER_COUNT(nvrtc_symbols)};
static const struct loader_kind kind_nvml = {nvml_paths, nvml_symbols, LOADER_COUNT(nvml_symbols),
                                             LOADER_COUNT(nvml_symbols)};

_Static_assert(LOADER_COUNT(driver_symbols) <= LOADER_FIELDS, "the table holds all");
_Static_assert(offsetof(struct cuda_api, version) == sizeof(void *) * LOADER_COUNT(driver_symbols),
               "the table begins with the entry points");
_Static_assert(sizeof(struct cuda_nvrtc) == sizeof(void *) * LOADER_COUNT(nvrtc_symbols),
               "the table is its entry points");
_Static_assert(sizeof(struct cuda_nvml) == sizeof(void *) * LOADER_COUNT(nvml_symbols),
               "the table is its entry points");

/* A library that was opened, as long as that makes a table of its own. */
struct loader_answer {
    const char *path;    /* that was tried last */
    const char *missing; /* entry point, NULL: the library itself */
    bool named;          /* by the environment */
};

static void *loader_try(const struct loader_kind *kind, const char *named,
                        struct loader_answer *answer)
{
    void *handle = NULL;

    answer->named = named[0] != '\0';
    answer->path = answer->named ? named : kind->paths[0];
    if (answer->named)
        return dlopen(named, RTLD_NOW | RTLD_LOCAL);
    for (uint32_t i = 0; handle == NULL && kind->paths[i] != NULL; i++)
        handle = dlopen(kind->paths[i], RTLD_NOW | RTLD_LOCAL);
    return handle;
}

static fgpu_status loader_open(const struct loader_kind *kind, const char *named,
                               struct loader_library **opened, struct loader_answer *answer)
{
    struct loader_library *library = NULL;
    void *handle = loader_try(kind, named, answer);

    if (handle == NULL)
        return answer->named ? FGPU_E_NOTFOUND : FGPU_E_NODEVICE;
    library = calloc(1, sizeof *library);
    if (library == NULL || strlen(named) >= sizeof library->path) {
        free(library);
        (void)dlclose(handle);
        return FGPU_E_NOMEM;
    }
    library->kind = kind;
    memcpy(library->path, named, strlen(named));
    for (uint32_t i = 0; i < kind->count; i++) {
        void *symbol = dlsym(handle, kind->symbols[i]);
        /* POSIX says that a data pointer holds a function pointer; ISO C has no conversion. */
        memcpy(library->table.bytes + i * sizeof symbol, &symbol, sizeof symbol);
        if (symbol == NULL && i < kind->required) {
            answer->missing = kind->symbols[i];
            free(library);
            (void)dlclose(handle);
            return FGPU_E_UNSUPPORTED;
        }
    }
    library->next = loader_opened;
    loader_opened = library;
    *opened = library;
    return FGPU_OK;
}

/* What the environment names; "" for the usual one. */
static const char *loader_named(const struct loader_kind *kind)
{
    const char *named = kind == &kind_driver ? getenv("FASTGPU_CUDA_LIBRARY")
                        : kind == &kind_nvml ? getenv("FASTGPU_NVML_LIBRARY")
                                             : getenv("FASTGPU_NVRTC_LIBRARY");

    return named != NULL ? named : "";
}

/* The library that the environment names now. The lock is held. */
static fgpu_status loader_get(const struct loader_kind *kind, struct loader_library **library,
                              struct loader_answer *answer)
{
    const char *named = loader_named(kind);

    for (*library = loader_opened; *library != NULL; *library = (*library)->next)
        if ((*library)->kind == kind && strcmp((*library)->path, named) == 0)
            return FGPU_OK;
    return loader_open(kind, named, library, answer);
}

/* ---- the driver ----------------------------------------------------------------------------- */

enum cuda_nodes cuda_loader_nodes(const char *folder)
{
    char path[LOADER_PATH];

    (void)snprintf(path, sizeof path, "%s/nvidiactl", folder);
    if (access(path, R_OK | W_OK) == 0)
        return CUDA_NODES_THERE;
    return errno == EACCES || errno == EPERM ? CUDA_NODES_DENIED : CUDA_NODES_ABSENT;
}

static const char *loader_advice(cuda_result error, enum cuda_nodes nodes)
{
    switch (error) {
    case CUDA_ERROR_STUB_LIBRARY:
        return "this libcuda.so.1 is the toolkit's, for linking only: install the NVIDIA driver, "
               "and "
               "take the other out of the library path";
    case CUDA_ERROR_SYSTEM_DRIVER_MISMATCH:
        return "library and kernel module are of different versions: load the new module or "
               "restart "
               "the machine";
    case CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE:
        return "this card does not take the compatibility library: install a newer driver";
    case CUDA_ERROR_SYSTEM_NOT_READY:
        return "start nvidia-fabricmanager, which this machine needs";
    case CUDA_ERROR_DEVICE_UNAVAILABLE:
        return "another process has it for itself (compute mode of nvidia-smi)";
    default:
        break;
    }
    if (nodes == CUDA_NODES_DENIED)
        return "no permission on /dev/nvidiactl: ask for it (mostly the group video or render)";
    if (nodes == CUDA_NODES_ABSENT)
        return "there is no /dev/nvidiactl: load the kernel module (modprobe nvidia), or give the "
               "container its GPUs";
    return "see nvidia-smi; CUDA_VISIBLE_DEVICES may hide all cards";
}

void cuda_loader_explain(cuda_result error, enum cuda_nodes nodes, char *why, size_t why_bytes)
{
    if (why != NULL && why_bytes > 0)
        (void)snprintf(why, why_bytes, "the NVIDIA driver does not start: %s (%d); %s",
                       cuda_text_name(error), error, loader_advice(error, nodes));
}

static fgpu_status loader_start(struct loader_library *library, char *why, size_t why_bytes)
{
    struct cuda_api *api = &library->table.driver;
    cuda_result error = api->driver_version(&api->version);

    if (error == CUDA_SUCCESS && api->version < CUDA_DRIVER_LEAST) {
        if (why != NULL && why_bytes > 0)
            (void)snprintf(why, why_bytes,
                           "the NVIDIA driver is too old: it speaks CUDA %d.%d, 12.0 is needed; "
                           "install driver 525 or newer",
                           api->version / 1000, api->version % 1000 / 10);
        return FGPU_E_UNSUPPORTED;
    }
    if (error == CUDA_SUCCESS)
        error = api->init(0);
    if (error != CUDA_SUCCESS) {
        cuda_loader_explain(error, cuda_loader_nodes("/dev"), why, why_bytes);
        return error == CUDA_ERROR_NO_DEVICE ? FGPU_E_NODEVICE : FGPU_E_DEVICE;
    }
    library->started = true;
    return FGPU_OK;
}

static void loader_say_driver(const struct loader_answer *answer, char *why, size_t why_bytes)
{
    if (why == NULL || why_bytes == 0)
        return;
    if (answer->missing != NULL)
        (void)snprintf(why, why_bytes,
                       "%s lacks %s: no CUDA driver since 12.0; install driver 525 "
                       "or newer",
                       answer->path, answer->missing);
    else if (answer->named)
        (void)snprintf(why, why_bytes, "%s (FASTGPU_CUDA_LIBRARY) cannot be opened", answer->path);
    else
        (void)snprintf(why, why_bytes, "there is no %s: install the NVIDIA driver", answer->path);
}

/* Drivers do not survive fork(2). Asked before any of them is touched. */
static bool loader_is_inherited(void)
{
    uint32_t mine = fork_count() + 1, first = 0;

    return !atomic_cas_seqcst_u32(&loader_forks, &first, mine) && first != mine;
}

fgpu_status cuda_loader_driver(const struct cuda_api **api, char *why, size_t why_bytes)
{
    struct loader_library *library = NULL;
    struct loader_answer answer = {NULL, NULL, false};
    fgpu_status status;

    if (loader_is_inherited()) {
        if (why != NULL && why_bytes > 0)
            (void)snprintf(why, why_bytes,
                           "the parent of this process has used CUDA, which does "
                           "not survive a fork");
        return FGPU_E_NODEVICE;
    }
    lock_acquire(&loader_lock);
    status = loader_get(&kind_driver, &library, &answer);
    if (status != FGPU_OK)
        loader_say_driver(&answer, why, why_bytes);
    else if (!library->started)
        status = loader_start(library, why, why_bytes);
    lock_release(&loader_lock);
    if (status == FGPU_OK)
        *api = &library->table.driver;
    return status;
}

/* ---- compiler and readings ------------------------------------------------------------------ */

fgpu_status cuda_loader_nvrtc(int driver_version, const struct cuda_nvrtc **nvrtc, char *why,
                              size_t why_bytes)
{
    bool is_old = driver_version < 13000;
    struct loader_library *library = NULL;
    struct loader_answer answer = {NULL, NULL, false};
    fgpu_status status;

    lock_acquire(&loader_lock);
    status = loader_get(is_old ? &kind_nvrtc_old : &kind_nvrtc, &library, &answer);
    lock_release(&loader_lock);
    if (status == FGPU_OK) {
        *nvrtc = &library->table.nvrtc;
        return FGPU_OK;
    }
    if (status == FGPU_E_NOMEM)
        return status;
    if (answer.missing != NULL)
        (void)snprintf(why, why_bytes, "%s lacks %s; install NVRTC 12 or 13", answer.path,
                       answer.missing);
    else
        (void)snprintf(
            why, why_bytes,
            "CUDA's compiler is missing: %s%s cannot be opened; install NVRTC 12 or 13 "
            "(package cuda-nvrtc-12-x or libnvrtc12, or pip's nvidia-cuda-nvrtc), or name "
            "the library in FASTGPU_NVRTC_LIBRARY",
            answer.path, answer.named || is_old ? "" : " (nor .so.12)");
    return FGPU_E_UNSUPPORTED;
}

const struct cuda_nvml *cuda_loader_nvml(void)
{
    struct loader_library *library = NULL;
    struct loader_answer answer = {NULL, NULL, false};
    const struct cuda_nvml *nvml = NULL;

    lock_acquire(&loader_lock);
    if (loader_get(&kind_nvml, &library, &answer) == FGPU_OK) {
        nvml = &library->table.nvml;
        library->started = library->started || nvml->init() == 0;
        if (!library->started)
            nvml = NULL;
    }
    lock_release(&loader_lock);
    return nvml;
}
