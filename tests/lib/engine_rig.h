/* An engine without a driver: the test hands commands to devices of its own, decides how far each
 * queue gets, and which command fails.
 *
 * Every node is plain memory of this process, so that copies, fills and the kernels really happen,
 * in the order in which the test lets the queues work. Failed commands leave 0xEE where they would
 * have written, lost devices in all their memory. The kernels, for each byte i: inc(p, ...)    p[i]
 * = p[i] + 1 mix(d, s, t)   d[i] = 3 s[i] + 5 t[i] + 1 twin(d, e, s)  d[i] = s[i] + 1, e[i] = s[i]
 * + 2 Thread: one.
 */
#ifndef FASTGPU_TESTS_LIB_ENGINE_RIG_H
#define FASTGPU_TESTS_LIB_ENGINE_RIG_H

#include "core/engine.h"
#include "core/submit.h"

#define RIG_TASKS 65536u
#define RIG_LANES 8
#define RIG_COMMANDS 16384
#define RIG_GARBAGE 0xEE
#define RIG_GUARDS 64u
#define RIG_GROUPS 4096u
#define RIG_SPOILED (256u << 10) /* of a slab that is lost: more than small buffers need */

struct engine_rig_lane {
    fgpu_cmd commands[RIG_COMMANDS + 1]; /* by number */
    bool fails[RIG_COMMANDS + 1];
    uint64_t taken, done;
    uint64_t start_ns, end_ns; /* what the next commands are said to have taken; 0: not timed */
    bool skipping;
};

struct engine_rig {
    struct engine engine;
    struct history history;
    struct trace trace;
    struct log log;
    uint32_t inc, mix, twin; /* the kernels */
    struct engine_rig_slab {
        void *memory;
        uint64_t bytes;
        uint32_t node;
        int file; /* that it is a mapping of, 0: plain memory */
    } slabs[256];
    uint32_t slab_count;
    struct engine_rig_lane lanes[RIG_LANES];
    uint32_t plans_due;
    struct engine_rig_guard {
        uint64_t groups;
        bool stop, open;
        uint8_t done[RIG_GROUPS];
    } guards[RIG_GUARDS]; /* their names count from 1 */
    uint32_t guard_count;
    uint32_t forms_made; /* ACTION_FORM, of both forms */
    uint32_t forms_fail; /* bits: 1 << fgpu_code_form */
    bool no_guards;      /* none can be made */
    bool no_stitches;    /* nothing can be put together */
    uint32_t stitches;   /* names that mem_stitch gave and that are not back */
    uint64_t stitch_bytes;
    uint64_t stop_after; /* groups that a launch still begins when its guard says stop */
};

/* Devices with memory of their own and so many queues each. flags: enum fgpu_pool_flag. */
void engine_rig_open(struct engine_rig *rig, const uint32_t *queues, uint32_t devices,
                     uint32_t flags, uint64_t budget_ns);
/* The same with at most so much memory on the host; 0: no limit. */
void engine_rig_open_small(struct engine_rig *rig, const uint32_t *queues, uint32_t devices,
                           uint32_t flags, uint64_t budget_ns, uint64_t host_bytes);
/* The rest that may be chosen. 0: as engine_rig_open() has it. */
struct engine_rig_setup {
    const uint32_t *queues; /* of each device, those for copies included */
    uint32_t devices;
    uint32_t copy_queues; /* of each device */
    uint32_t side_queues; /* of each device, for tasks that do not fill it */
    uint32_t fill_groups;
    const char *policy;
    uint64_t key;    /* of all devices in the performance model; 0: each has its own */
    uint32_t hidden; /* a bit for each device */
    void (*paths)(const void *user, uint32_t src_node, uint32_t dst_node, struct plan_path *path);
    double (*path_rate)(const void *user, uint32_t link);
    uint32_t path_link_count;
    uint32_t flags;
    uint64_t budget_ns, host_bytes, device_bytes;
    bool slices;      /* the devices run slices and guards */
    uint32_t preempt; /* fgpu_pool_preempt */
    uint64_t overdue_ns;
    uint64_t stitch_bytes; /* of pieces that devices put together; a multiple of a page */
    bool host_memory;      /* all devices work in the host's */
    bool plans_apart;      /* ACTION_PLAN is counted in plans_due and left to the caller */
};
void engine_rig_open_as(struct engine_rig *rig, const struct engine_rig_setup *setup);
void engine_rig_close(struct engine_rig *rig);

/* A buffer; host: its contents, NULL for none. */
uint32_t engine_rig_buffer(struct engine_rig *rig, uint64_t bytes, void *host);

/* Tasks on a range of one buffer; pin: device or TASK_DEVICE_ANY, after: a task or TASK_NONE.
 * Returns the index. */
uint32_t engine_rig_fill(struct engine_rig *rig, uint32_t buffer, uint64_t begin, uint64_t bytes,
                         uint8_t value, uint16_t pin);
uint32_t engine_rig_inc(struct engine_rig *rig, uint32_t buffer, uint64_t bytes, uint16_t pin);
uint32_t engine_rig_copy(struct engine_rig *rig, uint32_t dst, uint32_t src, uint64_t bytes,
                         uint16_t pin);
/* A range of a buffer as an argument; three of them for one of the kernels. */
struct submit_arg engine_rig_arg(uint32_t buffer, uint8_t mode, uint64_t begin, uint64_t bytes);
uint32_t engine_rig_run(struct engine_rig *rig, uint32_t kernel, const struct submit_arg *args,
                        uint16_t pin, uint32_t after);
uint32_t engine_rig_submit(struct engine_rig *rig, struct submit_request *request, uint32_t after);
/* A mapping for reading; it runs when its data are on the host, and ends when they are lost: look
 * at its state before you look at the bytes. */
uint32_t engine_rig_map(struct engine_rig *rig, uint32_t buffer, uint64_t bytes);
/* All work is done (engine_rig_finish), then the bytes are copied to `to`. False when they are lost
 * or poisoned: the caller's memory of a buffer, too, has old ones then. */
bool engine_rig_read(struct engine_rig *rig, uint32_t buffer, uint64_t begin, uint64_t bytes,
                     uint8_t *to);

/* Turn until nothing more is handed out. */
void engine_rig_turn(struct engine_rig *rig);
/* The queue works up to command `number` (at most what it has), then the engine is told. No turn.
 */
void engine_rig_work(struct engine_rig *rig, uint32_t lane, uint64_t number);
/* The device is lost with all that its memory held. No turn. */
void engine_rig_lose(struct engine_rig *rig, uint32_t device);
/* Everything, with turns, until no queue has anything left. */
void engine_rig_finish(struct engine_rig *rig);

fgpu_task_state engine_rig_state(const struct engine_rig *rig, uint32_t task);

#endif
