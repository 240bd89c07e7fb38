/* The text of fgpu_pool_options.faults: see faults.h. */
#include "dev/layer/faults.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"

#define FAULTS_ITEM_BYTES 64
#define FAULTS_SLOW_MAX 1000.0
#define FAULTS_LINK_MIN 0.001 /* MB/s */
#define FAULTS_LINK_MAX 1e6

_Static_assert(LIMITS_DEVICES <= 64, "devices that are named are bits of a word");

struct faults_item {
    char key[FAULTS_ITEM_BYTES];
    const char *value;
};

void faults_init(struct faults *faults)
{
    *faults = (struct faults){.seed = 1};
    for (uint32_t i = 0; i < LIMITS_DEVICES; i++) {
        faults->lose_after[i] = UINT64_MAX;
        faults->slow_factor[i] = 1;
    }
}

static fgpu_status faults_bad(const struct faults_item *item, const char *allowed)
{
    return error_set(FGPU_E_INVAL, "faults: %s=%s, allowed is %s", item->key, item->value, allowed);
}

/* A decimal number at *text, which moves behind it. */
static bool faults_number(const char **text, uint64_t max, uint64_t *number)
{
    char *end;

    *number = 0;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *number = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0 && *number <= max;
}

static fgpu_status faults_permille(const struct faults_item *item, uint32_t *permille)
{
    const char *text = item->value;
    uint64_t number;

    if (!faults_number(&text, 1000, &number) || *text != '\0')
        return faults_bad(item, "0 to 1000 (permille)");
    *permille = (uint32_t)number;
    return FGPU_OK;
}

static fgpu_status faults_seed(const struct faults_item *item, struct faults *faults)
{
    const char *text = item->value;

    if (!faults_number(&text, UINT64_MAX, &faults->seed) || *text != '\0')
        return faults_bad(item, "a whole number");
    return FGPU_OK;
}

static fgpu_status faults_lose(const struct faults_item *item, struct faults *faults)
{
    const char *text = item->value;
    uint64_t device;
    uint64_t after;

    if (!faults_number(&text, LIMITS_DEVICES - 1, &device) || *text++ != '@' ||
        !faults_number(&text, UINT64_MAX - 1, &after) || *text != '\0')
        return faults_bad(item, "DEVICE@COMMANDS with a device number below 64");
    faults->lose_after[device] = after;
    faults->lose_named |= UINT64_C(1) << device;
    return FGPU_OK;
}

/* "DEVICExNUMBER" with a number from `least` to `most`; false for anything else. */
static bool faults_scaled(const char *text, double least, double most, uint64_t *device,
                          double *number)
{
    char *end;

    if (!faults_number(&text, LIMITS_DEVICES - 1, device) || *text++ != 'x' || *text < '0' ||
        *text > '9')
        return false;
    *number = strtod(text, &end);
    return *end == '\0' && isfinite(*number) && *number >= least && *number <= most;
}

static fgpu_status faults_slow(const struct faults_item *item, struct faults *faults)
{
    uint64_t device;
    double factor;

    if (!faults_scaled(item->value, 1, FAULTS_SLOW_MAX, &device, &factor))
        return faults_bad(
            item, "DEVICExFACTOR with a device number below 64 and a factor from 1 to 1000");
    faults->slow_factor[device] = factor;
    faults->slow_named |= UINT64_C(1) << device;
    return FGPU_OK;
}

static fgpu_status faults_link(const struct faults_item *item, struct faults *faults)
{
    uint64_t device;
    double rate;

    if (!faults_scaled(item->value, FAULTS_LINK_MIN, FAULTS_LINK_MAX, &device, &rate))
        return faults_bad(item, "DEVICExMBPS with a device number below 64 and MB/s from 0.001 to "
                                "1000000");
    faults->link_rate[device] = rate / 1e3;
    faults->link_named |= UINT64_C(1) << device;
    return FGPU_OK;
}

static fgpu_status faults_apply(const struct faults_item *item, struct faults *faults)
{
    if (strcmp(item->key, "seed") == 0)
        return faults_seed(item, faults);
    if (strcmp(item->key, "submit") == 0)
        return faults_permille(item, &faults->submit_permille);
    if (strcmp(item->key, "alloc") == 0)
        return faults_permille(item, &faults->alloc_permille);
    if (strcmp(item->key, "build") == 0)
        return faults_permille(item, &faults->build_permille);
    if (strcmp(item->key, "task") == 0)
        return faults_permille(item, &faults->task_permille);
    if (strcmp(item->key, "lose") == 0)
        return faults_lose(item, faults);
    if (strcmp(item->key, "slow") == 0)
        return faults_slow(item, faults);
    if (strcmp(item->key, "link") == 0)
        return faults_link(item, faults);
    return error_set(FGPU_E_INVAL,
                     "faults: key \"%s\" is none of seed submit alloc build task lose slow link",
                     item->key);
}

/* Cuts the next item off *text. */
static fgpu_status faults_item_read(const char **text, struct faults_item *item)
{
    const char *begin = *text + strspn(*text, " \t");
    size_t length = strcspn(begin, ",");
    char *equals;

    *text = begin + length + (begin[length] == ',' ? 1 : 0);
    *item = (struct faults_item){.value = ""};
    while (length > 0 && strchr(" \t", begin[length - 1]) != NULL)
        length--;
    if (length >= sizeof item->key)
        return error_set(FGPU_E_INVAL, "faults: an item has %zu characters, the limit is %zu",
                         length, sizeof item->key - 1);
    memcpy(item->key, begin, length);
    item->key[length] = '\0';
    equals = strchr(item->key, '=');
    if (equals == NULL)
        return error_set(FGPU_E_INVAL, "faults: \"%s\" is not KEY=VALUE", item->key);
    *equals = '\0';
    item->value = equals + 1;
    return FGPU_OK;
}

fgpu_status faults_parse(const char *text, struct faults *faults)
{
    const char *rest = text;
    struct faults_item item;
    fgpu_status status = FGPU_OK;

    faults_init(faults);
    if (rest[strspn(rest, " \t")] == '\0')
        return FGPU_OK;
    while (status == FGPU_OK && *rest != '\0') {
        status = faults_item_read(&rest, &item);
        if (status == FGPU_OK)
            status = faults_apply(&item, faults);
    }
    return status;
}

static fgpu_status faults_check_named(const char *key, uint64_t named, uint32_t device_count)
{
    uint64_t there = device_count < 64 ? (UINT64_C(1) << device_count) - 1 : UINT64_MAX;
    uint64_t absent = named & ~there;

    if (absent == 0)
        return FGPU_OK;
    return error_set(FGPU_E_INVAL, "faults: %s= names device %d; the pool has %u, numbered from 0",
                     key, __builtin_ctzll(absent), device_count);
}

fgpu_status faults_check(const struct faults *faults, uint32_t device_count)
{
    fgpu_status status = faults_check_named("lose", faults->lose_named, device_count);

    if (status == FGPU_OK)
        status = faults_check_named("slow", faults->slow_named, device_count);
    return status == FGPU_OK ? faults_check_named("link", faults->link_named, device_count)
                             : status;
}
