/* The nearest word: see nearest.h.
 *
 * Method: optimal string alignment distance (insert, delete, replace, swap two neighbours; each
 * costs 1), by the table of L. Boytsov, "Indexing methods for approximate dictionary searching",
 * ACM J. Exp. Algorithmics 16 (2011), section 2.2. A word that begins with the other one counts as
 * near too ("dev" for "devices").
 */
#include "cli/common/nearest.h"

#include <stdbool.h>
#include <string.h>

#define NEAREST_LETTERS 31u /* longer words are compared by their beginning */

static uint32_t nearest_least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t nearest_distance(const char *a, const char *b)
{
    uint32_t cost[NEAREST_LETTERS + 1][NEAREST_LETTERS + 1];
    uint32_t a_count = (uint32_t)strnlen(a, NEAREST_LETTERS);
    uint32_t b_count = (uint32_t)strnlen(b, NEAREST_LETTERS);

    for (uint32_t i = 0; i <= a_count; i++) {
        for (uint32_t j = 0; j <= b_count; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            bool is_equal = a[i - 1] == b[j - 1];
            cost[i][j] = nearest_least(nearest_least(cost[i - 1][j], cost[i][j - 1]) + 1,
                                       cost[i - 1][j - 1] + !is_equal);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = nearest_least(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a_count][b_count];
}

void nearest_init(struct nearest *nearest, const char *word)
{
    *nearest = (struct nearest){.word = word, .distance = UINT32_MAX};
}

void nearest_try(struct nearest *nearest, const char *known)
{
    size_t length = strlen(nearest->word);
    bool is_beginning = length > 1 && strncmp(nearest->word, known, length) == 0;
    uint32_t distance = is_beginning ? 1 : nearest_distance(nearest->word, known);

    if (distance < nearest->distance) {
        nearest->distance = distance;
        nearest->found = known;
    }
}

const char *nearest_found(const struct nearest *nearest)
{
    size_t length = strlen(nearest->word);

    return nearest->found && nearest->distance <= 1 + length / 3 && nearest->distance < length
               ? nearest->found
               : NULL;
}
