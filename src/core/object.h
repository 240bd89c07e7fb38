/* The engine's objects beside tasks: buffers with their segments and blocks, and kernels with their
 * variants.
 *
 * Handles carry (index, generation); `live` is the generation of the current object, with bit 0 set
 * while it exists. The API layer reads `live` and the fields marked (api) without the lock; the
 * rest belongs to the engine.
 */
#ifndef FASTGPU_CORE_OBJECT_H
#define FASTGPU_CORE_OBJECT_H

#include <fastgpu/backend.h>

#include "base/atomic.h"
#include "base/imap.h"
#include "base/limits.h"
#include "core/links.h"
#include "mem/heap.h"
#include "mem/replica.h"

/* What the interval map of a buffer keeps for each segment. */
struct segment {
    struct replica replica;
    uint32_t writer;            /* last task that writes it, TASK_NONE */
    uint32_t writer_generation; /* a writer with another generation now has ended */
    uint32_t readers;           /* links: tasks that read it since */
    uint32_t reader_count;
    uint32_t reader_limit; /* length at which ended readers are swept out */
    uint32_t root;
    uint32_t root_word;
    int32_t poison; /* not FGPU_OK: readers get it, from the task `root` (TASK_NONE: nobody knows
                       any more) */
    uint64_t stamp; /* when its contents were made, and by whom (core/lineage.h); 0 where there is
                       host memory only */
};

enum block_state { BLOCK_NONE, BLOCK_PRESENT };

/* Memory of one buffer on one node. */
struct block {
    uint8_t state;   /* enum block_state */
    uint8_t adopted; /* the caller's memory */
    uint8_t used;    /* since eviction last looked at it */
    uint8_t evicted; /* it was there before, and had to go (core/thrash.c) */
    uint16_t node;
    uint32_t buffer;
    uint32_t pins;     /* tasks and copies that use it now */
    uint32_t wanted;   /* placed tasks that will use it */
    uint32_t ops;      /* list of copies in flight on it, OP_NONE */
    uint32_t prev_use; /* list of the node's blocks in the order of eviction, by buffer slot */
    uint32_t next_use;
    struct heap_block heap;
};

/* In four cache lines; the walk of a task touches the last two. */
struct buffer {
    _Alignas(LIMITS_CACHE_LINE) char name[LIMITS_NAME_BYTES];
    void *adopted;         /* the caller's memory, NULL */
    uint64_t born;         /* stamp of its creation: earlier contents were another buffer's */
    struct blocks *sparse; /* the engine's, where a block for every node would be too many */
    struct imap segments;
    _Atomic uint64_t size_bytes; /* (api) */
    union {
        struct block *blocks; /* one for each node; &home where there is one node */
        uint32_t first_block; /* sparse: list of those beside the host's, BLOCKS_NONE */
    };
    uint32_t users;  /* unfinished tasks that name it */
    uint32_t linked; /* tasks that name it and are not on a lane yet: its future uses */
    uint32_t self;
    _Atomic uint32_t live; /* (api) */
    uint8_t destroyed;     /* goes when users is 0 */
    uint8_t unmerged;      /* a task has ended while others named it: see graph_merge_after */
    uint8_t merged_log2;   /* of the segments when all of them had been looked at last */
    uint32_t lease;        /* number of the recorded graph that holds it (core/joined.h), 0: none */
    struct block home;
};

_Static_assert(sizeof(struct buffer) == 256 && offsetof(struct buffer, home) == 192,
               "the slot is four lines, and the block of the host has the last one");

enum code_state { CODE_NONE, CODE_BUILDING, CODE_READY, CODE_FAILED };

/* A kernel's code on one device. */
struct code {
    uint8_t state;        /* enum code_state */
    uint8_t variant;      /* which */
    uint16_t model_valid; /* model_slot belongs to model_size */
    uint32_t model_slot;
    uint64_t model_size;
    uint32_t waiting; /* links: tasks in BUILDING */
    fgpu_code code;
    uint32_t required_local[3];
    uint32_t max_group_items;
    fgpu_status status; /* of the failure */
    char *log;          /* malloc'ed, NULL */
};

struct variant {
    uint32_t kind;    /* fgpu_variant_kind */
    uint32_t prelude; /* bytes of the text before the caller's, for launches of parts */
    char *text;
    char *entry;
    char *options;
    fgpu_native_fn native;
    void *native_user;
    uint64_t image; /* build that `native` belongs to (base/image.h), 0: not known, or a text */
};

struct kernel_arg {
    uint8_t kind;     /* fgpu_arg_kind, 0: not declared */
    uint8_t access;   /* fgpu_access */
    uint8_t declared; /* by the caller; otherwise read from the source */
    uint8_t pad;
    uint32_t size_bytes; /* scalar; 0 unknown */
};

struct kernel {
    _Atomic uint32_t live; /* (api) */
    uint32_t self;
    _Atomic uint32_t sealed;    /* (api) a task was submitted: args and variants are constant now */
    uint32_t arg_count;         /* (api) */
    uint32_t variant_count;     /* (api) */
    uint32_t variant_mask;      /* (api) bit (1 << fgpu_variant_kind) */
    uint32_t required_local[3]; /* (api) from the source; 0: none */
    uint32_t users;             /* unfinished tasks */
    uint8_t destroyed;
    uint8_t prepared;   /* builds were ordered for every device */
    uint8_t whole_dims; /* (api) bit d: a grid of d + 1 dimensions must not be divided */
    char whole_why[LIMITS_NAME_BYTES * 2]; /* (api) why; the first reason */
    uint64_t key;  /* hash of name and sources: names it in the performance model */
    uint64_t born; /* stamp of its creation, as of a buffer */
    struct variant variants[LIMITS_VARIANTS];
    struct kernel_arg args[LIMITS_KERNEL_ARGS];
    struct code *codes;         /* by engine_device.code: one for each device, or for those alike */
    struct preempt_code *forms; /* the same, two for each: sliced, guarded; NULL until needed */
    char name[LIMITS_NAME_BYTES];
};

#endif
