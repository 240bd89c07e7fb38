/* JSON results: see json_out.h. */
#include "cli/common/json_out.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stands for a byte that is no UTF-8: U+FFFD, the replacement character. */
static const char json_out_replacement[] = "\xef\xbf\xbd";

void json_out_number(cJSON *object, const char *name, double value)
{
    (void)cJSON_AddNumberToObject(object, name, value);
}

void json_out_known(cJSON *object, const char *name, bool is_known, double value)
{
    if (is_known)
        json_out_number(object, name, value);
    else
        (void)cJSON_AddNullToObject(object, name);
}

/* Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t json_out_character(const char *text)
{
    const uint8_t *byte = (const uint8_t *)text;
    uint8_t low = 0x80, high = 0xbf;
    size_t length = 1;

    if (byte[0] < 0x80)
        return 1;
    if (byte[0] < 0xc2 || byte[0] > 0xf4)
        return 0;
    if (byte[0] >= 0xe0)
        length = byte[0] >= 0xf0 ? 3 : 2;
    if (byte[0] == 0xe0)
        low = 0xa0;
    if (byte[0] == 0xed)
        high = 0x9f;
    if (byte[0] == 0xf0)
        low = 0x90;
    if (byte[0] == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i <= length; i++, low = 0x80, high = 0xbf)
        if (byte[i] < low || byte[i] > high)
            return 0;
    return length + 1;
}

cJSON *json_out_string(const char *text)
{
    size_t used = 0, room = 3 * strlen(text) + 1;
    char *clean = malloc(room);

    if (!clean)
        return NULL;
    while (*text) {
        size_t length = json_out_character(text);
        const char *from = length > 0 ? text : json_out_replacement;
        size_t bytes = length > 0 ? length : sizeof json_out_replacement - 1;
        memcpy(clean + used, from, bytes);
        used += bytes;
        text += length > 0 ? length : 1;
    }
    clean[used] = '\0';
    cJSON *string = cJSON_CreateString(clean);
    free(clean);
    return string;
}

void json_out_text(cJSON *object, const char *name, const char *text)
{
    (void)cJSON_AddItemToObject(object, name, json_out_string(text));
}

void json_out_bool(cJSON *object, const char *name, bool value)
{
    (void)cJSON_AddBoolToObject(object, name, value);
}

bool json_out_print(cJSON *root)
{
    char *text = cJSON_Print(root);
    bool has_text = text != NULL;

    if (has_text)
        printf("%s\n", text);
    else
        fprintf(stderr, "fastgpu: no memory for the output\n");
    cJSON_free(text);
    cJSON_Delete(root);
    return has_text;
}
