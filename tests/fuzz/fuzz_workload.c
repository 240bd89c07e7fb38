/* Any bytes as a workload: read or refused with a sentence, never a crash, and what was read keeps
 * what cli/workload/workload.h promises: numbers lead somewhere, regions lie in their buffers, the
 * order holds every task once and behind those that it comes after. Files are made up, the disk is
 * not touched. The bytes also go in as the header of a .npy file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "lib/workload_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static void check_arg(const struct workload *workload, const struct workload_arg *arg)
{
    if (arg->kind == FGPU_ARG_BUFFER) {
        const fgpu_region *region = &arg->region;
        require(arg->buffer < workload->buffer_count);
        if (region->row_bytes == 0)
            return;
        require(region->rows > 0 && region->pitch_bytes >= region->row_bytes);
        require(region->offset_bytes + (region->rows - 1) * region->pitch_bytes +
                    region->row_bytes <=
                workload->buffers[arg->buffer].size_bytes);
    } else {
        require(arg->size_bytes > 0 && (arg->kind == FGPU_ARG_LOCAL || arg->value != NULL));
    }
}

static void check_order(const struct workload *workload)
{
    uint8_t *seen = calloc(workload->task_count + (size_t)1, 1);

    require(seen != NULL);
    for (uint32_t i = 0; i < workload->task_count; i++) {
        uint32_t number = workload->order[i];
        require(number < workload->task_count && !seen[number]);
        const struct workload_task *task = &workload->tasks[number];
        for (uint32_t k = 0; k < task->after_count; k++)
            require(seen[workload->after[task->after_first + k]]);
        seen[number] = 1;
    }
    free(seen);
}

static void check_good(const struct workload *workload)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < workload->buffer_count; i++) {
        require(workload->buffers[i].size_bytes > 0);
        bytes += workload->buffers[i].size_bytes;
    }
    require(bytes == workload->buffer_bytes && bytes <= CLI_WORKLOAD_BYTES_LIMIT);
    for (uint32_t i = 0; i < workload->task_count; i++) {
        const struct workload_task *task = &workload->tasks[i];
        require(task->kernel < workload->kernel_count && task->dims >= 1 && task->dims <= 3);
        require(task->arg_count == workload->kernels[task->kernel].param_count);
        for (uint32_t k = 0; k < task->arg_count; k++)
            check_arg(workload, &workload->args[task->arg_first + k]);
    }
    for (uint32_t i = 0; i < workload->output_count; i++)
        require(workload->outputs[i].buffer < workload->buffer_count);
    check_order(workload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct workload workload;

    fgpu_status status =
        workload_parse((const char *)data, size, "folder", &workload_made_up, &workload);
    require(status == FGPU_OK || status == FGPU_E_INVAL);
    require((status == FGPU_OK) == (workload.mistake_count == 0));
    for (uint32_t i = 0; i < workload.mistake_count; i++)
        require(workload.mistakes[i].path[0] == '$' && workload.mistakes[i].text[0] != '\0');
    if (status == FGPU_OK)
        check_good(&workload);
    workload_fini(&workload);
    return 0;
}
