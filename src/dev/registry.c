/* The list of backends and the pattern language: see registry.h.
 *
 * A search probes a backend only when an item asks for it (the first OpenCL use in a process may
 * take a second), and each at most once; a failing search probes the rest, to say what there is.
 */
#include "dev/registry.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/limits.h"
#include "base/lock.h"
#include "dev/cpu/cpu.h"
#include "dev/cuda/cuda.h"
#include "dev/glob.h"
#include "dev/null/null.h"
#include "dev/opencl/opencl.h"
#include "dev/sim/sim.h"

#define REGISTRY_ITEM_BYTES 128 /* one item of a pattern, with its NUL: longer than any name */

/* The order is that of "auto" and "all". */
static const fgpu_backend *const registry_builtin[] = {&opencl_backend, &cuda_backend, &cpu_backend,
                                                       &null_backend, &sim_backend};
#define REGISTRY_BUILTIN (sizeof registry_builtin / sizeof *registry_builtin)
_Static_assert(REGISTRY_BUILTIN + LIMITS_BACKENDS == REGISTRY_BACKENDS, "each can be absent");

static struct {
    struct lock lock;
    const fgpu_backend *added[LIMITS_BACKENDS];
    uint32_t added_count;
} registry_list;

static pthread_once_t registry_once = PTHREAD_ONCE_INIT;

static void registry_guard(void)
{
    fork_guard(&registry_list.lock);
}

static void registry_acquire(void)
{
    (void)pthread_once(&registry_once, registry_guard);
    lock_acquire(&registry_list.lock);
}

/* What probing a backend has shown. */
struct registry_probe {
    const fgpu_backend *backend;
    bool done;
    fgpu_status status;
    fgpu_device_info *infos; /* LIMITS_DEVICES of them */
    uint32_t count;
    char why[LIMITS_ERROR_TEXT];
};

struct registry_search {
    const fgpu_backend_options *options;
    struct registry_probe probes[REGISTRY_BACKENDS];
    uint32_t probe_count;
    struct registry_match *out;
    uint32_t capacity;
    uint32_t count; /* may exceed capacity; only that many of `out` are filled */
};

/* null and sim have as many devices as are asked for, and come only when named. */
static bool registry_is_counted(const fgpu_backend *backend)
{
    return backend == &null_backend || backend == &sim_backend;
}

/* What "auto" asks. Not cuda until a card has confirmed it (docs/gpu.md): it takes CUDA C only, and
 * a card that has an OpenCL driver too would be two devices. */
static bool registry_is_usual(const fgpu_backend *backend)
{
    return backend == &opencl_backend || backend == &cpu_backend;
}

const fgpu_backend *registry_backend(const char *name)
{
    const fgpu_backend *found = NULL;

    for (size_t i = 0; i < REGISTRY_BUILTIN; i++)
        if (strcasecmp(registry_builtin[i]->name, name) == 0)
            return registry_builtin[i];
    registry_acquire();
    for (uint32_t i = 0; i < registry_list.added_count; i++)
        if (strcasecmp(registry_list.added[i]->name, name) == 0)
            found = registry_list.added[i];
    lock_release(&registry_list.lock);
    return found;
}

static bool registry_name_is_good(const char *name)
{
    size_t length = name != NULL ? strlen(name) : 0;

    if (length == 0 || length >= sizeof((fgpu_device_info *)0)->backend)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!islower((unsigned char)name[i]) && !isdigit((unsigned char)name[i]) && name[i] != '_')
            return false;
    return strcmp(name, "auto") != 0 && strcmp(name, "all") != 0;
}

static const char *registry_missing_function(const fgpu_backend *backend)
{
    const struct {
        bool there;
        const char *name;
    } wanted[] = {
        {backend->probe != NULL, "probe"},           {backend->open != NULL, "open"},
        {backend->close != NULL, "close"},           {backend->caps != NULL, "caps"},
        {backend->mem_alloc != NULL, "mem_alloc"},   {backend->mem_free != NULL, "mem_free"},
        {backend->code_build != NULL, "code_build"}, {backend->code_free != NULL, "code_free"},
        {backend->queue_open != NULL, "queue_open"}, {backend->queue_close != NULL, "queue_close"},
        {backend->submit != NULL, "submit"},         {backend->poll != NULL, "poll"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!wanted[i].there)
            return wanted[i].name;
    return NULL;
}

fgpu_status registry_add(const fgpu_backend *backend)
{
    fgpu_status status = FGPU_OK;

    if (backend == NULL)
        return error_set(FGPU_E_INVAL, "backend: NULL");
    if (backend->version != FGPU_BACKEND_VERSION || backend->struct_bytes != sizeof *backend)
        return error_set(
            FGPU_E_VERSION, "backend: version %u with %u bytes, this library has %u with %zu",
            backend->version, backend->struct_bytes, FGPU_BACKEND_VERSION, sizeof *backend);
    if (!registry_name_is_good(backend->name))
        return error_set(FGPU_E_INVAL,
                         "backend: name \"%s\" is not 1 to 15 lower-case letters, digits and '_'",
                         backend->name != NULL ? backend->name : "");
    const char *missing = registry_missing_function(backend);
    if (missing != NULL)
        return error_set(FGPU_E_INVAL, "backend \"%s\": function %s is missing", backend->name,
                         missing);
    if (registry_backend(backend->name) != NULL)
        return error_set(FGPU_E_INVAL, "backend: the name \"%s\" is taken", backend->name);
    registry_acquire();
    if (registry_list.added_count == LIMITS_BACKENDS)
        status = FGPU_E_LIMIT;
    else
        registry_list.added[registry_list.added_count++] = backend;
    lock_release(&registry_list.lock);
    if (status != FGPU_OK)
        return error_set(status, "backend \"%s\": %d backends are registered already",
                         backend->name, LIMITS_BACKENDS);
    return FGPU_OK;
}

/* ---- searching ------------------------------------------------------------------------------ */

static void registry_search_init(struct registry_search *search)
{
    uint32_t n = 0;

    for (size_t i = 0; i < REGISTRY_BUILTIN; i++)
        search->probes[n++].backend = registry_builtin[i];
    registry_acquire();
    for (uint32_t i = 0; i < registry_list.added_count; i++)
        search->probes[n++].backend = registry_list.added[i];
    lock_release(&registry_list.lock);
    search->probe_count = n;
}

static void registry_search_fini(struct registry_search *search)
{
    for (uint32_t i = 0; i < search->probe_count; i++)
        alloc_put(NULL, search->probes[i].infos, LIMITS_DEVICES * sizeof(fgpu_device_info));
}

static void registry_probe_run(struct registry_search *search, struct registry_probe *probe)
{
    if (probe->done)
        return;
    probe->done = true;
    probe->infos = alloc_get_zeroed(NULL, LIMITS_DEVICES * sizeof *probe->infos, 16);
    if (probe->infos == NULL) {
        probe->status = FGPU_E_NOMEM;
        return;
    }
    probe->status = probe->backend->probe(search->options, probe->infos, LIMITS_DEVICES,
                                          &probe->count, probe->why, sizeof probe->why);
    if (probe->status != FGPU_OK)
        probe->count = 0;
    if (probe->count > LIMITS_DEVICES)
        probe->count = LIMITS_DEVICES;
}

static void registry_take(struct registry_search *search, const struct registry_probe *probe,
                          uint32_t index)
{
    for (uint32_t i = 0; i < search->count && i < search->capacity; i++)
        if (search->out[i].backend == probe->backend && search->out[i].index == index)
            return;
    if (search->count < search->capacity)
        search->out[search->count] = (struct registry_match){
            .backend = probe->backend, .index = index, .info = probe->infos[index]};
    search->count++;
}

static void registry_drop(struct registry_search *search, const struct registry_probe *probe,
                          uint32_t index)
{
    uint32_t kept = 0;
    uint32_t stored = search->count < search->capacity ? search->count : search->capacity;

    for (uint32_t i = 0; i < stored; i++)
        if (search->out[i].backend != probe->backend || search->out[i].index != index)
            search->out[kept++] = search->out[i];
    search->count -= stored - kept;
}

/* One item without its sign. backend_end == 0: no backend is named. */
struct registry_item {
    char text[REGISTRY_ITEM_BYTES];
    bool minus;
    char backend[REGISTRY_ITEM_BYTES]; /* before ':', "" when there is no ':' */
    const char *rest;                  /* behind ':' */
};

static bool registry_text_is_number(const char *text, uint32_t *number)
{
    char *end;
    unsigned long value;

    if (!isdigit((unsigned char)text[0]) || strlen(text) > 6)
        return false;
    value = strtoul(text, &end, 10);
    *number = (uint32_t)value;
    return *end == '\0';
}

/* The device itself, or one of the sub-devices of the device named. */
static bool registry_id_matches(const char *id, const char *text)
{
    size_t length = strlen(text);

    return strncasecmp(id, text, length) == 0 && (id[length] == '\0' || id[length] == '.');
}

static bool registry_glob_matches(const fgpu_device_info *info, const char *glob)
{
    const char *colon = strchr(info->id, ':');

    return glob_match(glob, info->name) || glob_match(glob, info->vendor) ||
           glob_match(glob, info->id) || (colon != NULL && glob_match(glob, colon + 1));
}

/* Does the item name device `index` of this backend? */
static bool registry_item_matches(const struct registry_item *item,
                                  const struct registry_probe *probe, uint32_t index)
{
    const fgpu_device_info *info = &probe->infos[index];
    const fgpu_backend *backend = probe->backend;
    bool counted = registry_is_counted(backend);
    uint32_t number;

    FGPU_ASSERT(probe->infos != NULL && index < probe->count);
    if (strcasecmp(item->text, "auto") == 0)
        return registry_is_usual(backend);
    if (strcasecmp(item->text, "all") == 0)
        return !counted;
    if (strcasecmp(item->text, backend->name) == 0)
        return !counted || index == 0 || item->minus;
    if (strcasecmp(item->text, info->id) == 0)
        return true;
    if (item->rest == NULL)
        return !counted && glob_is_pattern(item->text) && registry_glob_matches(info, item->text);
    if (strcasecmp(item->backend, backend->name) != 0)
        return false;
    if (counted && registry_text_is_number(item->rest, &number))
        return index < number;
    return registry_id_matches(info->id, item->text) || registry_glob_matches(info, item->rest);
}

/* Could the item name a device of this backend at all? Saves probing those that it cannot. */
static bool registry_item_concerns(const struct registry_item *item, const fgpu_backend *backend)
{
    size_t name_bytes = strlen(backend->name);

    if (item->rest != NULL)
        return strcasecmp(item->backend, backend->name) == 0;
    if (strncasecmp(item->text, backend->name, name_bytes) == 0)
        return true;
    if (registry_is_counted(backend))
        return false;
    if (strcasecmp(item->text, "auto") == 0)
        return registry_is_usual(backend);
    return strcasecmp(item->text, "all") == 0 || glob_is_pattern(item->text);
}

static uint32_t registry_item_apply(struct registry_search *search,
                                    const struct registry_item *item)
{
    uint32_t matched = 0;

    for (uint32_t i = 0; i < search->probe_count; i++) {
        struct registry_probe *probe = &search->probes[i];

        if (!registry_item_concerns(item, probe->backend))
            continue;
        registry_probe_run(search, probe);
        for (uint32_t index = 0; index < probe->count; index++) {
            if (!registry_item_matches(item, probe, index))
                continue;
            matched++;
            if (item->minus)
                registry_drop(search, probe, index);
            else
                registry_take(search, probe, index);
        }
    }
    return matched;
}

/* ---- saying why not ------------------------------------------------------------------------- */

/* What a backend without devices says about it. */
static const char *registry_why(const struct registry_probe *probe)
{
    if (probe->why[0] != '\0')
        return probe->why;
    return probe->status != FGPU_OK ? fgpu_status_text(probe->status) : "it has no device";
}

static void registry_text_add(char *text, size_t text_bytes, const char *more)
{
    size_t used = strlen(text);

    (void)snprintf(text + used, text_bytes - used, "%s", more);
}

static void registry_list_found(const struct registry_search *search, char *found, size_t bytes)
{
    for (uint32_t i = 0; i < search->probe_count; i++) {
        const struct registry_probe *probe = &search->probes[i];
        for (uint32_t index = 0; index < probe->count; index++) {
            registry_text_add(found, bytes, found[0] != '\0' ? ", " : "");
            registry_text_add(found, bytes, probe->infos[index].id);
            registry_text_add(found, bytes, " (");
            registry_text_add(found, bytes, probe->infos[index].name);
            registry_text_add(found, bytes, ")");
        }
    }
    if (found[0] == '\0')
        registry_text_add(found, bytes, "none");
}

/* The reasons are advice and stay whole; the list of what there is gets the room that is left. */
static fgpu_status registry_nothing(struct registry_search *search, const char *what)
{
    char found[LIMITS_ERROR_TEXT] = "";
    char none[LIMITS_ERROR_TEXT] = "";
    int room = 0;

    for (uint32_t i = 0; i < search->probe_count; i++) {
        struct registry_probe *probe = &search->probes[i];
        if (registry_is_counted(probe->backend))
            continue;
        registry_probe_run(search, probe);
        if (probe->count > 0)
            continue;
        registry_text_add(none, sizeof none, "; ");
        registry_text_add(none, sizeof none, probe->backend->name);
        registry_text_add(none, sizeof none, ": ");
        registry_text_add(none, sizeof none, registry_why(probe));
    }
    registry_list_found(search, found, sizeof found);
    room = (int)LIMITS_ERROR_TEXT - 1 - (int)strlen(none) - (int)strlen(what) -
           (int)strlen("devices \"\": nothing matches. Found: ");
    if ((int)strlen(found) > room)
        (void)snprintf(found + (room > 3 ? room - 3 : 0), 4, "...");
    return error_set(FGPU_E_NODEVICE, "devices \"%s\": nothing matches. Found: %s%s", what, found,
                     none);
}

/* What was asked and has nothing. */
static void registry_tell_absent(const struct registry_search *search,
                                 struct registry_absent *absent)
{
    for (uint32_t i = 0; i < search->probe_count; i++) {
        const struct registry_probe *probe = &search->probes[i];
        struct registry_reason *reason = &absent->reasons[absent->count];
        if (!probe->done || probe->count > 0)
            continue;
        reason->backend = probe->backend->name;
        reason->status = probe->status != FGPU_OK ? probe->status : FGPU_E_NODEVICE;
        (void)snprintf(reason->why, sizeof reason->why, "%s", registry_why(probe));
        absent->count++;
    }
}

/* ---- reading the pattern -------------------------------------------------------------------- */

/* Cuts the next item off *pattern; FGPU_E_INVAL with a text when it is malformed. */
static fgpu_status registry_item_read(const char **pattern, struct registry_item *item)
{
    const char *begin = *pattern + strspn(*pattern, " \t");
    size_t length = strcspn(begin, ",");
    const char *colon;

    *pattern = begin + length + (begin[length] == ',' ? 1 : 0);
    while (length > 0 && isspace((unsigned char)begin[length - 1]))
        length--;
    *item = (struct registry_item){.minus = length > 0 && begin[0] == '-'};
    if (item->minus) {
        begin++;
        length--;
    }
    if (length == 0)
        return error_set(FGPU_E_INVAL, "devices: an item of the list is empty");
    if (length >= sizeof item->text)
        return error_set(FGPU_E_INVAL, "devices: an item has %zu characters, the limit is %zu",
                         length, sizeof item->text - 1);
    memcpy(item->text, begin, length);
    colon = strchr(item->text, ':');
    if (colon == NULL)
        return FGPU_OK;
    memcpy(item->backend, item->text, (size_t)(colon - item->text));
    item->rest = colon + 1;
    if (*item->rest == '\0')
        return error_set(FGPU_E_INVAL, "devices: nothing follows the ':' of \"%s\"", item->text);
    return FGPU_OK;
}

static fgpu_status registry_search_run(struct registry_search *search, const char *pattern)
{
    const struct registry_item everything = {.text = "auto"};
    const char *rest = pattern;
    struct registry_item item;

    if (pattern[strspn(pattern, " \t")] == '-')
        (void)registry_item_apply(search, &everything);
    while (*rest != '\0') {
        fgpu_status status = registry_item_read(&rest, &item);
        if (status != FGPU_OK)
            return status;
        if (registry_item_apply(search, &item) == 0 && !item.minus)
            return registry_nothing(search, item.text);
    }
    if (search->count == 0)
        return registry_nothing(search, pattern);
    if (search->count > search->capacity)
        return error_set(FGPU_E_LIMIT, "devices \"%s\": %u devices match, the limit is %u", pattern,
                         search->count, search->capacity);
    return FGPU_OK;
}

fgpu_status registry_find(const char *pattern, const fgpu_backend_options *options,
                          struct registry_match *out, uint32_t capacity, uint32_t *count,
                          struct registry_absent *absent)
{
    struct registry_search *search = alloc_get_zeroed(NULL, sizeof *search, 16);
    fgpu_status status;

    *count = 0;
    if (absent != NULL)
        absent->count = 0;
    if (search == NULL)
        return error_set(FGPU_E_NOMEM, "devices: no memory for the search");
    search->options = options;
    search->out = out;
    search->capacity = capacity;
    registry_search_init(search);
    status = registry_search_run(search, pattern != NULL && pattern[0] != '\0' ? pattern : "auto");
    if (status == FGPU_OK)
        *count = search->count;
    if (status == FGPU_OK && absent != NULL)
        registry_tell_absent(search, absent);
    registry_search_fini(search);
    alloc_put(NULL, search, sizeof *search);
    return status;
}
