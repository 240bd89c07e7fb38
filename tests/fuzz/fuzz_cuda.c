/* Any bytes as OpenCL C for the cuda device: translated or refused with a text, never a crash.
 *
 * Bytes before the first NUL, if there is one, are the build options. Every kernel that the reader
 * finds (four at most) is translated; the result is a text with the kernel and its parameters, the
 * same each time, and no memory stays behind. Whether C++ takes it is for other tests: bytes may
 * mean anything.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "base/error.h"
#include "code/cuda.h"
#include "code/unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came of it, as a number. */
static size_t translate(const struct code_cuda_source *source, uint32_t param_count)
{
    struct code_cuda made;
    fgpu_status status = code_cuda_make(source, &made);

    FGPU_ASSERT((status == FGPU_OK) == (made.text.text != NULL));
    if (status != FGPU_OK) {
        FGPU_ASSERT(error_text()[0] != '\0');
        return (size_t)-status;
    }
    size_t length = made.text.length;
    FGPU_ASSERT(strlen(made.text.text) == length);
    FGPU_ASSERT(strstr(made.text.text, "fgpu_kernel(") != NULL);
    FGPU_ASSERT(made.param_count == param_count);
    FGPU_ASSERT(strncmp(made.options, "-default-device", 15) == 0);
    code_cuda_fini(&made, NULL);
    return length;
}

static void translate_all(const char *text, size_t length, const char *options)
{
    struct code_cuda_source source = {.text = text, .length = length, .options = options};
    struct code_unit *unit = NULL;

    if (code_unit_create(text, length, options, NULL, &unit) != FGPU_OK)
        return;
    for (uint32_t k = 0; k < code_unit_kernel_count(unit) && k < 4; k++) {
        const struct code_kernel *kernel = code_unit_kernel(unit, k);
        source.entry = kernel->name;
        size_t first = translate(&source, kernel->param_count);
        FGPU_ASSERT(translate(&source, kernel->param_count) == first);
    }
    code_unit_destroy(unit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    const char *options = nul != NULL ? (const char *)data : NULL;
    size_t skip = nul != NULL ? (size_t)(nul - data) + 1 : 0;
    /* Exactly so many bytes, so that a sanitizer sees a read beyond the end. */
    char *text = malloc(size - skip > 0 ? size - skip : 1);
    uint64_t before = alloc_live_bytes();

    if (text == NULL)
        return 0;
    if (size > skip)
        memcpy(text, data + skip, size - skip);
    translate_all(text, size - skip, options);
    FGPU_ASSERT(alloc_live_bytes() == before);
    free(text);
    return 0;
}
