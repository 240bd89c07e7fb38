/* The header of NumPy's .npy files: element type and shape.
 *
 * Format: "NEP 1, A Simple File Format for NumPy Arrays", versions 1.0 to 3.0. What is understood
 * is what a buffer can hold: whole and real numbers of 1 to 8 bytes (element.h) and truth values
 * (as uint8), little endian, row by row ("C order"), 1 to NPY_DIMS axes without a zero. Everything
 * else is refused with its reason. Thread: any; pure.
 */
#ifndef FASTGPU_CLI_NPY_H
#define FASTGPU_CLI_NPY_H

#include <stddef.h>
#include <stdint.h>

#include <fastgpu/status.h>

#include "element.h"

#define NPY_DIMS 4

struct npy {
    enum element_type type;
    uint32_t dims;
    uint64_t shape[NPY_DIMS];
    uint64_t data_offset; /* in the file */
    uint64_t data_bytes;
};

/* Reads the header. [in] data: the first bytes of the file, all or at least
 * CLI_NPY_HEADER_BYTES_LIMIT. [in] file_bytes: of the whole file, which must be what the header
 * says. Returns FGPU_OK, FGPU_E_INVAL (damaged), FGPU_E_UNSUPPORTED or FGPU_E_LIMIT. */
fgpu_status npy_read_header(const void *data, size_t size_bytes, uint64_t file_bytes,
                            struct npy *npy, char *why, size_t why_bytes);

/* The same of a plain file. Also FGPU_E_IO. Blocks on the disk. */
fgpu_status npy_load_header(const char *path, struct npy *npy, char *why, size_t why_bytes);

#endif
