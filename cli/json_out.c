/* JSON results: see json_out.h. */
#include "json_out.h"

#include <stdio.h>

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

void json_out_text(cJSON *object, const char *name, const char *text)
{
    (void)cJSON_AddStringToObject(object, name, text);
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
