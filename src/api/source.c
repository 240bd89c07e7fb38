/* What a source says of its kernels: see fastgpu/source.h. The reader's words (code/unit.h) and the
 * transforms' refusals (code/preempt.h), as plain data. Thread: any.
 */
#include <stdio.h>
#include <string.h>

#include <fastgpu/source.h>
#include "base/error.h"
#include "base/limits.h"
#include "code/preempt.h"

static bool source_can(const struct code_preempt_source *source, const struct code_kernel *kernel,
                       enum code_preempt form, fgpu_status *status)
{
    struct code_text text;
    *status = code_preempt_make(source, kernel, form, &text);
    if (*status == FGPU_OK)
        alloc_put(NULL, text.text, text.length + 1);
    return *status == FGPU_OK;
}

static fgpu_status source_describe(const struct code_preempt_source *source,
                                   const struct code_kernel *kernel, fgpu_source_kernel *out)
{
    static const uint32_t classes[] = {
        [CODE_SLICING_FREE] = FGPU_SLICING_FREE,
        [CODE_SLICING_REWRITE] = FGPU_SLICING_REWRITE,
        [CODE_SLICING_NEVER] = FGPU_SLICING_NEVER,
    };
    fgpu_status status;
    memset(out, 0, sizeof *out);
    out->struct_bytes = sizeof *out;
    out->line = kernel->line;
    snprintf(out->name, sizeof out->name, "%s", kernel->name);
    out->arg_count = kernel->param_count;
    for (int d = 0; d < 3; d++)
        out->required_local[d] = kernel->has_required_group ? kernel->group[d] : 0;
    out->slicing = classes[kernel->class.slicing];
    if (kernel->class.reason != NULL)
        snprintf(out->slicing_why, sizeof out->slicing_why, "%s", kernel->class.reason);
    out->sliced = source_can(source, kernel, CODE_PREEMPT_SLICED, &status);
    if (out->sliced != 0)
        out->guarded = source_can(source, kernel, CODE_PREEMPT_GUARDED, &status);
    if (status == FGPU_OK)
        return FGPU_OK;
    snprintf(out->sliced_why, sizeof out->sliced_why, "%s", error_text());
    return status == FGPU_E_NOMEM ? status : FGPU_OK;
}

fgpu_status fgpu_source_read(const char *source, const char *options, fgpu_source_kernel *kernels,
                             uint32_t capacity, uint32_t *count)
{
    static const char who[] = "fgpu_source_read";
    struct code_unit *unit;
    if (count != NULL)
        *count = 0;
    if (source == NULL || count == NULL || (kernels == NULL && capacity > 0))
        return error_set(FGPU_E_INVAL, "%s: %s is NULL", who,
                         source == NULL  ? "source"
                         : count == NULL ? "count"
                                         : "kernels");
    size_t length = strnlen(source, LIMITS_SOURCE_BYTES + (size_t)1);
    fgpu_status status = code_unit_create(source, length, options, NULL, &unit);
    if (status != FGPU_OK)
        return status;
    const struct code_preempt_source text = {
        .unit = unit, .text = source, .length = length, .options = options};
    *count = code_unit_kernel_count(unit);
    for (uint32_t k = 0; k < *count && k < capacity && status == FGPU_OK; k++)
        status = source_describe(&text, code_unit_kernel(unit, k), &kernels[k]);
    code_unit_destroy(unit);
    return status;
}
