/* The gate of a power cap: a task starts only where no window of 100 ms can exceed the cap.
 *
 * The driver says what each lane draws beyond idle while it computes, and for how long a task can
 * run there at most; the latter may be "who knows" (POWER_FOREVER). From the draws of the last 100
 * ms and the worst case of what runs follows exactly what may start, see power.c. Only drivers that
 * know all that switch it on: the simulator. Under the engine's lock.
 */
#ifndef FASTGPU_CORE_POWER_H
#define FASTGPU_CORE_POWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bitset.h"
#include "base/vec.h"

#define POWER_WINDOW_NS UINT64_C(100000000)
#define POWER_FOREVER UINT64_MAX

struct engine;
struct lane;
struct task;

struct power_config {
    double idle_watt;         /* of the whole machine */
    double cap_watt;          /* of the whole machine */
    const double *extra_watt; /* [device]: a lane of it that computes, beyond idle */
    /* How long the task can run on the device at most, from the moment when it is handed out. */
    uint64_t (*most_ns)(const void *user, uint32_t device, uint32_t task);
    const void *user;
};

/* What a lane draws until it is known to have ended. */
struct power_run {
    uint64_t most_ns; /* it has ended by then */
    double watt;
    uint32_t lane;
};

#define POWER_PARTS 128u                              /* of a window */
#define POWER_PART_NS (POWER_WINDOW_NS / POWER_PARTS) /* without a rest */
#define POWER_AHEAD (2 * POWER_PARTS + 4)             /* parts that are looked at */
#define POWER_DENIALS 8u

/* Nobody who draws as much for as long may start before: as long as nothing changes. */
struct power_denial {
    double watt;
    uint64_t most_ns, when_ns;
};

struct power {
    double budget_watt; /* beyond idle */
    double now_watt;    /* beyond idle */
    uint64_t over_ns;   /* it drew more than the budget until then; 0: never yet */
    uint64_t wake_ns;   /* a lane that is held may start then; POWER_FOREVER: at an end */
    uint64_t known_ns;  /* `past` is known until then */
    uint64_t asked_ns;  /* when `denials` were said */
    uint32_t denial_count;
    uint32_t from; /* of the lanes that are held, the first to try again */
    uint32_t device_count;
    double *extra_watt;           /* [device] */
    double past[POWER_PARTS + 1]; /* watt ns drawn in each part, by its number modulo that */
    double ahead[POWER_AHEAD];    /* scratch: watt ns from now to the beginning of each part */
    struct power_denial denials[POWER_DENIALS];
    struct vec runs; /* struct power_run, by most_ns */
    struct bitset held;
    uint64_t (*most_ns)(const void *user, uint32_t device, uint32_t task);
    const void *user;
};

/* [in] config: NULL for no cap. False without memory. */
bool power_init(struct engine *engine, const struct power_config *config);
void power_fini(struct engine *engine);

/* The task could never run on the device, even alone. */
bool power_forbids(const struct engine *engine, const struct task *task, uint32_t device);

/* May the task start on the lane now? If not the lane is held until that may have changed. */
bool power_admits(struct engine *engine, struct lane *lane, const struct task *task);

/* It has been handed out; it has ended, or its device is gone. */
void power_start(struct engine *engine, const struct lane *lane, const struct task *task);
void power_end(struct engine *engine, const struct lane *lane);

/* A turn begins: lanes that are held may try again. */
void power_turn(struct engine *engine);

#endif
