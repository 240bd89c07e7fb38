/* Opens the OpenCL library and fills the table of entry points: see loader.h. */
#include "dev/opencl/loader.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/fork.h"
#include "base/lock.h"

#define LOADER_DEFAULT "libOpenCL.so.1"
#define LOADER_HINT                                                                                \
    "install the Debian packages ocl-icd-libopencl1 (loader) and a driver, for CPUs "              \
    "pocl-opencl-icd, or name a library in FASTGPU_OPENCL_LIBRARY"

static struct lock loader_lock;
static _Atomic uint32_t loader_forks; /* fork_count() + 1 when it was first asked; 0: never */
static struct ocl_api *loader_opened; /* never freed: see loader.h */

static void loader_say(char *why, size_t why_bytes, const char *fmt, const char *a, const char *b)
{
    if (why != NULL && why_bytes > 0)
        (void)snprintf(why, why_bytes, fmt, a, b != NULL ? b : "unknown", LOADER_HINT);
}

/* What dlopen says, without the path where it begins with it: that is told already. */
static const char *loader_reason(const char *path)
{
    const char *text = dlerror();
    size_t length = strlen(path);

    if (text != NULL && strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0)
        return text + length + 2;
    return text;
}

/* POSIX says that a data pointer holds a function pointer; ISO C has no conversion for it. */
static void loader_take(void *handle, const char *name, void *field)
{
    void *symbol = dlsym(handle, name);

    memcpy(field, &symbol, sizeof(symbol));
}

/* Name of the first entry point that is required and absent, or NULL. */
static const char *loader_fill(struct ocl_api *api)
{
#define LOADER_TAKE(name) loader_take(api->handle, #name, &api->name);
    OCL_REQUIRED(LOADER_TAKE)
    OCL_OPTIONAL(LOADER_TAKE)
#undef LOADER_TAKE
#define LOADER_CHECK(name)                                                                         \
    if (api->name == NULL)                                                                         \
        return #name;
    OCL_REQUIRED(LOADER_CHECK)
#undef LOADER_CHECK
    return NULL;
}

static fgpu_status loader_open(const char *path, struct ocl_api **opened, char *why,
                               size_t why_bytes)
{
    struct ocl_api *api = calloc(1, sizeof(*api));
    const char *missing = NULL;
    fgpu_status status = FGPU_E_NOMEM;

    if (api == NULL)
        return FGPU_E_NOMEM;
    api->path = strdup(path);
    if (api->path == NULL)
        goto fail;
    api->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (api->handle == NULL) {
        status = strcmp(path, LOADER_DEFAULT) == 0 ? FGPU_E_NODEVICE : FGPU_E_NOTFOUND;
        loader_say(why, why_bytes, "OpenCL library %s cannot be opened (%s); %s", path,
                   loader_reason(path));
        goto fail;
    }
    missing = loader_fill(api);
    if (missing != NULL) {
        status = FGPU_E_UNSUPPORTED;
        loader_say(why, why_bytes, "OpenCL library %s lacks the entry point %s (OpenCL 1.2); %s",
                   path, missing);
        goto fail;
    }
    *opened = api;
    return FGPU_OK;
fail:
    if (api->handle != NULL)
        (void)dlclose(api->handle); /* nothing of it has run but its constructors */
    free(api->path);
    free(api);
    return status;
}

/* Drivers do not survive fork(2): their threads are gone, and their locks, as ours above them, may
 * be held for ever. Asked before any of them is touched. */
static bool loader_is_inherited(void)
{
    uint32_t mine = fork_count() + 1, first = 0;
    return !atomic_cas_seqcst_u32(&loader_forks, &first, mine) && first != mine;
}

fgpu_status ocl_loader_get(const struct ocl_api **api, char *why, size_t why_bytes)
{
    const char *path = getenv("FASTGPU_OPENCL_LIBRARY");
    struct ocl_api *found = NULL;
    fgpu_status status = FGPU_OK;

    if (path == NULL || path[0] == '\0')
        path = LOADER_DEFAULT;
    if (loader_is_inherited()) {
        if (why != NULL && why_bytes > 0)
            (void)snprintf(why, why_bytes,
                           "the parent of this process has used OpenCL, which does not survive a "
                           "fork");
        return FGPU_E_NODEVICE;
    }
    lock_acquire(&loader_lock);
    for (found = loader_opened; found != NULL; found = found->next)
        if (strcmp(found->path, path) == 0)
            break;
    if (found == NULL) {
        status = loader_open(path, &found, why, why_bytes);
        if (status == FGPU_OK) {
            found->next = loader_opened;
            loader_opened = found;
        }
    }
    lock_release(&loader_lock);
    if (status == FGPU_OK)
        *api = found;
    return status;
}
