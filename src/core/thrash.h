/* Is a node busy bringing back what it had to let go? See thrash.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_THRASH_H
#define FASTGPU_CORE_THRASH_H

#include <stdint.h>

struct engine;

/* Of a node, since `since_ns`. */
struct thrash_window {
    uint64_t since_ns;
    uint64_t copy_ns;  /* predicted time of copies that brought back what had been evicted */
    uint64_t busy_ns;  /* of the device, when the window began */
    uint64_t bytes;    /* of those copies */
    uint64_t quiet_ns; /* until then nothing is said */
};

/* A copy to the node was ordered, of a block that was there before. */
void thrash_note(struct engine *engine, uint32_t node, uint64_t bytes, uint64_t copy_ns);

#endif
