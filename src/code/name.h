/* Names: each spelling of a source is stored once and known by a number from then on.
 *
 * The words of word.h come first, so that numbers below CODE_WORD_COUNT are words. Number 0 is the
 * empty name; it also stands for a name that could not be stored. Texts are NUL-terminated and live
 * in the arena, until that is freed. Thread: one. Owns its two tables.
 */
#ifndef FASTGPU_CODE_NAME_H
#define FASTGPU_CODE_NAME_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/vec.h"

struct code_name {
    const char *text;
    uint32_t length;
    uint32_t hash;
};

struct code_names {
    struct arena *arena; /* [borrow] */
    struct vec entries;  /* of struct code_name */
    uint32_t *slots;     /* open addressing, 0 is free */
    uint32_t slot_count; /* power of two */
};

/* False when there is no memory; call code_names_fini in any case. */
bool code_names_init(struct code_names *names, struct arena *arena,
                     const struct alloc_hooks *hooks);
void code_names_fini(struct code_names *names);

/* Number of the name, stored if it is new; 0 for the empty text and when there is no memory. */
uint32_t code_names_intern(struct code_names *names, const char *text, size_t length);

/* Number of a name that is already there, or 0. */
uint32_t code_names_find(const struct code_names *names, const char *text);

const char *code_names_text(const struct code_names *names, uint32_t name);
uint32_t code_names_length(const struct code_names *names, uint32_t name);

#endif
