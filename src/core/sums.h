/* A checksum of whatever lies in the host's memory, for tests: FGPU_POOL_CHECKSUM.
 *
 * Of each few bytes of a buffer the sum is kept from when they are first seen settled on the host
 * until a task is handed out that writes them. Whenever they are seen again (a copy to or from the
 * host has ended, the buffer goes, and now and then everything) it must be the same: what left for
 * a device, the disk or another place in memory has come back as it was, and nobody has written
 * over what stayed. What differs is told of by the buffer's name, and ends the process. Runs under
 * the engine's lock. Nothing is done where all memory is the host's: nothing ever moves there.
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

/* Those bytes are about to change. */
void sums_forget(struct engine *engine, const struct buffer *buffer, uint64_t begin, uint64_t end);

/* What is settled of those bytes. */
void sums_check(struct engine *engine, const struct buffer *buffer, uint64_t begin, uint64_t end);

/* All buffers, now and then: the more bytes there are, the more turns go by between two looks. */
void sums_turn(struct engine *engine);

#endif
