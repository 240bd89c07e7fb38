/* JSON text; see json.h. */
#include "trace/json.h"
#include <string.h>

void json_begin(struct json *json, fgpu_status (*write)(void *user, const char *text, size_t bytes),
                void *user)
{
    json->write = write;
    json->user = user;
    json->status = FGPU_OK;
    json->used = 0;
}

static void json_flush(struct json *json)
{
    if (json->status == FGPU_OK && json->used > 0)
        json->status = json->write(json->user, json->buffer, json->used);
    json->used = 0;
}

fgpu_status json_end(struct json *json)
{
    json_flush(json);
    return json->status;
}

static void json_bytes(struct json *json, const char *bytes, size_t count)
{
    while (count > 0) {
        if (json->used == sizeof json->buffer)
            json_flush(json);
        size_t room = sizeof json->buffer - json->used;
        size_t part = count < room ? count : room;
        memcpy(json->buffer + json->used, bytes, part);
        json->used += part;
        bytes += part;
        count -= part;
    }
}

void json_raw(struct json *json, const char *text)
{
    json_bytes(json, text, strlen(text));
}

/* Bytes of the UTF-8 character at `s`, 0 when there is none (Unicode 15, table 3-7). */
static size_t json_utf8_bytes(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    size_t count = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    unsigned char low = 0x80, high = 0xbf;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    if (s[0] == 0xf0)
        low = 0x90;
    if (s[0] == 0xed)
        high = 0x9f;
    if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < count; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    return count;
}

/* One control character, quote or backslash. */
static void json_escaped(struct json *json, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[] = {'\\', (char)c, '\0'};
    if (c == '"' || c == '\\') {
        json_raw(json, text);
        return;
    }
    const char code[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15], '\0'};
    json_raw(json, code);
}

void json_string(struct json *json, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    json_raw(json, "\"");
    while (*s != '\0') {
        size_t bytes = json_utf8_bytes(s);
        if (bytes == 0)
            json_raw(json, "\\ufffd");
        else if (*s < 0x20 || *s == '"' || *s == '\\' || *s == 0x7f)
            json_escaped(json, *s);
        else
            json_bytes(json, (const char *)s, bytes);
        s += bytes > 0 ? bytes : 1;
    }
    json_raw(json, "\"");
}

void json_u64(struct json *json, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    json_bytes(json, digits + at, sizeof digits - at);
}

void json_i64(struct json *json, int64_t value)
{
    if (value < 0)
        json_raw(json, "-");
    json_u64(json, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void json_us(struct json *json, uint64_t ns)
{
    uint64_t rest = ns % 1000;
    const char decimals[] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                             (char)('0' + rest % 10), '\0'};
    json_u64(json, ns / 1000);
    json_raw(json, decimals);
}
