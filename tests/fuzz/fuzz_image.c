/* Hostile bytes as a picture: whatever they are, loading ends with a picture or with a sentence.
 *
 * A picture is looked at in every byte (so that a sanitizer sees memory that was never written) and
 * must keep what cli/image/image.h promises; a failure must name the input and leave nothing
 * behind.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t limit, unsigned seed);

/* From the fuzzing engine; absent where the corpus is only replayed. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t limit);

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static void check_picture(const struct image *image)
{
    static volatile uint8_t seen;
    uint8_t all = 0;

    require(image->width > 0 && image->height > 0);
    require((uint64_t)image->width * image->height <= CLI_IMAGE_PIXELS_LIMIT);
    require(image->channels == 1 || image->channels == 3 || image->channels == 4);
    for (size_t i = 0; i < image_size_bytes(image); i++)
        all |= image->pixels[i];
    seen = all;
    (void)seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[CLI_WHY_BYTES] = "";
    struct image image;

    if (image_load_memory(data, size, "input", &image, why, sizeof why) == FGPU_OK) {
        check_picture(&image);
        require(why[0] == '\0');
    } else {
        require(image.pixels == NULL);
        require(strncmp(why, "input: ", 7) == 0 && strlen(why) < sizeof why);
    }
    image_fini(&image);
    return 0;
}

static uint32_t read_word(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* CRC-32 as the PNG specification has it (ISO 3309), bit by bit. */
static uint32_t checksum(const uint8_t *bytes, size_t count)
{
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* Sets the checksum of every chunk that lies whole within the data. */
static void mend_checksums(uint8_t *data, size_t size)
{
    size_t at = 8;

    while (size >= 12 && at <= size - 12) {
        size_t length = read_word(data + at);
        if (length > size - 12 - at)
            return;
        uint32_t crc = checksum(data + at + 4, length + 4);
        for (int i = 0; i < 4; i++)
            data[at + 8 + length + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
        at += 12 + length;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t limit, unsigned seed)
{
    if (LLVMFuzzerMutate)
        size = LLVMFuzzerMutate(data, size, limit);
    if (seed % 8 != 0 && size > 8 && memcmp(data, "\x89PNG", 4) == 0)
        mend_checksums(data, size);
    return size;
}
