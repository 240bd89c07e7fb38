/* What is in a workload's buffers before the first task, in host memory.
 *
 * Every buffer with content has memory of its own from fgpu_host_alloc(), in the layout of the
 * buffer (rows at its pitch), size_bytes long; what is between rows is 0. It is only read by those
 * who run the workload. Thread: one at a time; blocks on the disk.
 */
#ifndef FASTGPU_CLI_WORKLOAD_WORKLOAD_DATA_H
#define FASTGPU_CLI_WORKLOAD_WORKLOAD_DATA_H

#include <signal.h>

#include "cli/workload/workload.h"

struct workload_data {
    uint32_t count;         /* buffers of the workload */
    unsigned char **memory; /* by buffer; NULL: WORKLOAD_EMPTY */
};

/* Reads the files and makes the rest. [in] stop: may be NULL. On failure `data` is empty; the
 * sentence names the buffer and the file. FGPU_E_CANCELLED when `stop` was set, or the
 * user wants the end (stopping.h). */
fgpu_status workload_data_init(struct workload_data *data, const struct workload *workload,
                               const volatile sig_atomic_t *stop, char *why, size_t why_bytes);
void workload_data_fini(struct workload_data *data);

/* Rows of a buffer, and the bytes of one without what is between rows. One axis is one row. */
uint64_t workload_data_rows(const struct workload_buffer *buffer);
uint64_t workload_data_row_bytes(const struct workload_buffer *buffer);

/* Copies the rows from memory in the buffer's layout to packed ones. */
void workload_data_pack(const struct workload_buffer *buffer, const unsigned char *memory,
                        unsigned char *packed);

/* Whether two memories in the buffer's layout hold the same; what is between rows does not count.
 */
bool workload_data_equal(const struct workload_buffer *buffer, const unsigned char *one,
                         const unsigned char *other);

#endif
