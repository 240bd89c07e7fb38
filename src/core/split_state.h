/* Tasks in pieces, and the devices that share them: between split.c and split_share.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_SPLIT_STATE_H
#define FASTGPU_CORE_SPLIT_STATE_H

#include "core/split.h"
#include "core/split_range.h"

#define SPLIT_DEVICES 64u /* of more, the first ones; lanes too */

/* Of one device. */
struct split_share {
    uint32_t device;
    uint8_t refused;     /* it has no memory for the data */
    uint8_t fed;         /* has had a piece */
    uint64_t begin, end; /* units of its share that nobody has */
    double rate;         /* units per ns of a lane; 0: unknown */
    double before;       /* what the piece before the last one told */
    double copy_ns;      /* per unit, until its data are there */
    double fixed_ns;     /* until the data are there that all pieces need */
};

/* A task in pieces. */
struct split_open {
    uint32_t task;
    uint16_t home;    /* the lane that runs all of it but what others take; TASK_LANE_NONE */
    uint64_t held_ns; /* of that lane's backlog: what is left for it */
    uint32_t live;    /* pieces that have not ended */
    uint64_t left;    /* units that nobody has */
    uint64_t done;    /* units that were run */
    uint32_t given;   /* pieces so far */
    struct split_grid grid;
    uint32_t share_count;
    struct split_share shares[SPLIT_DEVICES];
    struct vec loose; /* struct split_units: given back */
};

struct split {
    struct vec open;  /* struct split_open * */
    struct vec slots; /* uint32_t: of the task table; one for a piece that finds it full */
};

/* A lane that could take pieces. */
struct split_lane {
    const struct lane *lane;
    struct split_share *share;
    double rate;     /* units per ns, copies included */
    double ready_ns; /* until it could begin with more */
};

/* The device takes pieces now, or will when the kernel is compiled for it: *later. */
bool split_usable(struct engine *engine, const struct split_open *open,
                  const struct split_share *share, bool *later);

/* Adds a device, with what is known of it before it has run a piece. [in] lanes: of all. */
void split_share_init(struct engine *engine, struct split_open *open, const struct task *task,
                      uint32_t index, uint32_t lanes);

/* Best use of cores first, so that devices that share them leave them to the better ones. */
void split_sort(const struct engine *engine, struct split_open *open);

/* The lanes that work on the task, as far as their speed is known. Returns how many. */
uint32_t split_lanes(struct engine *engine, struct split_open *open, struct split_lane *lanes,
                     uint32_t most);

/* When all of `units` would be done if the lanes, but `without`, ended at the same time. */
double split_end_ns(const struct split_lane *lanes, uint32_t count, uint64_t units,
                    const struct lane *without);

/* Is the task better run in pieces? */
bool split_pays(struct engine *engine, struct split_open *open, const struct task *task);

/* A piece of at most `size` units, PLACED on the lane. NULL without memory. */
struct task *split_give(struct engine *engine, struct split_open *open, struct split_share *share,
                        const struct lane *lane, uint64_t size);

/* Others have taken the cores that the lane would compute with. */
bool split_cores_taken(const struct engine *engine, const struct lane *mine);

/* Nothing of it runs, and nothing can: without a piece it would wait for ever. */
void split_stuck(struct engine *engine, struct split_open *open, fgpu_status status);

/* NULL: the task is not run in pieces. */
struct split_open *split_of(const struct engine *engine, uint32_t task);

/* Units per ns of a lane, copies included; the rate is known. */
double split_share_rate(const struct engine *engine, const struct split_share *share);

/* ---- split_home.c: a task that one lane runs, and of which idle ones take what is left ------- */

/* Does the lane know what it is in for, and is there another that could help? */
bool split_home_pays(struct engine *engine, struct split_open *open, const struct lane *lane);

/* All of it is the lane's; it counts there as placed. */
void split_home_enter(struct engine *engine, struct split_open *open, struct lane *lane);

/* The next piece for the home lane; NULL: not now, or it has none any more. */
struct task *split_home_feed(struct engine *engine, struct split_open *open);

/* What is left has changed: so much counts as placed there. */
void split_home_held(struct engine *engine, struct split_open *open);

/* What is left is anybody's. */
void split_home_leave(struct engine *engine, struct split_open *open);

/* Everything is shared out; devices that nobody knows take from the others. */
void split_share_out(struct engine *engine, struct split_open *open);

#endif
