/* Reads a task graph from a file: which format it is, and what both share. See sim_read.h. */
#include "cli/sim/sim_read.h"

#include <stdio.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/common/file.h"
#include "cli/sim/sim_reader.h"
#include "cli/common/why.h"

static bool sim_read_root(struct sim_reader *reader, const cJSON *root)
{
    if (sim_reader_get(root, "fastgpu_graph"))
        return sim_read_own(reader, root);
    if (sim_reader_get(root, "workflow"))
        return sim_read_wfcommons(reader, root);
    if (sim_reader_get(root, "fastgpu"))
        return sim_reader_fail(reader, NULL,
                               "this is a workload file, for fastgpu run; a task graph has the key "
                               "fastgpu_graph");
    return sim_reader_fail(reader, root,
                           "want an object with the key fastgpu_graph (docs/graph.md), or workflow "
                           "(WfCommons)");
}

/* What the graph itself could not take. */
static void sim_read_status(struct sim_reader *reader)
{
    if (reader->status != FGPU_OK || reader->graph->status == FGPU_OK)
        return;
    reader->status = reader->graph->status;
    (void)why_fail(reader->status, reader->why, reader->why_bytes, "%s: %s", reader->file,
                   reader->status == FGPU_E_LIMIT
                       ? "too many tasks, kernels, costs or pieces of data, or more than 64 TiB"
                       : "no memory");
}

fgpu_status sim_read_text(const char *name, const char *text, size_t size_bytes,
                          struct sim_graph *graph, char *why, size_t why_bytes)
{
    struct sim_reader reader = {
        .file = name, .graph = graph, .status = FGPU_OK, .why = why, .why_bytes = why_bytes};
    char wrong[CLI_WHY_BYTES];
    cJSON *root = NULL;

    fgpu_status status = json_in_parse(text, size_bytes, &root, &reader.path, wrong, sizeof wrong);
    if (status != FGPU_OK) {
        bool is_root = strcmp(reader.path.text, "$") == 0;
        return why_fail(status, why, why_bytes, "%s: %s%s%.300s", name,
                        is_root ? "" : reader.path.text, is_root ? "" : ": ", wrong);
    }
    (void)sim_read_root(&reader, root);
    sim_read_status(&reader);
    sim_names_fini(&reader.data);
    sim_names_fini(&reader.tasks);
    cJSON_Delete(root);
    return reader.status;
}

fgpu_status sim_read(const char *path, struct sim_graph *graph, char *why, size_t why_bytes)
{
    struct file_bytes bytes = {0};

    fgpu_status status = file_read(path, CLI_SIM_FILE_BYTES_LIMIT, &bytes, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    status = sim_read_text(path, (const char *)bytes.data, bytes.size_bytes, graph, why, why_bytes);
    file_bytes_fini(&bytes);
    return status;
}
