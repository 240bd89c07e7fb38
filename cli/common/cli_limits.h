/* Limits of the command line tool, in one place: past them a file is refused with a sentence that
 * names the limit.
 *
 * They bound what hostile input can cost; nobody's photograph comes near them.
 */
#ifndef FASTGPU_CLI_COMMON_CLI_LIMITS_H
#define FASTGPU_CLI_COMMON_CLI_LIMITS_H

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

/* JSON that is read: levels, values (lists, objects and what is in them), letters of a number. */
#define CLI_JSON_DEPTH_LIMIT 32
#define CLI_JSON_VALUES_LIMIT ((uint32_t)1 << 20)
#define CLI_JSON_NUMBER_LIMIT 60

/* Largest trace that is read: two million tasks. */
#define CLI_TRACE_FILE_BYTES_LIMIT ((size_t)1 << 30)

/* A machine description, or a table that becomes one. */
#define CLI_MACHINE_FILE_BYTES_LIMIT ((size_t)64 << 20)

/* An expression ("photo.width / 2"): letters, and nested parentheses or signs. */
#define CLI_EXPRESSION_BYTES 256
#define CLI_EXPRESSION_DEPTH_LIMIT 32

/* A workload: its file, the source of a kernel. */
#define CLI_WORKLOAD_FILE_BYTES_LIMIT ((size_t)16 << 20)
#define CLI_KERNEL_FILE_BYTES_LIMIT ((size_t)16 << 20)

/* What a workload may name, after repetition. A pool takes no more tasks, buffers, arguments or
 * predecessors either. */
#define CLI_WORKLOAD_CONSTANTS_LIMIT 256
#define CLI_WORKLOAD_REPEAT_LIMIT 4 /* variables of one repetition */
#define CLI_WORKLOAD_BUFFERS_LIMIT 65536
#define CLI_WORKLOAD_KERNELS_LIMIT 4096
#define CLI_WORKLOAD_TASKS_LIMIT ((uint32_t)1 << 20)
#define CLI_WORKLOAD_OUTPUTS_LIMIT 65536
#define CLI_WORKLOAD_ARGS_LIMIT 64                        /* of a kernel */
#define CLI_WORKLOAD_AFTER_LIMIT 4096                     /* of a task */
#define CLI_WORKLOAD_ARGS_TOTAL_LIMIT ((uint32_t)1 << 22) /* of all tasks, and so for `after` */
#define CLI_WORKLOAD_BYTES_LIMIT ((uint64_t)1 << 46)      /* of a buffer, and of all together */

#define CLI_WORKLOAD_VALUES_LIMIT ((uint64_t)4 << 20)          /* of "values" and "fill" */
#define CLI_WORKLOAD_SOURCES_BYTES_LIMIT ((uint64_t)256 << 20) /* of all kernels */

/* A graph for the simulator, generated or read; then the files, then what one command runs. */
#define CLI_SIM_TASKS_LIMIT ((uint32_t)1 << 24)
#define CLI_SIM_DATA_LIMIT ((uint32_t)1 << 24)
#define CLI_SIM_KERNELS_LIMIT 4096
#define CLI_SIM_COSTS_LIMIT ((uint32_t)1 << 18)
#define CLI_SIM_ACCESSES_LIMIT ((uint32_t)1 << 27)
#define CLI_SIM_AFTER_LIMIT ((uint32_t)1 << 27)
#define CLI_SIM_FILE_BYTES_LIMIT ((size_t)1 << 28)
#define CLI_SIM_MACHINE_BYTES_LIMIT ((size_t)64 << 20)
#define CLI_SIM_POLICIES_LIMIT 16
#define CLI_SIM_REPEAT_LIMIT 1000

/* Traces of memory: the file, blocks, bytes of all blocks together, references. */
#define CLI_MEMORY_FILE_BYTES_LIMIT ((size_t)1 << 30)
#define CLI_MEMORY_BLOCKS_LIMIT ((uint32_t)1 << 24)
#define CLI_MEMORY_BYTES_LIMIT ((uint64_t)1 << 60)
#define CLI_MEMORY_REFERENCES_LIMIT ((uint32_t)1 << 27)
#define CLI_MEMORY_STEPS_LIMIT ((uint64_t)1 << 31) /* of a plan's search: ten seconds */

/* Mistakes of a workload that are listed before reading ends. */
#define CLI_WORKLOAD_MISTAKES_LIMIT 20

/* Length of a sentence that says what went wrong, with its final zero. */
#define CLI_WHY_BYTES 512

#endif
