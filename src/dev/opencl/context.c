/* OpenCL contexts, one for each platform and way of splitting it: see platform.h.
 *
 * Owns the list of contexts that new devices may share. A context whose device was lost leaves the
 * list, so that a pool opened later starts afresh.
 */
#include "dev/opencl/platform.h"

#include <stdlib.h>
#include "base/assert.h"
#include "base/error.h"
#include "base/lock.h"
#include "dev/opencl/text.h"

static struct lock context_lock;
static struct ocl_context *context_list;
static struct ocl_context *context_leaked; /* kept reachable: the driver still works in them */

/* All devices of the platform that the unit's options show, in one context. */
static cl_context context_create_all(const struct ocl_unit *unit)
{
    struct ocl_list *list = malloc(sizeof(*list));
    fgpu_backend_options options = {.subdevices = unit->split};
    cl_device_id devices[LIMITS_DEVICES];
    cl_uint count = 0;
    cl_context_properties properties[3] = {CL_CONTEXT_PLATFORM,
                                           (cl_context_properties)unit->platform, 0};
    cl_context context = NULL;
    cl_int error = CL_SUCCESS;

    if (list == NULL)
        return NULL;
    if (ocl_platform_list(&options, list, NULL, 0) == FGPU_OK)
        for (uint32_t i = 0; i < list->count; i++)
            if (list->units[i].platform == unit->platform)
                devices[count++] = list->units[i].id;
    if (count > 0)
        context = unit->api->clCreateContext(properties, count, devices, NULL, NULL, &error);
    free(list);
    return error == CL_SUCCESS ? context : NULL;
}

static fgpu_status context_create(const struct ocl_unit *unit, struct ocl_context **created)
{
    struct ocl_context *context = calloc(1, sizeof(*context));
    cl_context_properties properties[3] = {CL_CONTEXT_PLATFORM,
                                           (cl_context_properties)unit->platform, 0};
    cl_int error = CL_SUCCESS;

    if (context == NULL)
        return FGPU_E_NOMEM;
    context->id = context_create_all(unit);
    context->shared = context->id != NULL;
    if (context->id == NULL)
        context->id = unit->api->clCreateContext(properties, 1, &unit->id, NULL, NULL, &error);
    if (context->id == NULL || error != CL_SUCCESS) {
        free(context);
        return error_set(FGPU_E_DEVICE, "opencl:%u: clCreateContext failed: %s (%d)",
                         unit->root_index, ocl_text_name(error), (int)error);
    }
    context->api = unit->api;
    context->platform = unit->platform;
    context->split = unit->split;
    *created = context;
    return FGPU_OK;
}

fgpu_status ocl_context_acquire(const struct ocl_unit *unit, struct ocl_context **context)
{
    struct ocl_context *found = NULL;
    fgpu_status status = FGPU_OK;

    lock_acquire(&context_lock);
    for (found = context_list; found != NULL; found = found->next)
        if (found->api == unit->api && found->platform == unit->platform &&
            found->split == unit->split)
            break;
    if (found == NULL) {
        status = context_create(unit, &found);
        if (status == FGPU_OK && found->shared) {
            found->next = context_list;
            context_list = found;
        }
    }
    if (status == FGPU_OK) {
        found->refs++;
        *context = found;
    }
    lock_release(&context_lock);
    return status;
}

static void context_unshare(struct ocl_context *context)
{
    struct ocl_context **link = &context_list;

    if (!context->shared)
        return;
    while (*link != context)
        link = &(*link)->next;
    *link = context->next;
    context->shared = false;
}

void ocl_context_release(struct ocl_context *context, bool usable, bool leak)
{
    bool last = false;

    if (context == NULL)
        return;
    lock_acquire(&context_lock);
    FGPU_ASSERT(context->refs > 0);
    if (!usable || leak)
        context_unshare(context);
    if (leak && !context->leaked) {
        context->leaked = true;
        context->next = context_leaked;
        context_leaked = context;
    }
    if (!leak)
        last = --context->refs == 0;
    if (last)
        context_unshare(context);
    lock_release(&context_lock);
    if (!last)
        return;
    (void)context->api->clReleaseContext(context->id); /* nothing could be done about a failure */
    free(context);
}
