/* How long does a copy take? Latency plus bytes over bandwidth, per pair of memory nodes, learned
 * from what was measured.
 *
 * On the walk: place asks (link_predict_ns), learn answers (link_learn). For each pair and each
 * doubling of the size the last few copies are kept; their medians are fitted with t = a + b *
 * bytes, least squares of relative errors, a and b never negative; then the line is scaled to the
 * robust mean of the last copies of any size (model/recent.h), so that a link that has become
 * slower is noticed before every size has been seen again. While only sizes of one order are known,
 * the missing half comes from the defaults. One stray measurement moves no median.
 *
 * The line is that of a copy that has the link to itself. One that shared it with others took
 * between its own time (they did not disturb it) and that of a fair share: it teaches only where
 * the line is outside of that.
 *
 * What can be relied on, of copies within 8 % of the truth (tests/unit/test_link.c): after a step
 * by a factor of 1.5 or more, predictions of the sizes in use are within 25 % after 3 copies and
 * within 15 % after 5 more of each; a stray copy of any length moves them by 15 % at most; copies
 * that share the link, any number of them for any time, leave the line of a link that is known
 * within 15 %.
 *
 * Nodes: 0 is the host.
 * Thread: one at a time (engine). Pure; allocates at the first copy of a pair.
 */
#ifndef FASTGPU_MODEL_LINK_H
#define FASTGPU_MODEL_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "model/recent.h"

#define LINK_SAMPLES 5
#define LINK_SIZES 33 /* doublings from 256 B; the first and the last also hold what is beyond */

#define LINK_NS_MAX 9.0e18

/* Before anything was measured: a discrete device on PCIe 3, and memcpy on the host's own node. */
#define LINK_DEFAULT_LATENCY_NS 10000.0
#define LINK_DEFAULT_BYTES_PER_NS 6.0
#define LINK_LOCAL_LATENCY_NS 500.0
#define LINK_LOCAL_BYTES_PER_NS 8.0

struct link_size {
    float bytes[LINK_SAMPLES];
    float ns[LINK_SAMPLES];
    uint8_t count;
    uint8_t next;
    uint16_t reserved;
    uint32_t seen; /* the pair's copies when this was last added to */
};

/* When a copy ran, by the clock of its device. */
struct link_span {
    uint64_t start_ns, end_ns;
    uint64_t others_ns; /* of copies of the pair that still run, as far as it fell into this span */
};

#define LINK_SPANS 8 /* finished copies of a pair that later ones may have shared the link with */

struct link_seen {
    uint32_t copies;
    uint32_t spans; /* `ended` is a ring by this */
    struct link_span ended[LINK_SPANS];
    float last_bytes[RECENT_SAMPLES], last_ns[RECENT_SAMPLES]; /* of any size; a ring by `copies` */
    struct link_size sizes[LINK_SIZES];
};

struct link_pair {
    double latency_ns; /* the fit */
    double ns_per_byte;
    double default_latency_ns;
    double default_ns_per_byte;
    struct link_seen *seen; /* NULL: nothing measured */
};

struct link {
    struct link_pair pairs[LIMITS_NODES][LIMITS_NODES]; /* [src][dst] */
    const struct alloc_hooks *hooks;
};

/* About 160 KiB: do not put it on the stack. [borrow] hooks. */
void link_init(struct link *links, const struct alloc_hooks *hooks);
void link_fini(struct link *links);

/* What to believe before measurements, for example from a machine file. */
void link_set_default(struct link *links, uint32_t src, uint32_t dst, double latency_ns,
                      double bytes_per_ns);

static inline uint64_t link_predict_ns(const struct link *links, uint32_t src, uint32_t dst,
                                       uint64_t bytes)
{
    const struct link_pair *pair = &links->pairs[src][dst];
    double ns = pair->latency_ns + pair->ns_per_byte * (double)bytes;
    return ns < LINK_NS_MAX ? (uint64_t)ns : (uint64_t)LINK_NS_MAX;
}

/* The same when the link is divided among `users` copies (>= 1) all the time. */
static inline uint64_t link_predict_shared_ns(const struct link *links, uint32_t src, uint32_t dst,
                                              uint64_t bytes, double users)
{
    const struct link_pair *pair = &links->pairs[src][dst];
    double ns = pair->latency_ns + pair->ns_per_byte * (double)bytes * users;
    return ns < LINK_NS_MAX ? (uint64_t)ns : (uint64_t)LINK_NS_MAX;
}

/* Measured at least once? */
static inline bool link_is_measured(const struct link *links, uint32_t src, uint32_t dst)
{
    return links->pairs[src][dst].seen != NULL;
}

/* One measured copy that had the link to itself. Copies of 0 bytes and times of 0 are ignored; so
 * is everything when there is no memory. */
void link_learn(struct link *links, uint32_t src, uint32_t dst, uint64_t bytes,
                uint64_t measured_ns);

/* The same of one that shared the link with others; `users`: how many there were in the mean,
 * itself included. */
void link_learn_shared(struct link *links, uint32_t src, uint32_t dst, uint64_t bytes,
                       uint64_t measured_ns, double users);

/* The same, finding out with whom it shared: copies of the pair that ended before are remembered,
 * what still runs the caller tells. */
void link_learn_span(struct link *links, uint32_t src, uint32_t dst, uint64_t bytes,
                     const struct link_span *span);

#endif
