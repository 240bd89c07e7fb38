/* .npy files put together byte by byte, right or wrong ones, without the code that is tested. */
#ifndef FASTGPU_TESTS_LIB_NPY_FILES_H
#define FASTGPU_TESTS_LIB_NPY_FILES_H

#include "cli/common/file.h"

/* A file of version `major`.0 with `header` as it stands and `data_bytes` bytes 1, 2, 3... behind
 * it. Fails the test without memory. [out] file: empty before. */
void npy_file_make(int major, const char *header, size_t header_bytes, size_t data_bytes,
                   struct file_bytes *file);

#endif
