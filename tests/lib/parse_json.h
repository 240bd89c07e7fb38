/* A small JSON parser for tests, strict (RFC 8259), that knows nothing of the code that wrote the
 * text.
 *
 * parse_json() returns the tree or NULL with the place of the error; parse_json_free() takes it
 * back. Strings keep their escapes decoded as UTF-8. Depth is limited to 64. Thread: any.
 */
#ifndef FASTGPU_TESTS_LIB_PARSE_JSON_H
#define FASTGPU_TESTS_LIB_PARSE_JSON_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parse_json {
    char
        type; /* 'o' object, 'a' array, 's' string, 'n' number, 't' 'f' '0' for true, false, null */
    char *key; /* in an object */
    char *text;
    double number;
    struct parse_json *first, *last, *next;
};

static inline void parse_json_free(struct parse_json *node)
{
    while (node != NULL) {
        struct parse_json *next = node->next;
        parse_json_free(node->first);
        free(node->key);
        free(node->text);
        free(node);
        node = next;
    }
}

static inline const char *parse_json_skip(const char *s)
{
    return s + strspn(s, " \t\r\n");
}

/* Four hex digits, or -1. */
static inline int parse_json_hex(const char *s)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        char digit[2] = {s[i], '\0'};
        if (s[i] == '\0' || strspn(digit, "0123456789abcdefABCDEF") != 1)
            return -1;
        value = value * 16 + (unsigned)strtoul(digit, NULL, 16);
    }
    return (int)value;
}

/* A string from its opening quote on; *s moves behind it. NULL when it is no legal string. */
static inline char *parse_json_string(const char **s)
{
    static const char plain[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    if (**s != '"')
        return NULL;
    char *out = malloc(strlen(*s) + 4), *at = out;
    const char *p = *s + 1;
    while (out != NULL && *p != '"') {
        const char *known = *p == '\\' && p[1] != '\0' ? strchr(plain, p[1]) : NULL;
        int code = *p == '\\' && p[1] == 'u' ? parse_json_hex(p + 2) : -1;
        if ((unsigned char)*p < 0x20 || (*p == '\\' && known == NULL && code < 0)) {
            free(out);
            return NULL;
        }
        if (*p != '\\') {
            *at++ = *p++;
        } else if (known != NULL) {
            *at++ = meaning[known - plain];
            p += 2;
        } else {
            if (code < 0x80) {
                *at++ = (char)code;
            } else if (code < 0x800) {
                *at++ = (char)(0xc0 | code >> 6);
                *at++ = (char)(0x80 | (code & 63));
            } else {
                *at++ = (char)(0xe0 | code >> 12);
                *at++ = (char)(0x80 | (code >> 6 & 63));
                *at++ = (char)(0x80 | (code & 63));
            }
            p += 6;
        }
    }
    if (out != NULL)
        *at = '\0';
    *s = p + 1;
    return out;
}

/* Length of a legal number at `s`, or 0. */
static inline size_t parse_json_number(const char *s)
{
    static const char digits[] = "0123456789";
    size_t n = *s == '-', whole = strspn(s + n, digits);
    if (whole == 0 || (whole > 1 && s[n] == '0'))
        return 0;
    n += whole;
    if (s[n] == '.') {
        size_t part = strspn(s + n + 1, digits);
        if (part == 0)
            return 0;
        n += part + 1;
    }
    if (s[n] == 'e' || s[n] == 'E') {
        size_t sign = s[n + 1] == '+' || s[n + 1] == '-';
        size_t part = strspn(s + n + 1 + sign, digits);
        if (part == 0)
            return 0;
        n += part + 1 + sign;
    }
    return n;
}

static inline struct parse_json *parse_json_value(const char **s, int depth);

/* Members of an array or an object, behind its opening bracket; false when it is not legal. */
static inline bool parse_json_members(struct parse_json *node, const char **s, int depth)
{
    char close = node->type == 'o' ? '}' : ']';
    *s = parse_json_skip(*s);
    if (**s == close) {
        ++*s;
        return true;
    }
    for (;;) {
        char *key = NULL;
        *s = parse_json_skip(*s);
        if (node->type == 'o') {
            key = parse_json_string(s);
            *s = parse_json_skip(*s);
            if (key == NULL || *(*s)++ != ':') {
                free(key);
                return false;
            }
        }
        struct parse_json *member = parse_json_value(s, depth + 1);
        if (member == NULL) {
            free(key);
            return false;
        }
        member->key = key;
        if (node->last != NULL)
            node->last->next = member;
        else
            node->first = member;
        node->last = member;
        *s = parse_json_skip(*s);
        char c = *(*s)++;
        if (c == close)
            return true;
        if (c != ',')
            return false;
    }
}

static inline bool parse_json_fill(struct parse_json *node, const char **s, int depth)
{
    static const char *const words[] = {"true", "false", "null"};
    if (**s == '{' || **s == '[') {
        node->type = *(*s)++ == '{' ? 'o' : 'a';
        return depth < 64 && parse_json_members(node, s, depth);
    }
    if (**s == '"') {
        node->type = 's';
        node->text = parse_json_string(s);
        return node->text != NULL;
    }
    for (int i = 0; i < 3; i++) {
        if (strncmp(*s, words[i], strlen(words[i])) == 0) {
            node->type = "tf0"[i];
            *s += strlen(words[i]);
            return true;
        }
    }
    size_t length = parse_json_number(*s);
    node->type = 'n';
    node->number = strtod(*s, NULL);
    *s += length;
    return length > 0;
}

static inline struct parse_json *parse_json_value(const char **s, int depth)
{
    struct parse_json *node = calloc(1, sizeof *node);
    *s = parse_json_skip(*s);
    if (node != NULL && !parse_json_fill(node, s, depth)) {
        parse_json_free(node);
        return NULL;
    }
    return node;
}

/* The whole text as one value; NULL and a line on stderr when it is not legal. */
static inline struct parse_json *parse_json(const char *text)
{
    const char *s = text;
    struct parse_json *node = parse_json_value(&s, 0);
    if (node != NULL && *parse_json_skip(s) != '\0') {
        parse_json_free(node);
        node = NULL;
    }
    if (node == NULL)
        fprintf(stderr, "no JSON from byte %zu on: %.60s\n", (size_t)(s - text), s);
    return node;
}

/* Member of an object, or NULL. */
static inline const struct parse_json *parse_json_get(const struct parse_json *node,
                                                      const char *key)
{
    for (const struct parse_json *m = node != NULL ? node->first : NULL; m != NULL; m = m->next) {
        if (m->key != NULL && strcmp(m->key, key) == 0)
            return m;
    }
    return NULL;
}

/* Text of a member, "" when it is absent or no string. */
static inline const char *parse_json_text(const struct parse_json *node, const char *key)
{
    const struct parse_json *m = parse_json_get(node, key);
    return m != NULL && m->type == 's' ? m->text : "";
}

/* Number of a member, -1 when it is absent or no number. */
static inline double parse_json_num(const struct parse_json *node, const char *key)
{
    const struct parse_json *m = parse_json_get(node, key);
    return m != NULL && m->type == 'n' ? m->number : -1.0;
}

#endif
