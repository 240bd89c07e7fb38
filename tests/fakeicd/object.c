/*
 * Handles of the fake OpenCL library: which are alive, who holds them, and what a stale one is.
 *
 * Every object begins with struct object. A table of addresses says which handles exist, so that a
 * stale or foreign handle is recognised without looking into it; dead objects rest in a quarantine
 * of GRAVE_COUNT before their address can return, and a release too many is seen there. The user's
 * count and the internal count are apart: a buffer that the user released lives on in its commands,
 * but using its handle is a misuse. The lock is held in all of these.
 */
#include "internal.h"

#include <stdlib.h>

enum { BUCKET_COUNT = 16384, GRAVE_COUNT = 8192 };

#define MAGIC_LIVE 0xFA4EC1A11FE00000u
#define MAGIC_DEAD 0xFA4EC1DEADC00000u

static const char *const type_names[OBJECT_TYPE_COUNT] = {
    "platform", "device", "context", "queue", "buffer", "program", "kernel", "event"};

static struct object *buckets[BUCKET_COUNT];
static struct object *grave_first, *grave_last;
static size_t grave_count;
static uint64_t live_counts[OBJECT_TYPE_COUNT];

static struct object **bucket_of(const void *handle)
{
    uint64_t key = (uint64_t)(uintptr_t)handle;
    key = (key >> 4) * 0x9E3779B97F4A7C15u;
    return &buckets[key >> 50];
}

static struct object *find(const void *handle)
{
    struct object *object = *bucket_of(handle);
    while (object != NULL && (const void *)object != handle)
        object = object->bucket_next;
    return object;
}

void object_init(struct object *object, enum object_type type)
{
    struct object **bucket = bucket_of(object);
    object->magic = MAGIC_LIVE + (uint64_t)type;
    object->type = type;
    object->api_refs = 1;
    object->refs = 1;
    object->bucket_next = *bucket;
    *bucket = object;
    live_counts[type]++;
}

bool object_check(const void *handle, enum object_type type)
{
    if (handle == NULL)
        return false;
    struct object *object = find(handle);
    if (object == NULL) {
        state_misuse("%s handle %p: no such object", type_names[type], handle);
        return false;
    }
    if (object->type != type) {
        state_misuse("%s handle %p is a %s", type_names[type], handle, type_names[object->type]);
        return false;
    }
    if (object->magic == MAGIC_DEAD + (uint64_t)type || object->api_refs == 0) {
        state_misuse("%s handle %p: used after its last release", type_names[type], handle);
        return false;
    }
    if (object->magic != MAGIC_LIVE + (uint64_t)type) {
        state_misuse("%s handle %p: its memory was overwritten", type_names[type], handle);
        return false;
    }
    return true;
}

void object_hold(struct object *object)
{
    object->refs++;
}

static void destroy(struct object *object)
{
    static void (*const functions[OBJECT_TYPE_COUNT])(struct object *) = {
        NULL,           device_destroy,  context_destroy, queue_destroy,
        memory_destroy, program_destroy, kernel_destroy,  event_destroy};
    functions[object->type](object);
}

static void exhume(void)
{
    struct object *object = grave_first;
    grave_first = object->grave_next;
    if (grave_first == NULL)
        grave_last = NULL;
    grave_count--;
    struct object **link = bucket_of(object);
    while (*link != object)
        link = &(*link)->bucket_next;
    *link = object->bucket_next;
    free(object);
}

static void bury(struct object *object)
{
    object->magic = MAGIC_DEAD + (uint64_t)object->type;
    object->grave_next = NULL;
    if (grave_last != NULL)
        grave_last->grave_next = object;
    else
        grave_first = object;
    grave_last = object;
    if (++grave_count > GRAVE_COUNT)
        exhume();
}

void object_drop(struct object *object)
{
    if (--object->refs > 0)
        return;
    live_counts[object->type]--;
    destroy(object);
    bury(object);
}

cl_int object_api_retain(void *handle, enum object_type type, cl_int error)
{
    state_lock();
    bool good = object_check(handle, type);
    if (good)
        ((struct object *)handle)->api_refs++;
    state_unlock();
    return good ? CL_SUCCESS : error;
}

cl_int object_api_release(void *handle, enum object_type type, cl_int error)
{
    state_lock();
    bool good = object_check(handle, type);
    if (good) {
        struct object *object = handle;
        if (type == OBJECT_QUEUE)
            queue_flush(handle);
        if (--object->api_refs == 0) {
            if (type == OBJECT_MEM)
                memory_released(handle);
            object_drop(object);
        }
    }
    state_unlock();
    return good ? CL_SUCCESS : error;
}

uint64_t object_live_count(enum object_type type)
{
    return live_counts[type];
}

void object_bury_all(void)
{
    while (grave_first != NULL)
        exhume();
}
