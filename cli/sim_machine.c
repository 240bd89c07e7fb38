/* The machine that is simulated: read, made up, and with the costs that a graph brings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fastgpu/fastgpu.h>

#include "file.h"
#include "sim.h"
#include "why.h"

static fgpu_status sim_machine_fail(fgpu_status status, const char *name, char *why,
                                    size_t why_bytes)
{
    const char *text = fgpu_last_error();
    size_t length = strlen(name);
    bool is_named = strncmp(text, name, length) == 0 && text[length] == ':';

    return why_fail(status, why, why_bytes, "%s%s%s", is_named ? "" : name, is_named ? "" : ": ",
                    text[0] ? text : fgpu_status_text(status));
}

fgpu_status sim_machine_load(const char *text, fgpu_machine **machine, char *why, size_t why_bytes)
{
    struct file_bytes bytes = {0};

    *machine = NULL;
    if (strchr(text, ':') && !strchr(text, '/') && access(text, F_OK) != 0) {
        fgpu_status made = fgpu_machine_synth(text, machine);
        return made == FGPU_OK ? made : sim_machine_fail(made, text, why, why_bytes);
    }
    fgpu_status status = file_read(text, CLI_SIM_MACHINE_BYTES_LIMIT, &bytes, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    status = fgpu_machine_parse(text, (const char *)bytes.data, bytes.size_bytes, machine);
    if (status != FGPU_OK)
        (void)sim_machine_fail(status, text, why, why_bytes);
    file_bytes_fini(&bytes);
    return status;
}
