/* Buffers: one logical array of bytes, with a replica per memory node that the pool keeps coherent.
 *
 * Tasks name buffers and ranges; the pool infers dependencies and moves data. The calls here act in
 * submission order like tasks: a read sees what all tasks submitted before it have written.
 * Blocking calls must not be made from a task's own function or a callback (FGPU_E_BUSY). Every
 * function may be called from any thread.
 */
#ifndef FASTGPU_BUFFER_H
#define FASTGPU_BUFFER_H

#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Create an empty buffer. Its contents are undefined until written; memory is taken at first use.
 * [in] size_bytes: 1 .. 2^46. [out] buffer: zero on failure. Errors: FGPU_E_INVAL, FGPU_E_LIMIT
 * (1048576 buffers in a pool), FGPU_E_NOMEM. Does not block. */
FGPU_API fgpu_status fgpu_buffer_create(fgpu_pool pool, uint64_t size_bytes, fgpu_buffer *buffer);

/* Create a buffer over the caller's memory, used in place as the host replica (zero-copy on devices
 * that share host memory). [borrow] ptr: must stay valid and untouched until the buffer is
 * destroyed and its last task is done; use fgpu_buffer_map() to look at it in between. After
 * fgpu_buffer_destroy() followed by fgpu_pool_wait(), or after fgpu_pool_close(), it holds the
 * final contents; where these were lost with a device, that call returns FGPU_E_POISONED. Best
 * alignment: that of fgpu_host_alloc(). Errors as fgpu_buffer_create(), and FGPU_E_INVAL for NULL.
 * Does not block. */
FGPU_API fgpu_status fgpu_buffer_create_from(fgpu_pool pool, void *ptr, uint64_t size_bytes,
                                             fgpu_buffer *buffer);

/* Destroy a buffer. Tasks already submitted still run and see it; the memory goes when the last of
 * them is done. Errors: FGPU_E_BUSY while it is mapped. A zero handle is accepted. Does not block,
 * but for a buffer over the caller's memory at the pool's task limit: bringing the data there is a
 * task, which waits or fails there as fgpu_task_submit() does (FGPU_E_AGAIN, FGPU_E_LIMIT,
 * FGPU_E_NOMEM: the buffer is as it was). */
FGPU_API fgpu_status fgpu_buffer_destroy(fgpu_buffer buffer);

/* Size in bytes. [out] size_bytes. Does not block. */
FGPU_API fgpu_status fgpu_buffer_size(fgpu_buffer buffer, uint64_t *size_bytes);

/* Give the buffer a name for traces and error texts. [in] name: copied, cut to 63 bytes; NULL:
 * none. Does not block. */
FGPU_API fgpu_status fgpu_buffer_set_name(fgpu_buffer buffer, const char *name);

/* Copy a region into host memory; blocks until done.
 * [in] region: NULL for the whole buffer. [out] dst: rows * row_bytes bytes, packed when
 * dst_pitch_bytes is 0, else with its rows that many bytes apart (FGPU_E_INVAL when that is less
 * than a row). Errors: FGPU_E_INVAL, FGPU_E_RANGE, FGPU_E_POISONED (a task that should have written
 * it failed; the text names it), FGPU_E_BUSY. */
FGPU_API fgpu_status fgpu_buffer_read(fgpu_buffer buffer, const fgpu_region *region, void *dst,
                                      uint64_t dst_pitch_bytes);

/* Copy host memory into a region; returns when `src` may be reused. [in] src: as `dst` of
 * fgpu_buffer_read(). Errors: FGPU_E_INVAL, FGPU_E_RANGE, FGPU_E_BUSY. */
FGPU_API fgpu_status fgpu_buffer_write(fgpu_buffer buffer, const fgpu_region *region,
                                       const void *src, uint64_t src_pitch_bytes);

/* Fill a region with a pattern; blocks until done. [in] pattern_bytes: 1, 2, 4, 8 or 16; each row
 * must be a multiple of it. Errors: FGPU_E_INVAL, FGPU_E_RANGE, FGPU_E_BUSY, or how the task
 * failed.
 */
FGPU_API fgpu_status fgpu_buffer_fill(fgpu_buffer buffer, const fgpu_region *region,
                                      const void *pattern, uint32_t pattern_bytes);

/* Copy a region of one buffer into a region of another (or of the same one, not overlapping);
 * blocks. The shapes are the same, or one side is contiguous and has as many bytes. Errors:
 * FGPU_E_INVAL (the shapes), FGPU_E_RANGE, FGPU_E_OVERLAP, FGPU_E_FOREIGN (buffers of two pools),
 * FGPU_E_POISONED, FGPU_E_BUSY. */
FGPU_API fgpu_status fgpu_buffer_copy(fgpu_buffer dst, const fgpu_region *dst_region,
                                      fgpu_buffer src, const fgpu_region *src_region);

/* The same four as tasks: they return at once, and host memory must stay valid until the task is
 * done. [out] task: may be NULL. Pattern bytes are copied. Block as fgpu_task_submit() does. */
FGPU_API fgpu_status fgpu_buffer_read_async(fgpu_buffer buffer, const fgpu_region *region,
                                            void *dst, uint64_t dst_pitch_bytes, fgpu_task *task);
FGPU_API fgpu_status fgpu_buffer_write_async(fgpu_buffer buffer, const fgpu_region *region,
                                             const void *src, uint64_t src_pitch_bytes,
                                             fgpu_task *task);
FGPU_API fgpu_status fgpu_buffer_fill_async(fgpu_buffer buffer, const fgpu_region *region,
                                            const void *pattern, uint32_t pattern_bytes,
                                            fgpu_task *task);
FGPU_API fgpu_status fgpu_buffer_copy_async(fgpu_buffer dst, const fgpu_region *dst_region,
                                            fgpu_buffer src, const fgpu_region *src_region,
                                            fgpu_task *task);

/* Map a contiguous range for the host; blocks until its data is there and no task in flight
 * conflicts. [in] access: FGPU_READ, FGPU_WRITE (old contents are undefined) or FGPU_READ_WRITE.
 * Tasks submitted later that conflict with the mapping wait until it is unmapped. [out] ptr.
 * Disjoint or read-only ranges may be mapped at the same time. Errors: FGPU_E_INVAL (access, size
 * 0), FGPU_E_RANGE, FGPU_E_POISONED, FGPU_E_NOMEM, FGPU_E_BUSY. */
FGPU_API fgpu_status fgpu_buffer_map(fgpu_buffer buffer, uint64_t offset_bytes, uint64_t size_bytes,
                                     fgpu_access access, void **ptr);

/* End a mapping. [in] ptr: what fgpu_buffer_map() returned. Errors: FGPU_E_INVAL when it is no
 * current mapping. Does not block. */
FGPU_API fgpu_status fgpu_buffer_unmap(fgpu_buffer buffer, void *ptr);

#ifdef __cplusplus
}
#endif

#endif
