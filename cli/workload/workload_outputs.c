/* $.outputs: which buffers become files. */
#include "cli/workload/workload_reader.h"

#include <string.h>
#include <strings.h>

static bool output_ends_in(const char *path, const char *end)
{
    size_t length = strlen(path), end_length = strlen(end);

    return length > end_length && strcasecmp(path + length - end_length, end) == 0;
}

static bool output_check(struct workload_reader *reader, const cJSON *value,
                         const struct workload_output *output)
{
    const struct workload_buffer *buffer = &reader->out->buffers[output->buffer];

    if (output->format == WORKLOAD_TO_NPY && !output_ends_in(output->path, ".npy"))
        return reader_fail(reader, value, "the name of a .npy file ends in .npy");
    if (output->format != WORKLOAD_TO_IMAGE)
        return true;
    if (!output_ends_in(output->path, ".png") && !output_ends_in(output->path, ".jpg") &&
        !output_ends_in(output->path, ".jpeg"))
        return reader_fail(reader, value, "the name of a picture ends in .png, .jpg or .jpeg");
    if (!buffer->is_picture || buffer->type != ELEMENT_UINT8)
        return reader_fail(reader, value,
                           "the buffer %s is no picture of uint8; \"npy\" takes "
                           "any buffer",
                           buffer->name);
    return true;
}

static bool output_read_file(struct workload_reader *reader, const cJSON *value,
                             struct workload_output *output)
{
    struct workload *out = reader->out;

    output->path = reader_kept_text(reader, value, false);
    if (!output->path || !output_check(reader, value, output) ||
        !reader_add_name(reader, &reader->output_names, output->path, out->output_count, "output"))
        return false;
    struct workload_output *table =
        reader_grow(reader, out->outputs, out->output_count, sizeof *table);
    if (!table)
        return false;
    out->outputs = table;
    table[out->output_count++] = *output;
    return true;
}

bool reader_read_output(struct workload_reader *reader, const cJSON *entry, const char *key)
{
    static const char *const keys[] = {"buffer", "image", "npy", "raw", "repeat", NULL};
    const char *const *formats = &keys[1]; /* by enum workload_format */
    struct workload_output output = {.buffer = READER_NONE};
    char name[WORKLOAD_NAME_BYTES];
    uint32_t count = 0;

    (void)key;
    if (reader->out->output_count == CLI_WORKLOAD_OUTPUTS_LIMIT)
        return reader_fail(reader, entry, "at most %d outputs are possible",
                           CLI_WORKLOAD_OUTPUTS_LIMIT);
    if (!reader_keys(reader, entry, keys))
        return false;
    const cJSON *buffer = reader_need(reader, entry, "buffer", "a buffer's name");
    if (!buffer)
        return false;
    size_t level = json_path_enter_key(&reader->path, "buffer");
    bool is_good = reader_text(reader, buffer, name, sizeof name);
    output.buffer = is_good ? reader_find_name(&reader->buffer_names, name) : READER_NONE;
    if (is_good && output.buffer == READER_NONE)
        is_good = reader_fail_unknown(reader, buffer, "buffer", &reader->buffer_names);
    json_path_leave(&reader->path, level);
    if (!is_good)
        return false;
    for (uint32_t i = 0; i < 3; i++)
        if (reader_get(entry, formats[i])) {
            output.format = (enum workload_format)i;
            count++;
        }
    if (count != 1)
        return reader_fail(reader, entry, "want the name of one file behind image, npy or raw");
    level = json_path_enter_key(&reader->path, formats[output.format]);
    is_good = output_read_file(reader, reader_get(entry, formats[output.format]), &output);
    json_path_leave(&reader->path, level);
    return is_good;
}
