/* Any bytes as the published tables of a machine: imported or refused with a text, never a crash.
 *
 * The input is cut at NULs into costs, devices, links, routes and a note; what is absent is not
 * given. A machine that was made is printed as text that is read again as the same. No memory stays
 * behind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "machine/machine.h"

#define TABLES 5u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next table, in memory of its own, exactly so many bytes (a note is closed by a NUL). */
static char *cut(const uint8_t **data, size_t *size, size_t *bytes, bool is_closed)
{
    if (*size == 0)
        return NULL;
    const uint8_t *nul = memchr(*data, 0, *size);
    *bytes = nul != NULL ? (size_t)(nul - *data) : *size;
    char *text = malloc(*bytes + 1);
    if (text == NULL)
        abort();
    memcpy(text, *data, *bytes);
    text[*bytes] = '\0';
    size_t used = *bytes + (nul != NULL);
    *data += used;
    *size -= used;
    if (is_closed)
        return text;
    char *exact = realloc(text, *bytes > 0 ? *bytes : 1);
    return exact != NULL ? exact : text;
}

static void check(const struct machine *machine)
{
    struct machine again;
    struct vec first, second;
    vec_init(&first, 1, NULL);
    vec_init(&second, 1, NULL);
    machine_init(&again);
    FGPU_ASSERT(machine_print(machine, &first) == FGPU_OK);
    FGPU_ASSERT(machine_parse(&again, "printed", first.items, first.count) == FGPU_OK);
    FGPU_ASSERT(machine_print(&again, &second) == FGPU_OK);
    FGPU_ASSERT(first.count == second.count);
    FGPU_ASSERT(memcmp(first.items, second.items, first.count) == 0);
    FGPU_ASSERT(again.device_count == machine->device_count);
    vec_fini(&first);
    vec_fini(&second);
    machine_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"costs", "devices", "links", "routes"};
    char *texts[TABLES];
    struct machine_table tables[TABLES] = {{0}};
    struct machine machine;
    uint64_t before = alloc_live_bytes();
    for (uint32_t i = 0; i < TABLES; i++) {
        size_t bytes = 0;
        texts[i] = cut(&data, &size, &bytes, i == TABLES - 1);
        tables[i] = (struct machine_table){texts[i], bytes, i < TABLES - 1 ? names[i] : NULL};
    }
    const struct machine_tables given = {tables[0], tables[1], tables[2], tables[3], texts[4]};
    machine_init(&machine);
    int status = machine_import(&machine, "fuzz", &given);
    if (status == FGPU_OK)
        check(&machine);
    else
        FGPU_ASSERT(error_text()[0] != '\0');
    machine_fini(&machine);
    FGPU_ASSERT(alloc_live_bytes() == before);
    for (uint32_t i = 0; i < TABLES; i++)
        free(texts[i]);
    return 0;
}
