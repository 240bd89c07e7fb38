/* Flows on shared links; see network.h.
 *
 * Keeps true: link->flows is the length of its list, link->share what that leaves for each; a
 * flow's rate is right for the numbers of flows on its links, except between a start or an end and
 * the next settling.
 */
#include "run/network.h"

#include <math.h>

#include "base/alloc.h"
#include "base/assert.h"

#define NETWORK_END_MAX 9.0e18

bool network_init(struct network *network, uint32_t link_count, uint32_t flow_count)
{
    *network = (struct network){.link_count = link_count, .flow_count = flow_count};
    network->links = alloc_get_zeroed(NULL, (link_count + 1) * sizeof *network->links, 64);
    network->flows = alloc_get_zeroed(NULL, flow_count * sizeof *network->flows, 64);
    network->hops = alloc_get(NULL, (size_t)flow_count * NETWORK_HOPS * sizeof *network->hops, 64);
    network->dirty = alloc_get(NULL, (link_count + 1) * sizeof *network->dirty, 64);
    if (network->dirty == NULL || network->links == NULL || network->flows == NULL ||
        network->hops == NULL) {
        network_fini(network);
        return false;
    }
    for (uint32_t i = 0; i < link_count; i++)
        network->links[i].first = NETWORK_NONE;
    return true;
}

void network_fini(struct network *network)
{
    alloc_put(NULL, network->links, (network->link_count + 1) * sizeof *network->links);
    alloc_put(NULL, network->flows, network->flow_count * sizeof *network->flows);
    alloc_put(NULL, network->hops,
              (size_t)network->flow_count * NETWORK_HOPS * sizeof *network->hops);
    alloc_put(NULL, network->dirty, (network->link_count + 1) * sizeof *network->dirty);
    *network = (struct network){0};
}

static void network_touch(struct network *network, uint32_t index)
{
    struct network_link *link = &network->links[index];
    if (link->dirty)
        return;
    link->dirty = 1;
    network->dirty[network->dirty_count++] = index;
}

void network_start(struct network *network, uint32_t index, const uint32_t *links, uint32_t count,
                   uint64_t bytes)
{
    struct network_flow *flow = &network->flows[index];
    FGPU_ASSERT(flow->hops == 0 && count > 0 && count <= NETWORK_HOPS);
    *flow = (struct network_flow){.left_bytes = (double)bytes, .hops = count, .seen = flow->seen};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = index * NETWORK_HOPS + i;
        struct network_link *link = &network->links[links[i]];
        network->hops[at] = (struct network_hop){links[i], NETWORK_NONE, link->first};
        if (link->first != NETWORK_NONE)
            network->hops[link->first].before = at;
        link->first = at;
        link->share = link->bytes_per_ns / ++link->flows;
        network_touch(network, links[i]);
    }
}

void network_end(struct network *network, uint32_t index)
{
    struct network_flow *flow = &network->flows[index];
    for (uint32_t i = 0; i < flow->hops; i++) {
        const struct network_hop *hop = &network->hops[index * NETWORK_HOPS + i];
        struct network_link *link = &network->links[hop->link];
        if (hop->before == NETWORK_NONE)
            link->first = hop->after;
        else
            network->hops[hop->before].after = hop->after;
        if (hop->after != NETWORK_NONE)
            network->hops[hop->after].before = hop->before;
        if (--link->flows > 0)
            link->share = link->bytes_per_ns / link->flows;
        network_touch(network, hop->link);
    }
    flow->hops = 0;
}

static double network_rate(const struct network *network, uint32_t index)
{
    double least = INFINITY;
    for (uint32_t i = 0; i < network->flows[index].hops; i++) {
        double share = network->links[network->hops[index * NETWORK_HOPS + i].link].share;
        least = share < least ? share : least;
    }
    return least;
}

/* Returns whether the flow's end has changed. */
static bool network_adapt(struct network *network, uint32_t index, uint64_t now_ns,
                          uint64_t *end_ns)
{
    struct network_flow *flow = &network->flows[index];
    double rate = network_rate(network, index);
    bool fresh = flow->bytes_per_ns <= 0;
    if (!fresh && (rate <= flow->bytes_per_ns && rate >= flow->bytes_per_ns))
        return false;
    if (!fresh)
        flow->left_bytes -= flow->bytes_per_ns * (double)(now_ns - flow->since_ns);
    if (flow->left_bytes < 0)
        flow->left_bytes = 0;
    flow->bytes_per_ns = rate;
    flow->since_ns = now_ns;
    double ns = ceil(flow->left_bytes / rate);
    *end_ns = now_ns + (ns < NETWORK_END_MAX ? (uint64_t)ns : (uint64_t)NETWORK_END_MAX);
    return true;
}

void network_settle(struct network *network, uint64_t now_ns, network_end_fn tell, void *user)
{
    if (network->dirty_count == 0)
        return;
    network->round++;
    for (uint32_t i = 0; i < network->dirty_count; i++) {
        struct network_link *link = &network->links[network->dirty[i]];
        link->dirty = 0;
        for (uint32_t at = link->first; at != NETWORK_NONE; at = network->hops[at].after) {
            uint32_t index = at / NETWORK_HOPS;
            uint64_t end_ns;
            if (network->flows[index].seen == network->round)
                continue;
            network->flows[index].seen = network->round;
            if (network_adapt(network, index, now_ns, &end_ns))
                tell(user, index, end_ns);
        }
    }
    network->dirty_count = 0;
}
