/*
 * State that every file of the fake OpenCL library shares: the one lock, settings, counters, seeded
 * randomness, misuse texts and the callbacks that are due.
 *
 * Runs in the caller's thread or a worker's. Keeps true: a user's callback never runs with the lock
 * held; every random decision comes from the setting SEED and a counter (splitmix64, Steele, Lea
 * and Flood 2014), so that a seed gives the same sequence of decisions in each thread.
 */
#include "internal.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct setting {
    const char *name;
    size_t at;
    long usual, low, high;
};

static const struct setting settings[] = {
    {"DEVICES", offsetof(struct config, devices), 2, 1, FAKECL_MAX_DEVICES},
    {"SEED", offsetof(struct config, seed), 1, INT64_MIN, INT64_MAX},
    {"MEMORY", offsetof(struct config, memory), 1L << 30, 4096, INT64_MAX},
    {"MAX_ALLOC", offsetof(struct config, max_alloc), 0, 0, INT64_MAX},
    {"LAZY", offsetof(struct config, lazy), 0, 0, 1},
    {"DELAY_US", offsetof(struct config, delay_us), 0, 0, 10000000},
    {"FAIL_ENQUEUE", offsetof(struct config, fail_enqueue), 0, 0, 1000},
    {"FAIL_ALLOC", offsetof(struct config, fail_alloc), 0, 0, 1000},
    {"FAIL_BUILD", offsetof(struct config, fail_build), 0, 0, 1000},
    {"LOSE_AFTER", offsetof(struct config, lose_after), -1, -1, INT64_MAX},
    {"LOSE_DEVICE", offsetof(struct config, lose_device), 0, 0, FAKECL_MAX_DEVICES - 1},
    {"UNIFIED", offsetof(struct config, unified), 0, 0, 1},
    {"ALIGN", offsetof(struct config, align), 1024, 8, 1L << 20},
    {"UNITS", offsetof(struct config, units), 4, 1, 1024},
    {"PLATFORM_ERROR", offsetof(struct config, platform_error), 0, 0, 9999}, /* its number, > 0 */
    {"DEVICES_ERROR", offsetof(struct config, devices_error), 0, 0, 9999},
    {"STRICT", offsetof(struct config, strict), 0, 0, 1},
};

/* Somebody blocks and nothing has changed for this long: look for a queue nobody flushed. */
#define STUCK_NS 1000000000u

enum { SETTING_COUNT = sizeof(settings) / sizeof(settings[0]) };

struct config config;
struct fakecl_stats stats;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t random_counter;
static uint64_t change_count;
static struct callback *due_first;
static struct callback **due_last = &due_first;
static _Thread_local bool in_callback;

static long *setting_value(const struct setting *setting)
{
    return (long *)(void *)((char *)&config + setting->at);
}

static void read_environment(void)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof(name), "FAKECL_%s", settings[i].name);
        const char *text = getenv(name);
        char *end = NULL;
        long value = text != NULL ? strtol(text, &end, 0) : 0;
        bool good = text != NULL && end != text && *end == '\0' && value >= settings[i].low &&
                    value <= settings[i].high;
        *setting_value(&settings[i]) = good ? value : settings[i].usual;
    }
}

static void reseed(void)
{
    random_counter = (uint64_t)config.seed * 0xD1342543DE82EF95u;
    worker_reseed_all();
}

/* Worker threads run our code: once used, the library stays in the process. */
static void pin_library(void)
{
    Dl_info info;
    if (dladdr((void *)&config, &info) != 0 && info.dli_fname != NULL) {
        void *self = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
        if (self != NULL)
            dlclose(self);
    }
}

static void init(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&done, &attributes);
    pthread_condattr_destroy(&attributes);
    pin_library();
    read_environment();
    reseed();
    device_init_all();
}

void state_lock(void)
{
    pthread_once(&once, init);
    pthread_mutex_lock(&mutex);
}

static void run_callbacks(struct callback *list)
{
    bool outer = in_callback;
    in_callback = true;
    for (struct callback *next; list != NULL; list = next) {
        next = list->next;
        if (list->event_fn != NULL)
            list->event_fn(list->event, list->status, list->user);
        else if (list->mem_fn != NULL)
            list->mem_fn(list->mem, list->user);
        if (list->event != NULL) {
            pthread_mutex_lock(&mutex);
            object_drop(&list->event->object);
            pthread_mutex_unlock(&mutex);
        }
        free(list);
    }
    in_callback = outer;
}

void state_unlock(void)
{
    struct callback *list = due_first;
    due_first = NULL;
    due_last = &due_first;
    pthread_mutex_unlock(&mutex);
    if (list != NULL)
        run_callbacks(list);
}

void state_defer(struct callback *callback)
{
    callback->next = NULL;
    *due_last = callback;
    due_last = &callback->next;
}

bool state_in_callback(void)
{
    return in_callback;
}

void state_wait(struct waiter *waiter)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    cl_ulong now_ns = (cl_ulong)until.tv_sec * 1000000000u + (cl_ulong)until.tv_nsec;
    if (waiter->since_ns == 0 || waiter->seen != change_count) {
        waiter->seen = change_count;
        waiter->since_ns = now_ns;
    } else if (now_ns - waiter->since_ns > STUCK_NS) {
        worker_flush_stuck();
        waiter->since_ns = now_ns;
    }
    until.tv_nsec += 50000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&done, &mutex, &until);
}

void state_sleep(pthread_cond_t *wake)
{
    pthread_cond_wait(wake, &mutex);
}

void state_progress(void)
{
    change_count++;
    pthread_cond_broadcast(&done);
    worker_wake_all();
}

uint64_t state_mix(uint64_t *counter)
{
    uint64_t z = (*counter += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t state_random(void)
{
    return state_mix(&random_counter);
}

bool state_chance(long permille)
{
    return permille > 0 && (long)((state_random() >> 16) % 1000) < permille;
}

void state_misuse(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(stats.last_misuse, sizeof(stats.last_misuse), format, list);
    va_end(list);
    stats.misuses++;
    if (config.strict != 0) {
        fprintf(stderr, "fakecl: misuse: %s\n", stats.last_misuse);
        abort();
    }
}

void *state_alloc(size_t size_bytes)
{
    void *memory = calloc(1, size_bytes == 0 ? 1 : size_bytes);
    if (memory == NULL) {
        fprintf(stderr, "fakecl: out of host memory (%zu bytes)\n", size_bytes);
        abort();
    }
    return memory;
}

char *state_copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(state_alloc(size), text, size);
}

cl_ulong state_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (cl_ulong)now.tv_sec * 1000000000u + (cl_ulong)now.tv_nsec;
}

cl_int state_info(const void *source, size_t source_bytes, size_t size, void *value, size_t *ret)
{
    if (value != NULL && size < source_bytes)
        return CL_INVALID_VALUE;
    if (value != NULL && source_bytes > 0)
        memcpy(value, source, source_bytes);
    if (ret != NULL)
        *ret = source_bytes;
    return CL_SUCCESS;
}

FAKECL_API int fakecl_set(const char *name, long value)
{
    int result = -1;
    if (name == NULL)
        return -1;
    if (strncasecmp(name, "FAKECL_", 7) == 0)
        name += 7;
    state_lock();
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcasecmp(name, settings[i].name) != 0)
            continue;
        if (value < settings[i].low || value > settings[i].high)
            break;
        *setting_value(&settings[i]) = value;
        result = 0;
        if (strcmp(settings[i].name, "SEED") == 0)
            reseed();
    }
    state_unlock();
    return result;
}

static uint64_t live_objects(void)
{
    uint64_t count = 0;
    for (enum object_type type = OBJECT_CONTEXT; type < OBJECT_TYPE_COUNT; type++)
        count += object_live_count(type);
    return count + object_live_count(OBJECT_DEVICE) - FAKECL_MAX_DEVICES;
}

FAKECL_API void fakecl_stats(struct fakecl_stats *out)
{
    state_lock();
    stats.live_objects = live_objects();
    stats.live_buffers = object_live_count(OBJECT_MEM);
    stats.live_events = object_live_count(OBJECT_EVENT);
    stats.lost_devices = 0;
    for (unsigned i = 0; i < FAKECL_MAX_DEVICES; i++)
        stats.lost_devices += devices[i].lost;
    *out = stats;
    state_unlock();
}

FAKECL_API int fakecl_reset(void)
{
    state_lock();
    uint64_t alive = live_objects();
    uint64_t used[FAKECL_MAX_DEVICES];
    memcpy(used, stats.memory_used, sizeof(used));
    memset(&stats, 0, sizeof(stats));
    memcpy(stats.memory_used, used, sizeof(used));
    memcpy(stats.memory_peak, used, sizeof(used));
    read_environment();
    reseed();
    for (unsigned i = 0; i < FAKECL_MAX_DEVICES; i++) {
        devices[i].lost = false;
        devices[i].executed = 0;
    }
    state_unlock();
    return alive > INT32_MAX ? INT32_MAX : (int)alive;
}

/* At exit: no thread of ours outlives the library's data. */
__attribute__((destructor)) static void state_fini(void)
{
    state_lock();
    state_unlock();
    worker_stop_all();
    pthread_mutex_lock(&mutex);
    object_bury_all();
    pthread_mutex_unlock(&mutex);
}
