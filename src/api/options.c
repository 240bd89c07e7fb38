/* Options of a pool from text: "key=value; key=value", for command lines and environment variables.
 *
 * One table says which key sets which field and what it takes. Strings are packed into a buffer of
 * the calling thread, which the next call on that thread uses again; those that the same `options`
 * already had there move along, so that two texts may be read one after the other. Keeps true: an
 * error changes nothing. Thread: any. Does not block, does not allocate.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastgpu/pool.h>

#include "base/error.h"
#include "base/log.h"
#include "dev/layer/faults.h"
#include "policy/policy.h"

#define OPTIONS_TEXT_BYTES 4096u /* of one call, with the NUL: far more than a person types */

static const char options_who[] = "fgpu_pool_options_parse";

static _Thread_local char options_kept[OPTIONS_TEXT_BYTES];

enum options_kind {
    OPTIONS_TEXT,   /* const char *, not empty */
    OPTIONS_FOLDER, /* const char *, may be empty */
    OPTIONS_POLICY, /* const char *, the name of a policy */
    OPTIONS_FILE,   /* const char *, may be empty */
    OPTIONS_FAULTS, /* const char *, as faults_parse reads it */
    OPTIONS_COUNT,  /* uint32_t */
    OPTIONS_NUMBER, /* uint64_t */
    OPTIONS_SIZE,   /* uint64_t, bytes */
    OPTIONS_LEVEL,  /* int32_t */
    OPTIONS_FORMAT, /* uint32_t, fgpu_log_format */
    OPTIONS_AIM,    /* uint32_t, fgpu_objective */
    OPTIONS_WAY,    /* uint32_t, fgpu_pool_preempt */
    OPTIONS_PACKS,  /* uint32_t, fgpu_pool_spill_compress */
    OPTIONS_FLAG    /* a bit of flags */
};

static const char *const options_takes[] = {
    [OPTIONS_TEXT] = "patterns, comma separated, for example cpu or opencl:0",
    [OPTIONS_FOLDER] = "a folder, or nothing for none",
    [OPTIONS_POLICY] = "the name of a policy",
    [OPTIONS_FILE] = "a file, or nothing for none",
    [OPTIONS_FAULTS] = "faults, for example seed=7,submit=20",
    [OPTIONS_COUNT] = "a number from 0 to 4294967295",
    [OPTIONS_NUMBER] = "a number from 0 to 18446744073709551615, also in hexadecimal (0x...)",
    [OPTIONS_SIZE] = "bytes, or a whole number of KiB, MiB or GiB",
    [OPTIONS_LEVEL] = "off, error, warn, info, debug, trace, or a number from -1 to 4",
    [OPTIONS_FORMAT] = "text or json",
    [OPTIONS_AIM] = "makespan, latency, energy or edp",
    [OPTIONS_WAY] = "auto, off, slices or guard",
    [OPTIONS_PACKS] = "auto, lz4, zstd or off",
    [OPTIONS_FLAG] = "on, off, yes, no, 1, 0, or nothing for on"};

static const struct options_key {
    const char *name;
    enum options_kind kind;
    uint32_t flag;
    size_t offset; /* of the field */
} options_keys[] = {
    {"devices", OPTIONS_TEXT, 0, offsetof(fgpu_pool_options, devices)},
    {"policy", OPTIONS_POLICY, 0, offsetof(fgpu_pool_options, policy)},
    {"workers", OPTIONS_COUNT, 0, offsetof(fgpu_pool_options, cpu_workers)},
    {"subdevices", OPTIONS_COUNT, 0, offsetof(fgpu_pool_options, subdevices)},
    {"tasks", OPTIONS_COUNT, 0, offsetof(fgpu_pool_options, task_limit)},
    {"device-memory", OPTIONS_SIZE, 0, offsetof(fgpu_pool_options, device_memory_bytes)},
    {"host-memory", OPTIONS_SIZE, 0, offsetof(fgpu_pool_options, host_memory_bytes)},
    {"spill", OPTIONS_FOLDER, 0, offsetof(fgpu_pool_options, spill_dir)},
    {"spill-limit", OPTIONS_SIZE, 0, offsetof(fgpu_pool_options, spill_bytes)},
    {"spill-compress", OPTIONS_PACKS, 0, offsetof(fgpu_pool_options, spill_compress)},
    {"cache", OPTIONS_FOLDER, 0, offsetof(fgpu_pool_options, cache_dir)},
    {"log", OPTIONS_LEVEL, 0, offsetof(fgpu_pool_options, log_level)},
    {"log-format", OPTIONS_FORMAT, 0, offsetof(fgpu_pool_options, log_format)},
    {"log-file", OPTIONS_FILE, 0, offsetof(fgpu_pool_options, log_file)},
    {"validate", OPTIONS_FLAG, FGPU_POOL_VALIDATE, offsetof(fgpu_pool_options, flags)},
    {"reproducible", OPTIONS_FLAG, FGPU_POOL_REPRODUCIBLE, offsetof(fgpu_pool_options, flags)},
    {"trace", OPTIONS_FLAG, FGPU_POOL_TRACE, offsetof(fgpu_pool_options, flags)},
    {"trace-events", OPTIONS_COUNT, 0, offsetof(fgpu_pool_options, trace_events)},
    {"nowait", OPTIONS_FLAG, FGPU_POOL_NOWAIT, offsetof(fgpu_pool_options, flags)},
    {"nomemwait", OPTIONS_FLAG, FGPU_POOL_NOMEMWAIT, offsetof(fgpu_pool_options, flags)},
    {"preimage", OPTIONS_FLAG, FGPU_POOL_PREIMAGE, offsetof(fgpu_pool_options, flags)},
    {"checksum", OPTIONS_FLAG, FGPU_POOL_CHECKSUM, offsetof(fgpu_pool_options, flags)},
    {"faults", OPTIONS_FAULTS, 0, offsetof(fgpu_pool_options, faults)},
    {"seed", OPTIONS_NUMBER, 0, offsetof(fgpu_pool_options, seed)},
    {"objective", OPTIONS_AIM, 0, offsetof(fgpu_pool_options, objective)},
    {"preempt", OPTIONS_WAY, 0, offsetof(fgpu_pool_options, preempt)},
};

#define OPTIONS_KEYS (sizeof options_keys / sizeof options_keys[0])

/* ---- values ----------------------------------------------------------------------------- */

/* Digits and nothing else, or 0x and hexadecimal digits where `hex` allows them. [out] end: behind
 * them. */
static bool options_digits(const char *text, bool hex, uint64_t *number, const char **end)
{
    int base = hex && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
    const char *first = base == 16 ? text + 2 : text;
    bool digit = base == 16 ? isxdigit((unsigned char)*first) : isdigit((unsigned char)*first);
    if (!digit) /* strtoull would also take a sign */
        return false;
    char *stop;
    errno = 0;
    *number = strtoull(first, &stop, base);
    *end = stop;
    return errno == 0;
}

static bool options_number(const char *text, uint64_t most, bool hex, uint64_t *number)
{
    const char *end;
    return options_digits(text, hex, number, &end) && *end == '\0' && *number <= most;
}

/* [in] names: of four values, in their order. */
static bool options_word(const char *text, const char *const names[4], uint32_t *value)
{
    for (uint32_t i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) {
            *value = i;
            return true;
        }
    return false;
}

static bool options_size(const char *text, uint64_t *bytes)
{
    static const struct {
        const char *unit;
        unsigned shift;
    } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    const char *end;
    if (!options_digits(text, false, bytes, &end))
        return false;
    while (*end == ' ' || *end == '\t')
        end++;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) == 0)
            return !__builtin_mul_overflow(*bytes, UINT64_C(1) << units[i].shift, bytes);
    }
    return false;
}

static bool options_flag(const char *text, bool *on)
{
    static const char *const words[] = {"off", "on", "no", "yes", "0", "1"};
    *on = true;
    if (text == NULL)
        return true;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *on = i & 1;
            return true;
        }
    }
    return false;
}

static bool options_take_text(const struct options_key *key, const char *value)
{
    switch (key->kind) {
    case OPTIONS_TEXT:
        return value[0] != '\0';
    case OPTIONS_POLICY:
        return policy_find(value) != NULL;
    default:
        return true;
    }
}

/* Sets the field; false when the value is none of those that the key takes. */
static bool options_set(const struct options_key *key, const char *value,
                        fgpu_pool_options *options)
{
    static const char *const aims[] = {"makespan", "latency", "energy", "edp"};
    static const char *const ways[] = {"auto", "off", "slices", "guard"};
    static const char *const packs[] = {"auto", "lz4", "zstd", "off"};
    char *field = (char *)options + key->offset;
    uint64_t number = 0;
    int level;
    bool on;
    switch (key->kind) {
    case OPTIONS_COUNT:
        if (!options_number(value, UINT32_MAX, false, &number))
            return false;
        *(uint32_t *)(void *)field = (uint32_t)number;
        return true;
    case OPTIONS_NUMBER:
        return options_number(value, UINT64_MAX, true, (uint64_t *)(void *)field);
    case OPTIONS_SIZE:
        return options_size(value, (uint64_t *)(void *)field);
    case OPTIONS_LEVEL:
        if (!log_level_parse(value, &level))
            return false;
        *(int32_t *)(void *)field = level;
        return true;
    case OPTIONS_FORMAT:
        if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
            return false;
        *(uint32_t *)(void *)field = value[0] == 'j' ? FGPU_LOG_JSON : FGPU_LOG_TEXT;
        return true;
    case OPTIONS_AIM:
        return options_word(value, aims, (uint32_t *)(void *)field);
    case OPTIONS_WAY:
        return options_word(value, ways, (uint32_t *)(void *)field);
    case OPTIONS_PACKS:
        return options_word(value, packs, (uint32_t *)(void *)field);
    case OPTIONS_FLAG:
        if (!options_flag(value, &on))
            return false;
        options->flags = on ? options->flags | key->flag : options->flags & ~key->flag;
        return true;
    default:
        if (!options_take_text(key, value))
            return false;
        *(const char **)(void *)field = value;
        return true;
    }
}

/* ---- items ------------------------------------------------------------------------------ */

/* Cuts blanks off both ends, in place. */
static char *options_trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

static const struct options_key *options_find(const char *name)
{
    for (size_t i = 0; i < OPTIONS_KEYS; i++) {
        if (strcmp(options_keys[i].name, name) == 0)
            return &options_keys[i];
    }
    return NULL;
}

static fgpu_status options_no_key(const char *name)
{
    char names[320] = "";
    size_t used = 0;
    for (size_t i = 0; i < OPTIONS_KEYS && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? " " : "",
                                 options_keys[i].name);
    return error_set(FGPU_E_INVAL, "%s: there is no key '%.60s'; there are: %s", options_who, name,
                     names);
}

static fgpu_status options_item(char *item, fgpu_pool_options *options)
{
    char *value = strchr(item, '=');
    if (value != NULL)
        *value++ = '\0';
    const char *name = options_trim(item);
    const struct options_key *key = options_find(name);
    if (key == NULL)
        return options_no_key(name);
    if (value == NULL && key->kind != OPTIONS_FLAG)
        return error_set(FGPU_E_INVAL, "%s: key '%s' has no value; it takes %s", options_who, name,
                         options_takes[key->kind]);
    if (value != NULL)
        value = options_trim(value);
    struct faults faults;
    if (key->kind == OPTIONS_FAULTS && faults_parse(value, &faults) != FGPU_OK)
        return error_set(FGPU_E_INVAL, "%s: key '%s' has the value '%.100s': %s", options_who, name,
                         value, error_text());
    if (options_set(key, value, options))
        return FGPU_OK;
    bool policy = key->kind == OPTIONS_POLICY;
    return error_set(FGPU_E_INVAL, "%s: key '%s' has the value '%.100s'; it takes %s%s%s",
                     options_who, name, value, options_takes[key->kind], policy ? ": " : "",
                     policy ? policy_names() : "");
}

/* ---- strings ---------------------------------------------------------------------------- */

static bool options_lies_in(const char *text, const char *room)
{
    uintptr_t at = (uintptr_t)text, begin = (uintptr_t)room;
    return at >= begin && at < begin + OPTIONS_TEXT_BYTES;
}

/* Moves the strings that lie in `work`, or are left from an earlier call, to the thread's buffer.
 */
static fgpu_status options_keep(const char *work, fgpu_pool_options *options)
{
    char packed[OPTIONS_TEXT_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < OPTIONS_KEYS; i++) {
        if (options_keys[i].kind > OPTIONS_FAULTS)
            continue;
        const char **field = (const char **)(void *)((char *)options + options_keys[i].offset);
        if (!options_lies_in(*field, work) && !options_lies_in(*field, options_kept))
            continue;
        size_t bytes = strlen(*field) + 1;
        if (bytes > sizeof packed - used)
            return error_set(FGPU_E_LIMIT, "%s: the values that are texts have more than %u bytes",
                             options_who, OPTIONS_TEXT_BYTES - 1);
        memcpy(packed + used, *field, bytes);
        *field = options_kept + used;
        used += bytes;
    }
    memcpy(options_kept, packed, used);
    return FGPU_OK;
}

fgpu_status fgpu_pool_options_parse(const char *text, fgpu_pool_options *options)
{
    if (text == NULL || options == NULL)
        return error_set(FGPU_E_INVAL, "%s: %s is NULL", options_who,
                         text == NULL ? "text" : "options");
    if (options->struct_bytes != sizeof *options)
        return error_set(FGPU_E_VERSION,
                         "%s: options.struct_bytes is %u, this library's is %zu: call "
                         "fgpu_pool_options_init first",
                         options_who, options->struct_bytes, sizeof *options);
    size_t bytes = strnlen(text, OPTIONS_TEXT_BYTES);
    if (bytes == OPTIONS_TEXT_BYTES)
        return error_set(FGPU_E_LIMIT, "%s: text is longer than %u bytes", options_who,
                         OPTIONS_TEXT_BYTES - 1);
    char work[OPTIONS_TEXT_BYTES];
    memcpy(work, text, bytes + 1);
    fgpu_pool_options parsed = *options;
    fgpu_status status = FGPU_OK;
    for (char *at = work; at != NULL && status == FGPU_OK;) {
        char *item = at;
        at = strpbrk(item, ";\n");
        if (at != NULL)
            *at++ = '\0';
        item = options_trim(item);
        if (item[0] != '\0')
            status = options_item(item, &parsed);
    }
    if (status == FGPU_OK)
        status = options_keep(work, &parsed);
    if (status == FGPU_OK)
        *options = parsed;
    return status;
}
