/* Copies that share links, in virtual time.
 *
 * A flow crosses some links and goes as fast as the worst of them lets it: the least, over its
 * links, of bandwidth / flows on that link (one that crosses a link twice counts twice there). When
 * a flow starts or ends, the rates of those that share a link with it change; what they have left
 * is reckoned to that moment, and their ends are told anew. Starts and ends of one moment are
 * settled together. The fluid model of flow-level network simulation (H. Casanova, A. Legrand,
 * M. Quinson: SimGrid, UKSIM 2008), with a share for each flow that does not go to others when
 * its owner cannot use it. Pure; thread: one.
 */
#ifndef FASTGPU_RUN_NETWORK_H
#define FASTGPU_RUN_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#define NETWORK_NONE UINT32_MAX
#define NETWORK_HOPS 32u

struct network_link {
    double bytes_per_ns;
    double share;   /* of that, for each flow; where there are flows */
    uint32_t flows; /* on it */
    uint32_t first; /* list of their hops */
    uint32_t dirty; /* in the list of those to be settled */
};

/* A flow on one of its links; hops of flow f are f * NETWORK_HOPS + 0, 1, ... */
struct network_hop {
    uint32_t link;
    uint32_t before, after; /* hops on the same link */
};

struct network_flow {
    double left_bytes; /* at `since_ns` */
    double bytes_per_ns;
    uint64_t since_ns;
    uint32_t hops; /* 0: it does not flow */
    uint32_t seen; /* the round of settling that has looked at it */
};

struct network {
    struct network_link *links;
    struct network_hop *hops;
    struct network_flow *flows;
    uint32_t link_count, flow_count;
    uint32_t round;
    uint32_t *dirty; /* links, each once */
    uint32_t dirty_count;
};

/* Flows are numbered 0 .. flow_count - 1. The bandwidths are network->links[i].bytes_per_ns, to be
 * set by the caller. False without memory. */
bool network_init(struct network *network, uint32_t link_count, uint32_t flow_count);
void network_fini(struct network *network);

/* [in] links: `count` of them, 1 .. NETWORK_HOPS. */
void network_start(struct network *network, uint32_t flow, const uint32_t *links, uint32_t count,
                   uint64_t bytes);
/* It has arrived, or is given up. Nothing when it does not flow. */
void network_end(struct network *network, uint32_t flow);

/* After the starts and ends of the moment now_ns: tells the ends of the flows whose rate has
 * changed. */
typedef void (*network_end_fn)(void *user, uint32_t flow, uint64_t end_ns);
void network_settle(struct network *network, uint64_t now_ns, network_end_fn tell, void *user);

#endif
