/* From OpenCL C to a source for NVRTC: see translate.h. */
#include "dev/cuda/translate.h"

#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "base/limits.h"
#include "code/preempt.h"
#include "dev/cuda/compile.h"

/* The text in that form; its `text` is NULL for WHOLE, which needs no other. */
static fgpu_status translate_form(const fgpu_code_source *source, struct code_text *changed)
{
    enum code_preempt form =
        source->form == FGPU_FORM_GUARDED ? CODE_PREEMPT_GUARDED : CODE_PREEMPT_SLICED;
    struct code_preempt_source text = {
        .text = source->text, .length = strlen(source->text), .options = source->options};
    struct code_unit *unit = NULL;
    const struct code_kernel *kernel = NULL;
    fgpu_status status;

    *changed = (struct code_text){NULL, 0};
    if (source->form == FGPU_FORM_WHOLE)
        return FGPU_OK;
    status = code_unit_create(text.text, text.length, text.options, NULL, &unit);
    if (status != FGPU_OK)
        return status;
    kernel = code_unit_find(unit, source->entry);
    text.unit = unit;
    if (kernel == NULL)
        status = error_set(FGPU_E_UNSUPPORTED, "the source has no kernel '%s' that could be sliced",
                           source->entry);
    else
        status = code_preempt_make(&text, kernel, form, changed);
    code_unit_destroy(unit);
    return status;
}

static uint32_t translate_hidden(const fgpu_code_source *source)
{
    if (source->form == FGPU_FORM_WHOLE)
        return CODE_CUDA_HIDDEN;
    return CODE_CUDA_HIDDEN + CODE_PREEMPT_ARGS(source->form == FGPU_FORM_GUARDED
                                                    ? CODE_PREEMPT_GUARDED
                                                    : CODE_PREEMPT_SLICED);
}

static fgpu_status translate_check(const fgpu_code_source *source,
                                   const struct cuda_translation *translation)
{
    uint32_t shown = translation->made.param_count + CODE_CUDA_HIDDEN - translation->hidden;

    if (shown == source->arg_count)
        return FGPU_OK;
    return error_set(FGPU_E_BUILD, "kernel \"%.100s\" takes %u arguments, %u are declared",
                     source->entry, shown, source->arg_count);
}

fgpu_status cuda_translate(const fgpu_code_source *source, fgpu_code_built *built,
                           struct cuda_translation *translation)
{
    struct code_text changed = {NULL, 0};
    struct code_cuda_source text = {.options = source->options, .entry = source->entry};
    fgpu_status status = translate_form(source, &changed);

    *translation = (struct cuda_translation){.hidden = translate_hidden(source)};
    text.text = changed.text != NULL ? changed.text : source->text;
    text.length = changed.text != NULL ? changed.length : strlen(source->text);
    if (status == FGPU_OK) {
        status = code_cuda_make(&text, &translation->made);
        if (status == FGPU_OK)
            status = translate_check(source, translation);
        if (status != FGPU_OK)
            cuda_translation_fini(translation);
    }
    if (changed.text != NULL)
        alloc_put(NULL, changed.text, changed.length + 1);
    if (status != FGPU_OK) {
        cuda_compile_say(built, error_text());
        return status;
    }
    translation->source = *source;
    translation->source.kind = FGPU_VARIANT_CUDA;
    translation->source.form = FGPU_FORM_WHOLE;
    translation->source.arg_count = source->arg_count + translation->hidden;
    translation->source.text = translation->made.text.text;
    translation->source.entry = CODE_CUDA_ENTRY;
    translation->source.options = translation->made.options;
    for (uint32_t d = 0; d < 3; d++)
        built->required_local[d] = translation->made.required_local[d];
    return FGPU_OK;
}

void cuda_translation_fini(struct cuda_translation *translation)
{
    code_cuda_fini(&translation->made, NULL);
}
