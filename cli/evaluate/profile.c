/* Tuned profiles: see profile.h. */
#include "cli/evaluate/profile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fastgpu/fastgpu.h>

#include "cli/evaluate/evaluate_machine.h"
#include "cli/common/file.h"
#include "cli/common/json_in.h"
#include "cli/common/text_cut.h"
#include "cli/common/why.h"

#define PROFILE_FORMAT 1
#define PROFILE_BYTES_LIMIT ((size_t)1 << 20)

/* ---- places */

static void profile_set_machine(struct profile_place *place, const struct workload *workload,
                                const char *pattern)
{
    struct evaluation_machine machine;

    evaluate_machine(&machine);
    *place = (struct profile_place){.workload = tune_fingerprint(workload),
                                    .cores = machine.cores,
                                    .pattern = pattern ? pattern : ""};
    (void)text_cut(place->processor, sizeof place->processor, "%s", machine.name);
}

void profile_place_set(struct profile_place *place, const struct workload *workload,
                       const char *pattern, const fgpu_device_info *devices, uint32_t count)
{
    profile_set_machine(place, workload, pattern);
    for (uint32_t i = 0; i < count && i < PROFILE_DEVICES_LIMIT; i++)
        (void)text_cut(place->devices[place->device_count++], sizeof place->devices[0],
                       "%s, %s, %s", devices[i].id, devices[i].name, devices[i].driver);
}

fgpu_status profile_list_devices(const char *pattern, fgpu_device_info *devices, uint32_t *count,
                                 char *why, size_t why_bytes)
{
    fgpu_pool_options options;
    fgpu_device device;
    fgpu_pool pool;
    uint32_t there = 0;

    *count = 0;
    fgpu_pool_options_init(&options);
    options.devices = pattern;
    options.log_level = FGPU_LOG_ERROR;
    fgpu_status status = fgpu_pool_open(&options, &pool);
    if (status != FGPU_OK)
        return why_fail(status, why, why_bytes, "the pool cannot be opened: %s", fgpu_last_error());
    (void)fgpu_device_count(pool, &there);
    for (uint32_t i = 0; i < there && i < PROFILE_DEVICES_LIMIT; i++) {
        devices[*count].struct_bytes = sizeof devices[0];
        if (fgpu_device_at(pool, i, &device) == FGPU_OK &&
            fgpu_device_get_info(device, &devices[*count]) == FGPU_OK)
            (*count)++;
    }
    (void)fgpu_pool_close(pool);
    return FGPU_OK;
}

fgpu_status profile_place_init(struct profile_place *place, const struct workload *workload,
                               const char *pattern, char *why, size_t why_bytes)
{
    fgpu_device_info devices[PROFILE_DEVICES_LIMIT];
    uint32_t count = 0;

    fgpu_status status = profile_list_devices(pattern, devices, &count, why, why_bytes);
    if (status == FGPU_OK)
        profile_place_set(place, workload, pattern, devices, count);
    return status;
}

/* The cache folder of the library, or "". */
static void profile_folder(char *folder, size_t bytes)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    folder[0] = '\0';
    if (xdg && xdg[0] == '/')
        (void)snprintf(folder, bytes, "%s/fastgpu/profiles", xdg);
    else if (home && home[0] == '/')
        (void)snprintf(folder, bytes, "%s/.cache/fastgpu/profiles", home);
}

bool profile_is_any(void)
{
    char folder[PROFILE_PATH_BYTES];

    profile_folder(folder, sizeof folder);
    return folder[0] != '\0' && access(folder, X_OK) == 0;
}

/* FNV-1a of what the machine is called. */
static uint64_t profile_machine_number(const struct profile_place *place)
{
    char text[512];
    uint64_t hash = UINT64_C(0xCBF29CE484222325);

    (void)snprintf(text, sizeof text, "%s|%.3f|%.300s|%s", place->processor, place->cores,
                   place->pattern, fgpu_version_text());
    for (const char *at = text; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001B3);
    return hash;
}

void profile_path(const struct workload *workload, const char *pattern,
                  char path[PROFILE_PATH_BYTES])
{
    struct profile_place place;
    char folder[PROFILE_PATH_BYTES - 64];

    profile_folder(folder, sizeof folder);
    path[0] = '\0';
    if (!folder[0] || strlen(folder) >= sizeof folder - 1)
        return;
    profile_set_machine(&place, workload, pattern);
    (void)snprintf(path, PROFILE_PATH_BYTES, "%s/%016" PRIx64 "-%016" PRIx64 ".json", folder,
                   place.workload, profile_machine_number(&place));
}

/* ---- writing */

void profile_json_choices(cJSON *root, const char *name, const struct tune_choices *choices)
{
    cJSON *list = cJSON_AddArrayToObject(root, name);

    for (uint32_t i = 0; i < choices->count; i++) {
        const struct tune_choice *choice = &choices->list[i];
        cJSON *entry = cJSON_CreateObject();
        json_out_text(entry, "what", tune_kind_names[choice->kind]);
        if (choice->name[0])
            json_out_text(entry, "name", choice->name);
        json_out_text(entry, "value", choice->value);
        (void)cJSON_AddItemToArray(list, entry);
    }
}

static cJSON *profile_json(const struct profile *profile, const struct profile_place *place)
{
    cJSON *root = cJSON_CreateObject();
    char number[24];

    (void)snprintf(number, sizeof number, "%016" PRIx64, place->workload);
    json_out_number(root, "fastgpu_profile", PROFILE_FORMAT);
    json_out_text(root, "version", fgpu_version_text());
    json_out_text(root, "made", profile->made);
    json_out_text(root, "workload", number);
    json_out_text(root, "processor", place->processor);
    json_out_number(root, "cores", place->cores);
    json_out_text(root, "pattern", place->pattern);
    cJSON *devices = cJSON_AddArrayToObject(root, "devices");
    for (uint32_t i = 0; i < place->device_count; i++)
        (void)cJSON_AddItemToArray(devices, json_out_string(place->devices[i]));
    json_out_known(root, "before_ns", profile->before_ns > 0.0, profile->before_ns);
    json_out_known(root, "after_ns", profile->after_ns > 0.0, profile->after_ns);
    profile_json_choices(root, "choices", &profile->choices);
    return root;
}

/* Makes the folders of the cache, as far as they are not there. */
static void profile_make_folders(const char *path)
{
    char folder[PROFILE_PATH_BYTES];

    profile_folder(folder, sizeof folder);
    size_t length = strlen(folder);
    if (length == 0 || strncmp(path, folder, length) != 0 || path[length] != '/')
        return;
    for (char *at = folder + 1; *at; at++)
        if (*at == '/') {
            *at = '\0';
            (void)mkdir(folder, 0700); /* what cannot be made shows when the file is written */
            *at = '/';
        }
    (void)mkdir(folder, 0700);
}

fgpu_status profile_write(const struct profile *profile, const struct profile_place *place,
                          char *why, size_t why_bytes)
{
    cJSON *root = profile_json(profile, place);
    char *text = root ? cJSON_Print(root) : NULL;
    fgpu_status status;

    cJSON_Delete(root);
    if (!text)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    profile_make_folders(profile->path);
    const struct file_part parts[] = {{text, strlen(text)}, {"\n", 1}};
    status = file_replace_parts(profile->path, parts, 2, why, why_bytes);
    cJSON_free(text);
    return status;
}

/* ---- reading */

static const char *profile_text(const cJSON *root, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(root, name);

    return cJSON_IsString(value) ? value->valuestring : "";
}

static double profile_number(const cJSON *root, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(root, name);

    return cJSON_IsNumber(value) ? value->valuedouble : 0.0;
}

static bool profile_read_choice(const cJSON *entry, struct tune_choice *choice)
{
    const char *kind = profile_text(entry, "what"), *name = profile_text(entry, "name");
    const char *value = profile_text(entry, "value");
    int number = 0;

    while (number < TUNE_KINDS && strcmp(kind, tune_kind_names[number]) != 0)
        number++;
    if (number == TUNE_KINDS || !value[0] || strlen(value) >= sizeof choice->value ||
        strlen(name) >= sizeof choice->name)
        return false;
    bool has_name = number == TUNE_CONSTANT || number == TUNE_VARIANT || number == TUNE_LOCAL;
    choice->kind = (enum tune_kind)number;
    (void)snprintf(choice->name, sizeof choice->name, "%s", name);
    (void)snprintf(choice->value, sizeof choice->value, "%s", value);
    return has_name == (name[0] != '\0');
}

static fgpu_status profile_take(struct profile *profile, const cJSON *root, char *why,
                                size_t why_bytes)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "choices"), *entry;
    const char *path = profile->path;

    if (!cJSON_IsArray(list))
        return why_fail(FGPU_E_INVAL, why, why_bytes, "%s: it has no list of choices", path);
    profile->choices.count = 0;
    cJSON_ArrayForEach(entry, list)
    {
        if (profile->choices.count == TUNE_DIMS_LIMIT ||
            !profile_read_choice(entry, &profile->choices.list[profile->choices.count]))
            return why_fail(FGPU_E_INVAL, why, why_bytes, "%s: $.choices[%u] is no choice", path,
                            profile->choices.count);
        profile->choices.count++;
    }
    (void)text_cut(profile->made, sizeof profile->made, "%s", profile_text(root, "made"));
    profile->before_ns = profile_number(root, "before_ns");
    profile->after_ns = profile_number(root, "after_ns");
    return FGPU_OK;
}

static fgpu_status profile_differs(const char *what, const char *was, const char *is, char *why,
                                   size_t why_bytes)
{
    return why_fail(FGPU_E_VERSION, why, why_bytes, "it was made for %s %.180s, this is %.180s",
                    what, was, is);
}

static fgpu_status profile_compare(const cJSON *root, const struct profile_place *place, char *why,
                                   size_t why_bytes)
{
    const cJSON *devices = cJSON_GetObjectItemCaseSensitive(root, "devices");
    const char *version = profile_text(root, "version"), *pattern = profile_text(root, "pattern");
    const char *processor = profile_text(root, "processor");
    char number[24];

    (void)snprintf(number, sizeof number, "%016" PRIx64, place->workload);
    if (profile_number(root, "fastgpu_profile") != PROFILE_FORMAT ||
        strcmp(version, fgpu_version_text()) != 0)
        return profile_differs("version", version[0] ? version : "?", fgpu_version_text(), why,
                               why_bytes);
    if (strcmp(profile_text(root, "workload"), number) != 0)
        return profile_differs("workload", profile_text(root, "workload"), number, why, why_bytes);
    if (strcmp(processor, place->processor) != 0)
        return profile_differs("processor", processor, place->processor, why, why_bytes);
    if (profile_number(root, "cores") != place->cores)
        return why_fail(FGPU_E_VERSION, why, why_bytes, "it was made for %.4g cores, this has %.4g",
                        profile_number(root, "cores"), place->cores);
    if (strcmp(pattern, place->pattern) != 0)
        return profile_differs("--devices", pattern[0] ? pattern : "(all)",
                               place->pattern[0] ? place->pattern : "(all)", why, why_bytes);
    if (place->device_count == 0)
        return FGPU_OK;
    if ((uint32_t)cJSON_GetArraySize(devices) != place->device_count)
        return why_fail(FGPU_E_VERSION, why, why_bytes, "it was made for %d devices, there are %u",
                        cJSON_GetArraySize(devices), place->device_count);
    for (uint32_t i = 0; i < place->device_count; i++) {
        const cJSON *device = cJSON_GetArrayItem(devices, (int)i);
        const char *was = cJSON_IsString(device) ? device->valuestring : "?";
        if (strcmp(was, place->devices[i]) != 0)
            return profile_differs("device", was, place->devices[i], why, why_bytes);
    }
    return FGPU_OK;
}

fgpu_status profile_read(struct profile *profile, const struct profile_place *place, char *why,
                         size_t why_bytes)
{
    struct file_bytes bytes = {0};
    struct json_path where;
    struct stat info;
    char said[CLI_WHY_BYTES];
    cJSON *root = NULL;

    if (stat(profile->path, &info) != 0 && errno == ENOENT)
        return why_fail(FGPU_E_NOTFOUND, why, why_bytes, "%s: there is no such file",
                        profile->path);
    fgpu_status status = file_read(profile->path, PROFILE_BYTES_LIMIT, &bytes, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    status =
        json_in_parse((const char *)bytes.data, bytes.size_bytes, &root, &where, said, sizeof said);
    file_bytes_fini(&bytes);
    if (status != FGPU_OK)
        return why_fail(FGPU_E_INVAL, why, why_bytes, "%.300s: it is no profile: %.150s",
                        profile->path, said);
    status = profile_compare(root, place, why, why_bytes);
    if (status == FGPU_OK)
        status = profile_take(profile, root, why, why_bytes);
    cJSON_Delete(root);
    return status;
}
