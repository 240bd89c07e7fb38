/* JSON without a tree: see trace_scan.h. */
#include "cli/trace/trace_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/common/json_out.h"

#define TRACE_SCAN_TIME_LIMIT 1e15 /* microseconds: 31 years; exact to the nanosecond below 285 */

void trace_scan_init(struct trace_scan *scan, char *text, size_t size_bytes)
{
    *scan = (struct trace_scan){
        .at = text, .end = text + size_bytes, .line_begin = text, .line = 1, .status = FGPU_OK};
}

bool trace_scan_fail(struct trace_scan *scan, fgpu_status status, const char *wrong)
{
    if (!scan->wrong) {
        scan->wrong = wrong;
        scan->status = status;
    }
    return false;
}

static bool trace_scan_bad(struct trace_scan *scan, const char *wrong)
{
    return trace_scan_fail(scan, FGPU_E_INVAL,
                           scan->at >= scan->end ? "the file ends in the middle" : wrong);
}

bool trace_scan_is(const struct trace_scan_key *key, const char *word)
{
    return strlen(word) == key->length && memcmp(key->text, word, key->length) == 0;
}

static void trace_scan_blank(struct trace_scan *scan)
{
    for (;; scan->at++) {
        if (*scan->at == '\n') {
            scan->line++;
            scan->line_begin = scan->at + 1;
        } else if (*scan->at != ' ' && *scan->at != '\t' && *scan->at != '\r') {
            return;
        }
    }
}

bool trace_scan_ended(struct trace_scan *scan)
{
    trace_scan_blank(scan);
    return scan->at == scan->end || trace_scan_bad(scan, "nothing may follow the value");
}

/* ---- strings */

static int trace_scan_hex(const char *text)
{
    char digits[5] = {0};

    if (strspn(text, "0123456789abcdefABCDEF") < 4)
        return -1;
    memcpy(digits, text, 4);
    return (int)strtol(digits, NULL, 16);
}

/* Length of the escape at `text`; 0: it is none. */
static size_t trace_scan_escape(const char *text)
{
    if (text[1] == 'u')
        return trace_scan_hex(text + 2) >= 0 ? 6 : 0;
    return text[1] != '\0' && strchr("\"\\/bfnrt", text[1]) ? 2 : 0;
}

/* Passes over a string. [out] text: behind its first quote. */
static bool trace_scan_string(struct trace_scan *scan, struct trace_scan_key *text)
{
    if (*scan->at != '"')
        return trace_scan_bad(scan, "a string in double quotes is wanted");
    text->text = ++scan->at;
    while (*scan->at != '"') {
        size_t length = *scan->at == '\\' ? trace_scan_escape(scan->at)
                        : (unsigned char)*scan->at >= 0x20 && (unsigned char)*scan->at < 0x80
                            ? 1
                            : json_out_character(scan->at);
        if (scan->at >= scan->end || (unsigned char)*scan->at < 0x20 || length == 0)
            return trace_scan_bad(scan, "this does not belong in a string");
        scan->at += length;
    }
    text->length = (size_t)(scan->at - text->text);
    scan->at++;
    return true;
}

/* Writes the character as UTF-8, never longer than its escape. */
static char *trace_scan_put(char *out, uint32_t code)
{
    if (code < 0x20 || code == 0x7f || (code >= 0xd800 && code < 0xe000))
        code = '?';
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *out++ = (char)(0xe0 | code >> 12);
        } else {
            *out++ = (char)(0xf0 | code >> 18);
            *out++ = (char)(0x80 | (code >> 12 & 63));
        }
        *out++ = (char)(0x80 | (code >> 6 & 63));
    }
    *out++ = (char)(0x80 | (code & 63));
    return out;
}

/* [in] at: a backslash. Returns what is behind the escape, or behind both halves of a pair. */
static const char *trace_scan_decode(const char *at, uint32_t *code)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

    if (at[1] != 'u') {
        *code = (uint32_t)to[strchr(from, at[1]) - from];
        return at + 2;
    }
    *code = (uint32_t)trace_scan_hex(at + 2);
    if (*code < 0xd800 || *code >= 0xdc00 || at[6] != '\\' || at[7] != 'u')
        return at + 6;
    int low = trace_scan_hex(at + 8);
    if (low < 0xdc00 || low >= 0xe000)
        return at + 6;
    *code = 0x10000 + ((*code - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
    return at + 12;
}

bool trace_scan_text(struct trace_scan *scan, const char **text)
{
    struct trace_scan_key raw;

    trace_scan_blank(scan);
    char *out = scan->at + 1;
    if (!trace_scan_string(scan, &raw))
        return false;
    *text = out;
    for (const char *at = raw.text; at < raw.text + raw.length;) {
        uint32_t code = '\0';
        if (*at == '\\') {
            at = trace_scan_decode(at, &code);
            out = trace_scan_put(out, code);
        } else {
            *out++ = *at == 0x7f ? '?' : *at;
            at++;
        }
    }
    *out = '\0';
    return true;
}

/* ---- numbers and words */

static bool trace_scan_digits(struct trace_scan *scan)
{
    size_t count = strspn(scan->at, "0123456789");

    scan->at += count;
    return count > 0 || trace_scan_bad(scan, "a digit is wanted");
}

/* Passes over a number. [out] begin: where it begins; *is_whole: neither point nor exponent. */
static bool trace_scan_number(struct trace_scan *scan, const char **begin, bool *is_whole)
{
    trace_scan_blank(scan);
    *begin = scan->at;
    *is_whole = true;
    if (*scan->at != '-' && (*scan->at < '0' || *scan->at > '9'))
        return trace_scan_bad(scan, "a number is wanted");
    scan->at += *scan->at == '-';
    if (scan->at[0] == '0' && scan->at[1] >= '0' && scan->at[1] <= '9')
        return trace_scan_bad(scan, "a number does not begin with 0");
    if (!trace_scan_digits(scan))
        return false;
    if (*scan->at == '.') {
        *is_whole = false;
        scan->at++;
        if (!trace_scan_digits(scan))
            return false;
    }
    if (*scan->at == 'e' || *scan->at == 'E') {
        *is_whole = false;
        scan->at++;
        scan->at += *scan->at == '-' || *scan->at == '+';
        if (!trace_scan_digits(scan))
            return false;
    }
    if (scan->at - *begin > CLI_JSON_NUMBER_LIMIT)
        return trace_scan_bad(scan, "this number has too many digits");
    return true;
}

bool trace_scan_count(struct trace_scan *scan, uint64_t *value)
{
    const char *begin;
    bool is_whole;

    if (!trace_scan_number(scan, &begin, &is_whole))
        return false;
    errno = 0;
    *value = strtoull(begin, NULL, 10);
    if (is_whole && *begin != '-' && errno == 0)
        return true;
    return trace_scan_fail(scan, FGPU_E_INVAL, "a whole number from 0 to 2^64 - 1 is wanted");
}

bool trace_scan_integer(struct trace_scan *scan, int64_t *value)
{
    const char *begin;
    bool is_whole;

    if (!trace_scan_number(scan, &begin, &is_whole))
        return false;
    errno = 0;
    *value = strtoll(begin, NULL, 10);
    return (is_whole && errno == 0) ||
           trace_scan_fail(scan, FGPU_E_INVAL, "a whole number of 64 bits is wanted");
}

bool trace_scan_time(struct trace_scan *scan, uint64_t *ns)
{
    const char *begin;
    bool is_whole;

    if (!trace_scan_number(scan, &begin, &is_whole))
        return false;
    double us = strtod(begin, NULL);
    if (!(us >= 0.0 && us <= TRACE_SCAN_TIME_LIMIT))
        return trace_scan_fail(scan, FGPU_E_INVAL, "microseconds from 0 to 10^15 are wanted");
    *ns = (uint64_t)(us * 1000.0 + 0.5);
    return true;
}

static bool trace_scan_word(struct trace_scan *scan, const char *word)
{
    size_t length = strlen(word);

    if (strncmp(scan->at, word, length) != 0)
        return trace_scan_bad(scan, "a value is wanted: a string, a number, true, false, null, a "
                                    "list or an object");
    scan->at += length;
    return true;
}

bool trace_scan_bool(struct trace_scan *scan, bool *value)
{
    trace_scan_blank(scan);
    *value = *scan->at == 't';
    if (*scan->at != 't' && *scan->at != 'f')
        return trace_scan_bad(scan, "true or false is wanted");
    return trace_scan_word(scan, *value ? "true" : "false");
}

/* ---- lists and objects */

static bool trace_scan_member(struct trace_scan *scan, bool is_object, trace_scan_fn fn, void *user)
{
    struct trace_scan_key key;

    trace_scan_blank(scan);
    if (!is_object)
        return fn(scan, NULL, user);
    if (*scan->at != '"')
        return trace_scan_bad(scan, "a key in double quotes is wanted");
    if (!trace_scan_string(scan, &key))
        return false;
    trace_scan_blank(scan);
    if (*scan->at != ':')
        return trace_scan_bad(scan, "a colon is wanted after the key");
    scan->at++;
    trace_scan_blank(scan);
    return fn(scan, &key, user);
}

static bool trace_scan_group(struct trace_scan *scan, char open, trace_scan_fn fn, void *user)
{
    bool is_object = open == '{';
    char close = is_object ? '}' : ']';

    trace_scan_blank(scan);
    if (*scan->at != open)
        return trace_scan_bad(scan, is_object ? "an object is wanted" : "a list is wanted");
    if (++scan->depth > CLI_JSON_DEPTH_LIMIT)
        return trace_scan_fail(scan, FGPU_E_LIMIT, "lists and objects are nested too deeply");
    scan->at++;
    trace_scan_blank(scan);
    while (*scan->at != close) {
        if (!trace_scan_member(scan, is_object, fn, user))
            return false;
        trace_scan_blank(scan);
        if (*scan->at == close)
            break;
        if (*scan->at != ',')
            return trace_scan_bad(scan,
                                  is_object ? "a comma or } is wanted" : "a comma or ] is wanted");
        scan->at++;
        trace_scan_blank(scan);
        if (*scan->at == close)
            return trace_scan_bad(scan, "a comma stands before something more");
    }
    scan->at++;
    scan->depth--;
    return true;
}

bool trace_scan_object(struct trace_scan *scan, trace_scan_fn fn, void *user)
{
    return trace_scan_group(scan, '{', fn, user);
}

bool trace_scan_list(struct trace_scan *scan, trace_scan_fn fn, void *user)
{
    return trace_scan_group(scan, '[', fn, user);
}

static bool trace_scan_pass(struct trace_scan *scan, const struct trace_scan_key *key, void *user)
{
    (void)key;
    (void)user;
    return trace_scan_skip(scan);
}

bool trace_scan_skip(struct trace_scan *scan)
{
    struct trace_scan_key text;
    const char *begin;
    bool is_whole;

    trace_scan_blank(scan);
    switch (*scan->at) {
    case '{':
    case '[':
        return trace_scan_group(scan, *scan->at, trace_scan_pass, NULL);
    case '"':
        return trace_scan_string(scan, &text);
    case 't':
        return trace_scan_word(scan, "true");
    case 'f':
        return trace_scan_word(scan, "false");
    default:
        if (*scan->at == '-' || (*scan->at >= '0' && *scan->at <= '9'))
            return trace_scan_number(scan, &begin, &is_whole);
        return trace_scan_word(scan, "null");
    }
}
