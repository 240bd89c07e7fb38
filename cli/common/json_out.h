/* JSON results: what is not known is null, never zero. Thin words over cJSON, which keeps nothing
 * after json_out_print(). Main thread.
 */
#ifndef FASTGPU_CLI_COMMON_JSON_OUT_H
#define FASTGPU_CLI_COMMON_JSON_OUT_H

#include <stdbool.h>

#include <cjson/cJSON.h>

void json_out_number(cJSON *object, const char *name, double value);
void json_out_known(cJSON *object, const char *name, bool is_known, double value);

/* Bytes of the UTF-8 character at `text`, or 0 where none begins. [in] text: closed by a 0. */
size_t json_out_character(const char *text);

/* A string, [give]. File names are bytes and JSON is UTF-8: each byte that is none becomes U+FFFD.
 * NULL without memory, which cJSON's functions take. */
cJSON *json_out_string(const char *text);

void json_out_text(cJSON *object, const char *name, const char *text);
void json_out_bool(cJSON *object, const char *name, bool value);

/* Prints to stdout with a newline, and deletes. [take] root. False without memory. */
bool json_out_print(cJSON *root);

#endif
