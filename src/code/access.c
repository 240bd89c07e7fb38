/* Classes of pointers: union-find with marks; see access.h.
 *
 * Path halving (R. E. Tarjan, J. van Leeuwen, Worst-case analysis of set union algorithms, JACM
 * 1984).
 */
#include "code/access.h"

struct code_flow_node {
    uint32_t parent; /* itself: representative */
    struct code_marks marks;
};

const char *code_access_text(enum code_access access)
{
    static const char *const texts[] = {"none", "READ", "READ_WRITE", "UNKNOWN"};
    return texts[access];
}

void code_flow_init(struct code_flow *flow, struct code_context *context)
{
    flow->context = context;
    vec_init(&flow->nodes, sizeof(struct code_flow_node), context->hooks);
    code_flow_reset(flow);
}

void code_flow_fini(struct code_flow *flow)
{
    if (flow != NULL)
        vec_fini(&flow->nodes);
}

void code_flow_reset(struct code_flow *flow)
{
    vec_clear(&flow->nodes);
    code_flow_add(flow);
}

uint32_t code_flow_add(struct code_flow *flow)
{
    struct code_flow_node node = {.parent = (uint32_t)flow->nodes.count};
    return code_context_push(flow->context, &flow->nodes, &node) != NULL ? node.parent : 0;
}

static struct code_flow_node *node_at(struct code_flow *flow, uint32_t node)
{
    return vec_at(&flow->nodes, node);
}

uint32_t code_flow_find(struct code_flow *flow, uint32_t node)
{
    if (node == 0)
        return 0;
    while (node_at(flow, node)->parent != node) {
        struct code_flow_node *entry = node_at(flow, node);
        entry->parent = node_at(flow, entry->parent)->parent;
        node = entry->parent;
    }
    return node;
}

uint32_t code_flow_join(struct code_flow *flow, uint32_t a, uint32_t b)
{
    a = code_flow_find(flow, a);
    b = code_flow_find(flow, b);
    if (a == 0 || b == 0 || a == b)
        return a != 0 ? a : b;
    node_at(flow, b)->parent = a;
    code_flow_mark(flow, a, node_at(flow, b)->marks);
    return a;
}

void code_flow_mark(struct code_flow *flow, uint32_t node, struct code_marks marks)
{
    if (node == 0)
        return;
    struct code_marks *own = &node_at(flow, code_flow_find(flow, node))->marks;
    bool worse = (marks.marks & ~(uint32_t)CODE_MARK_READ) != 0;
    own->marks |= marks.marks;
    if (worse && own->reason == NULL) {
        own->line = marks.line;
        own->reason = marks.reason;
    }
}

struct code_marks code_flow_marks(struct code_flow *flow, uint32_t node)
{
    return node == 0 ? (struct code_marks){0} : node_at(flow, code_flow_find(flow, node))->marks;
}
