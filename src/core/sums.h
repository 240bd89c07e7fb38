/* A checksum of whatever lies in the host's memory, for tests: FGPU_POOL_CHECKSUM.
 *
 * Of each range whose contents are settled the sum is kept by its version; whenever the same
 * version is seen again (a copy to or from the host has ended, a buffer goes, and now and then all
 * of them) it must be the same. So data that left for a device, the disk or another place in memory
 * have come back as they were, and nobody has written over them meanwhile. What differs is told of
 * by the buffer's name, and ends the process. Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_SUMS_H
#define FASTGPU_CORE_SUMS_H

#include <stdbool.h>
#include <stdint.h>

struct buffer;
struct engine;

/* False without memory. Does nothing unless the engine's flags ask for it. */
bool sums_init(struct engine *engine);
void sums_fini(struct engine *engine);

/* What is settled of those bytes of the buffer. */
void sums_check(struct engine *engine, const struct buffer *buffer, uint64_t begin, uint64_t end);

/* All buffers, now and then: the more bytes there are, the more turns go by between two looks. */
void sums_turn(struct engine *engine);

#endif
