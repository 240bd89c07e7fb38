/* Modules and launches of the fake driver. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "dev/cuda/driver.h"
#include "fakecuda/fake.h"
#include "fakecuda/image.h"

struct module {
    void *library;
    char name[128];
    pthread_mutex_t lock; /* its static data are one launch's */
    const unsigned *sizes;
    unsigned count;
    unsigned max_threads;
    int dynamic; /* bytes of shared memory a launch may ask for */
    int (*run)(const struct image_launch *launch);
    struct module *next;
};

static pthread_mutex_t module_lock = PTHREAD_MUTEX_INITIALIZER;
static struct module *module_list; /* the driver's own: what is never unloaded is no leak */

static void *module_open(const struct image_head *head)
{
    char path[] = "/tmp/fastgpu-fakecuda-XXXXXX";
    int file = mkstemp(path);
    void *library = NULL;

    if (file >= 0 && write(file, head + 1, head->bytes) == (ssize_t)head->bytes)
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (file >= 0) {
        (void)close(file);
        (void)unlink(path);
    }
    return library;
}

FAKE(int, cuModuleLoadDataEx,
     (void **made, const void *image, unsigned count, int *options, void **values))
{
    struct image_head head;
    struct module *module = NULL;
    int once = fake_take(FAKE_load_error_once);

    if (!fake_current())
        return CUDA_ERROR_INVALID_CONTEXT;
    memcpy(&head, image, sizeof head);
    if (once != 0 && count == 2 && options[0] == 5)
        (void)snprintf(values[0], (size_t)(uintptr_t)values[1], "fake log of the driver");
    if (once != 0 || fake_broken() != 0)
        return once != 0 ? once : fake_broken();
    if (head.magic != IMAGE_MAGIC)
        return CUDA_ERROR_INVALID_IMAGE;
    module = calloc(1, sizeof *module);
    module->library = module_open(image);
    if (module->library == NULL) {
        free(module);
        return CUDA_ERROR_INVALID_IMAGE;
    }
    memcpy(module->name, head.name, sizeof module->name);
    module->sizes = dlsym(module->library, "fakecuda_sizes");
    module->count = *(const unsigned *)dlsym(module->library, "fakecuda_count");
    module->max_threads = *(const unsigned *)dlsym(module->library, "fakecuda_threads");
    *(void **)(void *)&module->run = dlsym(module->library, "fakecuda_run");
    module->dynamic = 49152;
    pthread_mutex_init(&module->lock, NULL);
    pthread_mutex_lock(&module_lock);
    module->next = module_list;
    module_list = module;
    pthread_mutex_unlock(&module_lock);
    *made = module;
    return CUDA_SUCCESS;
}

FAKE(int, cuModuleUnload, (void *handle))
{
    struct module *module = handle;

    if (!fake_current())
        return CUDA_ERROR_INVALID_CONTEXT;
    fake_wait_all();
    pthread_mutex_lock(&module_lock);
    for (struct module **link = &module_list; *link != NULL; link = &(*link)->next)
        if (*link == module) {
            *link = module->next;
            break;
        }
    pthread_mutex_unlock(&module_lock);
    (void)dlclose(module->library);
    pthread_mutex_destroy(&module->lock);
    free(module);
    return CUDA_SUCCESS;
}

FAKE(int, cuModuleGetFunction, (void **function, void *handle, const char *name))
{
    *function = handle;
    return strcmp(((struct module *)handle)->name, name) == 0 ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

FAKE(int, cuFuncLoad, (void *function))
{
    return function != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

FAKE(int, cuFuncGetAttribute, (int *value, int which, void *function))
{
    *value = which == 0 ? (int)((struct module *)function)->max_threads : 0;
    return which == 0 || which == 1 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

FAKE(int, cuFuncSetAttribute, (void *function, int which, int value))
{
    if (which != 8 || value > 101376)
        return CUDA_ERROR_INVALID_VALUE;
    ((struct module *)function)->dynamic = value;
    return CUDA_SUCCESS;
}

FAKE(int, cuFuncGetParamInfo, (void *function, size_t index, size_t *offset, size_t *bytes))
{
    const struct module *module = function;

    if (fake_get(FAKE_param_error) != 0)
        return (int)fake_get(FAKE_param_error);
    if (fake_get(FAKE_param_info) == 0 || index >= module->count)
        return CUDA_ERROR_INVALID_VALUE;
    *offset = index * 8;
    *bytes = module->sizes[index];
    return CUDA_SUCCESS;
}

/* ---- launches ------------------------------------------------------------------------------- */

struct launch_op {
    struct fake_op op;
    struct module *module;
    struct image_launch launch;
    int error; /* what it does to the context */
    void *args[IMAGE_PARAMS];
    char values[]; /* of the arguments, 16 bytes and more apart */
};

static void launch_run(struct fake_op *op)
{
    struct launch_op *launch = (struct launch_op *)(void *)op;
    int error = launch->error;

    if (fake_broken() == 0 && error == 0) {
        pthread_mutex_lock(&launch->module->lock);
        error = launch->module->run(&launch->launch);
        pthread_mutex_unlock(&launch->module->lock);
    }
    if (error != 0)
        fake_break(error);
    free(op);
}

static struct launch_op *launch_make(struct module *module, void **arguments)
{
    size_t bytes = 0, at = 0;
    struct launch_op *op = NULL;

    for (unsigned i = 0; i < module->count; i++)
        bytes += (module->sizes[i] + 15) / 16 * 16;
    op = calloc(1, sizeof *op + bytes + 16);
    for (unsigned i = 0; i < module->count; i++) {
        op->args[i] = op->values + at;
        memcpy(op->args[i], arguments[i], module->sizes[i]);
        at += (module->sizes[i] + 15) / 16 * 16;
    }
    op->op.run = launch_run;
    op->module = module;
    op->launch.args = op->args;
    op->error = fake_take(FAKE_run_error_once);
    return op;
}

FAKE(int, cuLaunchKernel,
     (void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
      unsigned block_y, unsigned block_z, unsigned shared_bytes, void *stream, void **arguments,
      void **extra))
{
    struct module *module = function;
    struct launch_op *op = NULL;
    int once = fake_take(FAKE_launch_error_once);

    if (once != 0 || fake_get(FAKE_launch_error) != 0)
        return once != 0 ? once : (int)fake_get(FAKE_launch_error);
    if (fake_broken() != 0)
        return fake_broken();
    if (extra != NULL || grid_x == 0 || grid_y == 0 || grid_z == 0 || grid_y > 65535 ||
        grid_z > 65535 || block_z > 64 || block_x * block_y * block_z > module->max_threads ||
        shared_bytes > (unsigned)module->dynamic)
        return CUDA_ERROR_INVALID_VALUE;
    op = launch_make(module, arguments);
    op->launch.grid[0] = grid_x;
    op->launch.grid[1] = grid_y;
    op->launch.grid[2] = grid_z;
    op->launch.block[0] = block_x;
    op->launch.block[1] = block_y;
    op->launch.block[2] = block_z;
    return fake_enqueue(stream, &op->op);
}
