/* See npy_files.h; the layout is that of numpy.lib.format. */
#include "lib/npy_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

void npy_file_make(int major, const char *header, size_t header_bytes, size_t data_bytes,
                   struct file_bytes *file)
{
    const uint8_t start[] = {0x93, 'N', 'U', 'M', 'P', 'Y', (uint8_t)major, 0};
    const uint8_t length[] = {(uint8_t)header_bytes, (uint8_t)(header_bytes >> 8),
                              (uint8_t)(header_bytes >> 16), (uint8_t)(header_bytes >> 24)};
    bool is_made = file_bytes_append(file, start, sizeof start) &&
                   file_bytes_append(file, length, major == 1 ? 2 : 4) &&
                   file_bytes_append(file, header, header_bytes);

    for (size_t i = 0; i < data_bytes && is_made; i++) {
        const uint8_t byte = (uint8_t)(i + 1);
        is_made = file_bytes_append(file, &byte, 1);
    }
    assert_true(is_made);
}
