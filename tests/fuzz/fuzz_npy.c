/* Hostile bytes as a .npy file: whatever they are, loading ends with an array or with a sentence.
 *
 * An array is looked at in every byte (so that a sanitizer sees memory that was never written),
 * keeps what cli/image/npy.h promises, and is the same array again when it is written and read
 * back; a failure names the input and leaves nothing behind.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/image/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static void check_form(const struct npy_form *form, size_t file_bytes)
{
    uint64_t count = 1;

    require(form->rank <= CLI_NPY_DIMENSIONS_LIMIT);
    for (uint32_t i = 0; i < form->rank; i++)
        if (form->shape[i] == 0)
            count = 0;
    for (uint32_t i = 0; i < form->rank && count > 0; i++) {
        require(form->shape[i] <= CLI_DATA_BYTES_LIMIT / count);
        count *= form->shape[i];
    }
    require(form->count == count && npy_dtype_bytes(form->dtype) > 0);
    require(form->size_bytes == count * npy_dtype_bytes(form->dtype));
    require(form->size_bytes < file_bytes);
}

static void check_round_trip(const struct npy_array *array)
{
    struct file_bytes file = {0};
    struct npy_array again;

    require(npy_encode_header(&array->form, &file, NULL, 0) == FGPU_OK);
    require(file.size_bytes % 64 == 0 && file.data[file.size_bytes - 1] == '\n');
    require(file_bytes_append(&file, array->data, array->form.size_bytes));
    require(npy_load_memory(file.data, file.size_bytes, "again", &again, NULL, 0) == FGPU_OK);
    require(memcmp(&again.form, &array->form, sizeof again.form) == 0);
    require(memcmp(again.data, array->data, array->form.size_bytes) == 0);
    npy_array_fini(&again);
    file_bytes_fini(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[CLI_WHY_BYTES] = "";
    struct npy_array array;

    if (npy_load_memory(data, size, "input", &array, why, sizeof why) == FGPU_OK) {
        check_form(&array.form, size);
        check_round_trip(&array);
        require(why[0] == '\0');
    } else {
        require(array.data == NULL);
        require(strncmp(why, "input: ", 7) == 0 && strlen(why) < sizeof why);
    }
    npy_array_fini(&array);
    return 0;
}
