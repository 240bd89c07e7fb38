/* Machine descriptions: made, printed (machine_info.c: asked). See fastgpu/machine.h.
 *
 * A thin face of src/machine/. Thread: any; a machine does not change after it was made.
 */
#include "api/machine.h"

#include <string.h>

#include "base/error.h"

struct fgpu_machine {
    struct machine machine;
};

const struct machine *machine_of(const fgpu_machine *handle)
{
    return &handle->machine;
}

/* An empty one, or NULL with *status and a text. */
static fgpu_machine *machine_begin(const char *who, fgpu_machine **into, fgpu_status *status)
{
    if (into == NULL) {
        *status = error_set(FGPU_E_INVAL, "%s: machine is NULL", who);
        return NULL;
    }
    *into = NULL;
    fgpu_machine *made = alloc_get(NULL, sizeof *made, LIMITS_CACHE_LINE);
    if (made == NULL) {
        *status = error_set(FGPU_E_NOMEM, "%s: no memory for a machine", who);
        return NULL;
    }
    machine_init(&made->machine);
    return made;
}

/* Hands it out, or drops it. */
static fgpu_status machine_end(fgpu_machine *made, int status, fgpu_machine **into)
{
    if (status != FGPU_OK)
        fgpu_machine_destroy(made);
    else
        *into = made;
    return (fgpu_status)status;
}

fgpu_status fgpu_machine_parse(const char *name, const char *text, size_t bytes,
                               fgpu_machine **machine)
{
    fgpu_status status;
    if (machine != NULL)
        *machine = NULL;
    if (text == NULL && bytes > 0)
        return error_set(FGPU_E_INVAL, "fgpu_machine_parse: text is NULL");
    fgpu_machine *made = machine_begin("fgpu_machine_parse", machine, &status);
    if (made == NULL)
        return status;
    return machine_end(made,
                       machine_parse(&made->machine, name != NULL ? name : "machine",
                                     text != NULL ? text : "", bytes),
                       machine);
}

fgpu_status fgpu_machine_synth(const char *text, fgpu_machine **machine)
{
    fgpu_status status;
    if (machine != NULL)
        *machine = NULL;
    if (text == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_machine_synth: text is NULL");
    fgpu_machine *made = machine_begin("fgpu_machine_synth", machine, &status);
    if (made == NULL)
        return status;
    return machine_end(made, machine_synth(&made->machine, text), machine);
}

static struct machine_table machine_table_of(const char *text, size_t bytes, const char *name,
                                             const char *otherwise)
{
    return (struct machine_table){text, text != NULL ? bytes : 0, name != NULL ? name : otherwise};
}

fgpu_status fgpu_machine_import(const char *name, const fgpu_machine_tables *tables,
                                fgpu_machine **machine)
{
    fgpu_status status;
    if (machine != NULL)
        *machine = NULL;
    if (name == NULL || tables == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_machine_import: %s is NULL",
                         name == NULL ? "name" : "tables");
    if (tables->struct_bytes != sizeof *tables)
        return error_set(FGPU_E_VERSION,
                         "fgpu_machine_import: tables.struct_bytes is %u, this library's is %zu",
                         tables->struct_bytes, sizeof *tables);
    fgpu_machine *made = machine_begin("fgpu_machine_import", machine, &status);
    if (made == NULL)
        return status;
    const struct machine_tables inner = {
        machine_table_of(tables->costs, tables->costs_bytes, tables->costs_name, "costs"),
        machine_table_of(tables->devices, tables->devices_bytes, tables->devices_name, "devices"),
        machine_table_of(tables->links, tables->links_bytes, tables->links_name, "links"),
        machine_table_of(tables->routes, tables->routes_bytes, tables->routes_name, "routes"),
        tables->note,
    };
    return machine_end(made, machine_import(&made->machine, name, &inner), machine);
}

/* The length stands in front of a text, for the call that frees it. */
#define MACHINE_TEXT_HEAD 16u

fgpu_status fgpu_machine_print(const fgpu_machine *machine, char **text, size_t *bytes)
{
    struct vec out;
    char *block = NULL;
    if (machine == NULL || text == NULL || bytes == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_machine_print: %s is NULL",
                         machine == NULL ? "machine"
                         : text == NULL  ? "text"
                                         : "bytes");
    *text = NULL;
    *bytes = 0;
    vec_init(&out, 1, NULL);
    int status = machine_print(&machine->machine, &out);
    if (status == FGPU_OK) {
        block = alloc_get(NULL, MACHINE_TEXT_HEAD + out.count + 1, 16);
        if (block == NULL)
            status =
                error_set(FGPU_E_NOMEM, "fgpu_machine_print: no memory for %zu bytes", out.count);
    }
    if (block != NULL) {
        memcpy(block, &out.count, sizeof out.count);
        memcpy(block + MACHINE_TEXT_HEAD, out.items, out.count);
        block[MACHINE_TEXT_HEAD + out.count] = '\0';
        *text = block + MACHINE_TEXT_HEAD;
        *bytes = out.count;
    }
    vec_fini(&out);
    return (fgpu_status)status;
}

void fgpu_machine_text_free(char *text)
{
    size_t bytes;
    if (text == NULL)
        return;
    memcpy(&bytes, text - MACHINE_TEXT_HEAD, sizeof bytes);
    alloc_put(NULL, text - MACHINE_TEXT_HEAD, MACHINE_TEXT_HEAD + bytes + 1);
}

void fgpu_machine_destroy(fgpu_machine *machine)
{
    if (machine == NULL)
        return;
    machine_fini(&machine->machine);
    alloc_put(NULL, machine, sizeof *machine);
}
