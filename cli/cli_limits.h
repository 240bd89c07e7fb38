/* Limits of the command line tool, in one place: past them a file is refused with a sentence that
 * names the limit.
 *
 * They bound what hostile input can cost; nobody's photograph comes near them.
 */
#ifndef FASTGPU_CLI_LIMITS_H
#define FASTGPU_CLI_LIMITS_H

/* Largest picture, in pixels: 64 Mi (8192 x 8192). Four channels of it are 256 MiB. */
#define CLI_IMAGE_PIXELS_LIMIT ((uint64_t)64 << 20)

/* Largest picture file that is read. No picture within the limit above needs more, uncompressed at
 * 16 bit. */
#define CLI_IMAGE_FILE_BYTES_LIMIT ((size_t)640 << 20)

/* A progressive JPEG visits the whole picture once a scan; real ones have about ten. */
#define CLI_JPEG_SCANS_LIMIT 100

/* Working memory of the JPEG decoder (progressive files keep all coefficients). */
#define CLI_JPEG_WORK_BYTES_LIMIT (1L << 30)

/* Largest photograph with padded rows in a buffer; it is reached only by pictures a few pixels
 * wide. */
#define CLI_PADDED_BYTES_LIMIT ((uint64_t)1 << 30)

/* Largest array or raw part of a file that is read or written as one: 4 GiB. */
#define CLI_DATA_BYTES_LIMIT ((size_t)4 << 30)

/* Dimensions of a .npy array: as many as NumPy 1 has. */
#define CLI_NPY_DIMENSIONS_LIMIT 32

/* Longest header of a .npy file. Those of plain arrays have 118 bytes; only descriptions of
 * structured types, which are not read, are longer. */
#define CLI_NPY_HEADER_BYTES_LIMIT 65536

/* Length of a sentence that says what went wrong, with its final zero. */
#define CLI_WHY_BYTES 512

#endif
