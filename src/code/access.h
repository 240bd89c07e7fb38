/* What a kernel does to the memory behind its pointers.
 *
 * Method: unification-based points-to analysis (B. Steensgaard, Points-to analysis in almost linear
 * time, POPL 1996), collapsed to one level: each pointer variable is a node; values that flow from
 * one into the other join their nodes; a load or store through a pointer marks its node. The order
 * of statements plays no role, so loops need no second pass. A pointer that goes where this does
 * not look (into memory or a struct, into an integer, to an unknown function) is marked ESCAPE,
 * which counts as read and written. What follows is careful in one direction: READ is said only
 * where nothing is written through the parameter.
 *
 * Pure WRITE, which lets the pool forget the old contents, is never inferred: a kernel may write
 * under a condition or a part of the range only, and what it leaves alone must survive.
 * `writes_only` says that nothing is read; whether everything is overwritten is for the caller to
 * say. Parameters are taken not to overlap where one is written, as the pool guarantees. Thread:
 * one.
 */
#ifndef FASTGPU_CODE_ACCESS_H
#define FASTGPU_CODE_ACCESS_H

#include "code/context.h"

enum code_access {
    CODE_ACCESS_NONE, /* no global or constant pointer */
    CODE_ACCESS_READ,
    CODE_ACCESS_READ_WRITE,
    CODE_ACCESS_UNKNOWN /* could not be read: to be treated as READ_WRITE */
};

/* "none", "READ", "READ_WRITE", "UNKNOWN". */
const char *code_access_text(enum code_access access);

enum code_mark {
    CODE_MARK_READ = 1,
    CODE_MARK_WRITE = 2,
    CODE_MARK_ATOMIC = 4, /* read and written */
    CODE_MARK_ESCAPE = 8
};

/* What is known of one class of pointers. */
struct code_marks {
    uint32_t marks;     /* enum code_mark */
    uint32_t line;      /* of the first mark but READ; 0 for none */
    const char *reason; /* what happened there; NULL for none */
};

/* The nodes of one function; number 0 is "no pointer" and takes every operation without effect. */
struct code_flow {
    struct code_context *context;
    struct vec nodes; /* of struct code_flow_node */
};

void code_flow_init(struct code_flow *flow, struct code_context *context);
void code_flow_fini(struct code_flow *flow);

/* Forgets all nodes. */
void code_flow_reset(struct code_flow *flow);

/* A new node; 0 when there is no memory. */
uint32_t code_flow_add(struct code_flow *flow);

/* Representative of the node's class. */
uint32_t code_flow_find(struct code_flow *flow, uint32_t node);

/* Makes both one class; returns its representative. With 0 it is the other one. */
uint32_t code_flow_join(struct code_flow *flow, uint32_t a, uint32_t b);

/* [borrow] reason: lives as long as the context. */
void code_flow_mark(struct code_flow *flow, uint32_t node, struct code_marks marks);

struct code_marks code_flow_marks(struct code_flow *flow, uint32_t node);

#endif
