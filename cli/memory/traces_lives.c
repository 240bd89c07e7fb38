/* Lives of blocks from a CSV: see traces.h. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/common/stopping.h"
#include "cli/common/why.h"
#include "cli/memory/traces.h"

enum lives_column { LIVES_ID, LIVES_LOWER, LIVES_UPPER, LIVES_SIZE, LIVES_COLUMNS };

static const char *const lives_names[LIVES_COLUMNS] = {"id", "lower", "upper", "size"};

struct lives_reader {
    const char *name;
    const char *at, *end;
    uint64_t line; /* from 1 */
    uint64_t sum;  /* of sizes */
    uint32_t capacity;
    uint32_t columns[LIVES_COLUMNS]; /* what stands in which place */
    struct traces_lives *lives;
    char *why;
    size_t why_bytes;
};

#define LIVES_FAIL(reader, status, format, ...)                                                    \
    why_fail(status, (reader)->why, (reader)->why_bytes, "%s:%llu: " format, (reader)->name,       \
             (unsigned long long)(reader)->line, __VA_ARGS__)

/* The next word of the line up to `end`; false behind the last. Blanks around it do not count. */
static bool lives_word(const char **at, const char *end, const char **word, int *length)
{
    if (*at > end)
        return false;
    const char *comma = memchr(*at, ',', (size_t)(end - *at));
    const char *stop = comma != NULL ? comma : end;
    *word = *at;
    *at = stop + 1;
    while (*word < stop && (**word == ' ' || **word == '\t'))
        ++*word;
    while (stop > *word && (stop[-1] == ' ' || stop[-1] == '\t'))
        stop--;
    *length = stop - *word < 100 ? (int)(stop - *word) : 100;
    return true;
}

/* Ends the line; its end without what ends it. */
static const char *lives_line(struct lives_reader *reader, const char **begin)
{
    const char *end = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
    *begin = reader->at;
    if (end == NULL)
        end = reader->end;
    reader->at = end < reader->end ? end + 1 : end;
    reader->line++;
    return end > *begin && end[-1] == '\r' ? end - 1 : end;
}

static fgpu_status lives_header(struct lives_reader *reader)
{
    const char *at, *word, *end = lives_line(reader, &at);
    uint32_t place = 0, found = 0;
    int length;
    while (lives_word(&at, end, &word, &length)) {
        uint32_t c = 0;
        while (c < LIVES_COLUMNS && (strlen(lives_names[c]) != (size_t)length ||
                                     memcmp(lives_names[c], word, (size_t)length) != 0))
            c++;
        if (c == LIVES_COLUMNS || (found >> c & 1) != 0 || place == LIVES_COLUMNS)
            return LIVES_FAIL(
                reader, FGPU_E_INVAL,
                "column %u is \"%.*s\"; the columns are id,lower,upper,size, each once", place + 1,
                length, word);
        found |= 1u << c;
        reader->columns[place++] = c;
    }
    if (place < LIVES_COLUMNS)
        return LIVES_FAIL(reader, FGPU_E_INVAL,
                          "there are %u columns; the columns are id,lower,upper,size", place);
    return FGPU_OK;
}

static fgpu_status lives_number(struct lives_reader *reader, uint32_t column, const char *word,
                                int length, uint64_t *number)
{
    *number = 0;
    if (length == 0)
        return LIVES_FAIL(reader, FGPU_E_INVAL, "%s is missing", lives_names[column]);
    for (int i = 0; i < length; i++) {
        uint64_t digit = (uint64_t)(unsigned char)word[i] - '0';
        if (digit > 9)
            return LIVES_FAIL(reader, FGPU_E_INVAL,
                              "%s is \"%.*s\"; it must be a whole number, not negative",
                              lives_names[column], length, word);
        if (*number > (UINT64_MAX - digit) / 10)
            return LIVES_FAIL(reader, FGPU_E_INVAL, "%s is %.*s; the limit is %llu",
                              lives_names[column], length, word, (unsigned long long)UINT64_MAX);
        *number = *number * 10 + digit;
    }
    return FGPU_OK;
}

static fgpu_status lives_add(struct lives_reader *reader, const uint64_t *values)
{
    struct traces_lives *lives = reader->lives;
    uint64_t limit = CLI_MEMORY_BYTES_LIMIT;
    if (values[LIVES_LOWER] >= values[LIVES_UPPER])
        return LIVES_FAIL(reader, FGPU_E_INVAL, "lower is %llu; it must be less than upper, %llu",
                          (unsigned long long)values[LIVES_LOWER],
                          (unsigned long long)values[LIVES_UPPER]);
    if (values[LIVES_SIZE] == 0 || values[LIVES_SIZE] > limit - reader->sum)
        return LIVES_FAIL(reader, FGPU_E_INVAL,
                          "size is %llu; it must be at least 1, and all together at most %llu",
                          (unsigned long long)values[LIVES_SIZE], (unsigned long long)limit);
    if (lives->count == CLI_MEMORY_BLOCKS_LIMIT)
        return LIVES_FAIL(reader, FGPU_E_LIMIT, "there are more than %u blocks, the limit",
                          CLI_MEMORY_BLOCKS_LIMIT);
    if (lives->count == reader->capacity) {
        uint32_t more = reader->capacity == 0 ? 1024 : 2 * reader->capacity;
        fgpu_replay_block *blocks = realloc(lives->blocks, more * sizeof *blocks);
        lives->blocks = blocks != NULL ? blocks : lives->blocks;
        uint64_t *ids = realloc(lives->ids, more * sizeof *ids);
        lives->ids = ids != NULL ? ids : lives->ids;
        if (blocks == NULL || ids == NULL)
            return LIVES_FAIL(reader, FGPU_E_NOMEM, "no memory for %u blocks", more);
        reader->capacity = more;
    }
    reader->sum += values[LIVES_SIZE];
    lives->ids[lives->count] = values[LIVES_ID];
    lives->blocks[lives->count++] = (fgpu_replay_block){
        .lower = values[LIVES_LOWER], .upper = values[LIVES_UPPER], .bytes = values[LIVES_SIZE]};
    return FGPU_OK;
}

static fgpu_status lives_row(struct lives_reader *reader)
{
    const char *at, *word, *end = lives_line(reader, &at);
    uint64_t values[LIVES_COLUMNS];
    uint32_t place = 0;
    int length;
    if (at == end)
        return FGPU_OK; /* an empty line */
    while (lives_word(&at, end, &word, &length)) {
        if (place == LIVES_COLUMNS)
            return LIVES_FAIL(reader, FGPU_E_INVAL, "\"%.*s\" follows the last of %u columns",
                              length, word, place);
        uint32_t column = reader->columns[place++];
        fgpu_status status = lives_number(reader, column, word, length, &values[column]);
        if (status != FGPU_OK)
            return status;
    }
    if (place < LIVES_COLUMNS)
        return LIVES_FAIL(reader, FGPU_E_INVAL, "%s is missing",
                          lives_names[reader->columns[place]]);
    return lives_add(reader, values);
}

static int lives_id_order(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Ids are names: each once. */
static fgpu_status lives_check_ids(struct lives_reader *reader)
{
    const struct traces_lives *lives = reader->lives;
    uint64_t *sorted = malloc((lives->count + (size_t)1) * sizeof *sorted);
    fgpu_status status = FGPU_OK;
    if (sorted == NULL)
        return LIVES_FAIL(reader, FGPU_E_NOMEM, "no memory for %u ids", lives->count);
    memcpy(sorted, lives->ids, lives->count * sizeof *sorted);
    qsort(sorted, lives->count, sizeof *sorted, lives_id_order);
    for (uint32_t i = 1; i < lives->count && status == FGPU_OK; i++)
        if (sorted[i] == sorted[i - 1])
            status = why_fail(FGPU_E_INVAL, reader->why, reader->why_bytes,
                              "%s: id %llu stands there twice", reader->name,
                              (unsigned long long)sorted[i]);
    free(sorted);
    return status;
}

fgpu_status traces_read_lives(const char *name, const char *text, size_t size_bytes,
                              struct traces_lives *lives, char *why, size_t why_bytes)
{
    struct lives_reader reader = {.name = name,
                                  .at = text,
                                  .end = text + size_bytes,
                                  .lives = lives,
                                  .why = why,
                                  .why_bytes = why_bytes};
    *lives = (struct traces_lives){0};
    fgpu_status status = lives_header(&reader);
    while (status == FGPU_OK && reader.at < reader.end) {
        status = lives_row(&reader);
        if (status == FGPU_OK && reader.line % 65536 == 0 && stopping_is_wanted())
            status = stopping_fail(name, why, why_bytes);
    }
    if (status == FGPU_OK && lives->count == 0)
        status = LIVES_FAIL(&reader, FGPU_E_INVAL, "there are %u blocks", 0u);
    if (status == FGPU_OK)
        status = lives_check_ids(&reader);
    if (status != FGPU_OK)
        traces_lives_fini(lives);
    return status;
}

void traces_lives_fini(struct traces_lives *lives)
{
    free(lives->blocks);
    free(lives->ids);
    *lives = (struct traces_lives){0};
}
