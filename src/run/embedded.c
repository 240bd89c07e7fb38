/* The embedded driver's crank: submit, pump, wait, and the progress thread.
 *
 * Takes requests from any thread, feeds the engine, hands commands to devices. Keeps true, with two
 * pairs of flags that each side sets before it reads the other's (all sequentially consistent):
 * - queued / busy: a submitter that finds the pool busy may leave its task in the inbox, because
 * whoever makes it idle looks at `queued` afterwards.
 * - standby / (helpers, busy): the progress thread leaves the bell to a thread that waits, and is
 * called back when the last of these goes while something is in flight.
 * Where tasks are long, a thread of the cpu device that has ended one turns the crank itself when
 * nobody else does: its core is awake, and to wake another one for it would interrupt a task there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/futex.h"
#include "base/role.h"
#include "core/overdue.h"
#include "run/driver.h"

#define EMBEDDED_BATCH_SLOW 1024u /* the same where handing out takes long */
#define EMBEDDED_SLOW_NS 600u     /* a command that takes longer to hand out does */
#define EMBEDDED_MEASURED 16u     /* in fewer commands the call itself weighs too much */
#define EMBEDDED_SHORT_NS 2000u   /* tasks that run shorter than that are many and end soon */
#define EMBEDDED_SOON 4u          /* commands in flight that may end within the spinning time */
#define EMBEDDED_LONG_NS (2u * LIMITS_SPIN_NS) /* a task of which that is not to be expected */
#define EMBEDDED_LOOKS 8u /* of a device's thread before it leaves the rest to others */
#define EMBEDDED_SERVED 3u
#define EMBEDDED_NAP_NS 50000
#define EMBEDDED_FLOW_NAP_NS 150000
#define EMBEDDED_FLOW_SOON_NS 1000000u
#define EMBEDDED_FLOW_PUMPS 16u   /* of submitters in a row, each soon after the one before */
#define EMBEDDED_RETRY_NS 200000u /* when a device takes nothing though it is idle */

/* Tasks pushed since somebody last drained. */
static uint32_t embedded_queued(const struct driver *driver)
{
    return inbox_count(&driver->engine.inbox);
}

/* ---- pumping ---------------------------------------------------------------------------- */

/* The device has reported an error. Its queues are closed first: afterwards nothing of it touches a
 * command's body any more, so that the engine may hand the same task to another device. */
static void embedded_lose(struct driver *driver, uint32_t index, fgpu_status status)
{
    struct device *device = &driver->devices[index];
    const struct engine_device *engine_device = &driver->engine.devices[index];
    char reason[128] = "";
    if (driver->serving) { /* the calling thread may be one that closing would wait for */
        driver->lose_due = true;
        return;
    }
    if (status == FGPU_OK)
        (void)snprintf(reason, sizeof reason, "copies to and from it fail again and again");
    else
        device_reason(device, reason, sizeof reason);
    for (uint32_t i = 0; i < engine_lanes_of(engine_device); i++) {
        struct device_queue *queue = &driver->queues[engine_device->lane_first + i];
        device_queue_close(queue);
        queue->finished = queue->accepted = 0;
    }
    engine_device_lost(&driver->engine, index, reason[0] ? reason : fgpu_status_text(status));
}

static bool embedded_poll(struct driver *driver)
{
    struct engine *engine = &driver->engine;
    bool any = false;
    for (uint32_t i = 0; i < engine->lane_count; i++) {
        struct lane *lane = &engine->lanes[i];
        struct device_queue *queue = &driver->queues[i];
        if (queue->finished == queue->accepted || engine->devices[lane->device].lost)
            continue;
        uint64_t before = queue->finished;
        fgpu_status status = device_poll(queue);
        if (queue->finished != before) {
            if (driver->trace.on) /* nothing is told to have ended before it has */
                engine_clock(engine, clock_now_ns());
            engine_progress(engine, i, queue->finished);
            any = true;
        }
        if (status != FGPU_OK || engine_device_fails(engine, lane->device)) {
            embedded_lose(driver, lane->device, status);
            any |= !driver->serving;
        }
    }
    return any;
}

/* Hands a lane's commands to its device. How long that takes decides who does it: where it takes
 * longer than submitting (an OpenCL call for each command), submitting and handing out are better
 * done by two threads at the same time; where it does not, by one, which has the tasks in its
 * cache. */
static uint32_t embedded_give(struct driver *driver, uint32_t index)
{
    const struct lane *lane = &driver->engine.lanes[index];
    fgpu_cmd *first = (fgpu_cmd *)(void *)lane->commands.items;
    uint32_t count = (uint32_t)lane->commands.count;
    if (lane->flight_ns > lane->flight_tasks * (uint64_t)EMBEDDED_SHORT_NS) {
        driver->flow_pumps = 0;
    } else if (driver->submits && atomic_load_relaxed_u32(&driver->flow)) {
        first[count - 1].flags |= FGPU_CMD_LAZY;
        driver->dozes = true;
    }
    if (count < EMBEDDED_MEASURED)
        return device_submit(&driver->queues[index], first, count);
    uint64_t begin_ns = clock_now_ns();
    uint32_t taken = device_submit(&driver->queues[index], first, count);
    if (taken > 0) {
        uint64_t each_ns = (clock_now_ns() - begin_ns) / taken;
        driver->give_ns = (3 * driver->give_ns + (each_ns < 100000 ? each_ns : 100000)) / 4;
        atomic_store_relaxed_u32(&driver->batch, driver->give_ns > EMBEDDED_SLOW_NS
                                                     ? EMBEDDED_BATCH_SLOW
                                                     : DRIVER_BATCH);
    }
    return taken;
}

static bool embedded_hand_out(struct driver *driver)
{
    struct engine *engine = &driver->engine;
    bool any = false;
    bool stuck = false;
    if (engine->guards.count > 0)
        driver_tell_guards(driver);
    if (!engine->has_commands)
        return false;
    for (uint32_t i = 0; i < engine->lane_count; i++) {
        struct vec *commands = &engine->lanes[i].commands;
        if (commands->count == 0)
            continue;
        struct device_queue *queue = &driver->queues[i];
        uint32_t taken = embedded_give(driver, i);
        any |= taken > 0;
        if (taken == commands->count) {
            vec_clear(commands);
            bitset_remove(&engine->loaded, i);
            continue;
        }
        if (taken > 0) {
            commands->count -= taken;
            memmove(commands->items, commands->items + taken * sizeof(fgpu_cmd),
                    commands->count * sizeof(fgpu_cmd));
        } else if (queue->finished == queue->accepted) {
            fgpu_status status = device_poll(queue);
            if (status != FGPU_OK) {
                embedded_lose(driver, engine->lanes[i].device, status);
                any |= !driver->serving;
                stuck |= driver->serving;
                continue;
            }
        }
        stuck = true;
    }
    engine->has_commands = stuck;
    atomic_store_relaxed_u32(&driver->stuck, stuck);
    driver->stuck_told &= stuck; /* a waiter may see its end before the pump's: he is told again */
    return any;
}

/* Somebody waits: what devices were told to take their time for is to begin. */
static void embedded_rouse(struct driver *driver)
{
    driver->dozes = false;
    for (uint32_t i = 0; i < driver->engine.lane_count; i++) {
        struct device_queue *queue = &driver->queues[i];
        if (queue->finished != queue->accepted &&
            !driver->engine.devices[driver->engine.lanes[i].device].lost)
            (void)device_submit(queue, NULL, 0);
    }
}

/* Where tiny tasks stream in, a device that is idle has only been faster than they come. To wake it
 * for each of them would cost more than they do: the pool counts as busy, so that they are taken in
 * batches, and the progress thread watches for the end of the stream. */
static void embedded_follow_flow(struct driver *driver)
{
    uint64_t now_ns = driver->engine.now_ns;
    if (!driver->submits && atomic_load_relaxed_u32(&driver->helpers) == 0)
        return;
    bool before = atomic_load_relaxed_u32(&driver->flow);
    bool follows = driver->submits && atomic_load_relaxed_u32(&driver->progress_started) &&
                   (before || now_ns - driver->flow_ns < EMBEDDED_FLOW_SOON_NS);
    driver->flow_pumps = follows ? driver->flow_pumps + 1 : 0;
    driver->flow_ns = now_ns;
    bool flow = driver->flow_pumps >= EMBEDDED_FLOW_PUMPS;
    if (flow != before)
        atomic_store_seqcst_u32(&driver->flow, flow);
    driver->flow_begins |= flow && !before;
}

/* Publishes what submitters and waiters go by. Something is idle while something else will be busy
 * for long: then a task must not lie in the inbox until that rings. Behind short tasks it may: they
 * ring soon, which is also what makes a waiter spin. */
static void embedded_publish(struct driver *driver)
{
    uint64_t flight = 0;
    bool idle = false, is_long = false, is_short = false, serves = false;
    for (uint32_t i = 0; i < driver->engine.lane_count; i++) {
        const struct lane *lane = &driver->engine.lanes[i];
        uint64_t commands = driver->queues[i].accepted - driver->queues[i].finished;
        flight += commands;
        idle |= !lane->hidden && lane->issued == lane->done &&
                !driver->engine.devices[lane->device].lost;
        is_long |= lane->flight_ns > LIMITS_SPIN_NS &&
                   lane->flight_ns > lane->flight_tasks * (uint64_t)EMBEDDED_SHORT_NS;
        serves |= lane->flight_ns > lane->flight_tasks * driver->serve_ns;
        is_short |=
            commands > 0 && lane->flight_ns <= lane->flight_tasks * (uint64_t)EMBEDDED_LONG_NS;
    }
    embedded_follow_flow(driver);
    bool busy = flight > 0 || atomic_load_relaxed_u32(&driver->flow) || driver->building > 0 ||
                atomic_load_relaxed_u32(&driver->stuck);
    atomic_store_relaxed_u32(&driver->soon, flight == 0 || (flight <= EMBEDDED_SOON && is_short));
    /* What is long may be stopped for an urgent one. */
    idle |= driver->engine.serve != NULL;
    atomic_store_relaxed_u32(&driver->idle, idle && is_long);
    atomic_store_relaxed_u32(&driver->serves, serves);
    atomic_store_relaxed_u32(&driver->pumps, atomic_load_relaxed_u32(&driver->pumps) + 1);
    atomic_store_seqcst_u32(&driver->busy, busy);
}

static bool embedded_drain(struct driver *driver)
{
    return engine_drain(&driver->engine) > 0;
}

void driver_pump(struct driver *driver)
{
    struct engine *engine = &driver->engine;
    engine_clock(engine, clock_now_ns());
    bool more = true; /* somebody may have used the engine since the last turn */
    for (;;) {
        more |= embedded_drain(driver);
        atomic_store_relaxed_u32(&driver->seen, doorbell_read(&driver->bell));
        more |= embedded_poll(driver);
        more |= driver_feed(driver);
        if (!more)
            break;
        engine_turn(engine);
        bool out = embedded_hand_out(driver);
        if (engine->actions.count > 0)
            out |= driver_act(driver);
        if (out)
            engine_clock(engine, clock_now_ns());
        more = engine->work.count > 0;
        if (atomic_load_relaxed_u32(&driver->wanted) > 0)
            break; /* he goes on */
    }
    if (driver->dozes && atomic_load_relaxed_u32(&driver->helpers) > 0)
        embedded_rouse(driver);
    embedded_publish(driver);
}

/* A task pushed now should not wait for a batch: something is idle that might run it. */
static bool embedded_is_eager(const struct driver *driver)
{
    return atomic_load_seqcst_u32(&driver->idle) || !atomic_load_seqcst_u32(&driver->busy);
}

/* Pump, let go of the lock (held), then tell those who wait what they could not see for themselves:
 * tasks that ended, a device that has to be asked again, and rings during the pump. A waiter that
 * found the lock taken has read the bell perhaps after such a ring, but nobody has looked at the
 * device since. `self` is 1 for a helper. True: look again at what was pushed meanwhile. */
static bool embedded_pump_and_unlock(struct driver *driver, uint32_t self)
{
    atomic_store_seqcst_u32(&driver->pumping, 1);
    driver_pump(driver);
    driver->submits = false;
    atomic_store_seqcst_u32(&driver->pumping, 0);
    uint32_t seen = atomic_load_relaxed_u32(&driver->seen);
    uint32_t stuck = atomic_load_relaxed_u32(&driver->stuck);
    bool news = driver->engine.wakes != driver->wakes_told || (stuck && !driver->stuck_told);
    driver->wakes_told = driver->engine.wakes;
    driver->stuck_told = stuck;
    bool begins = driver->flow_begins; /* the progress thread has to know */
    driver->flow_begins = false;
    lock_release(&driver->lock);
    atomic_fence_seqcst();
    uint32_t queued = embedded_queued(driver);
    bool rang = begins || doorbell_read(&driver->bell) != seen;
    if (atomic_load_seqcst_u32(&driver->helpers) > self && (news || queued > 0 || rang))
        doorbell_ring(&driver->bell);
    else if (rang)
        doorbell_wake(&driver->bell);
    return queued >= atomic_load_relaxed_u32(&driver->batch) ||
           (queued > 0 && embedded_is_eager(driver));
}

/* One look of a device's thread, with the lock held, which is free afterwards. Waiters are woken
 * only for what concerns them: hasty ones for each task that ends, others when the last has. True:
 * look again. */
static bool embedded_serve_once(struct driver *driver)
{
    struct engine *engine = &driver->engine;
    atomic_store_seqcst_u32(&driver->pumping, 1);
    driver->serving = true;
    driver_pump(driver);
    driver->serving = false;
    atomic_store_seqcst_u32(&driver->pumping, 0);
    uint32_t seen = atomic_load_relaxed_u32(&driver->seen);
    uint32_t stuck = atomic_load_relaxed_u32(&driver->stuck);
    bool is_over = engine->pending_tasks <= engine->held_maps;
    bool ended = engine->wakes != driver->wakes_told;
    bool tell = driver->lose_due || (stuck && !driver->stuck_told);
    driver->lose_due = false;
    driver->stuck_told = stuck;
    atomic_fence_seqcst();
    tell |= ended && (is_over || atomic_load_seqcst_u32(&driver->hasty) > 0);
    if (tell)
        driver->wakes_told = engine->wakes;
    lock_release(&driver->lock);
    atomic_fence_seqcst();
    if (tell)
        doorbell_ring(&driver->bell);
    uint32_t queued = embedded_queued(driver);
    return doorbell_read(&driver->bell) != seen + tell ||
           queued >= atomic_load_relaxed_u32(&driver->batch) ||
           (queued > 0 && embedded_is_eager(driver));
}

/* False where others have to be told. */
static bool embedded_serve(struct driver *driver)
{
    for (uint32_t i = 0; i < EMBEDDED_LOOKS; i++) {
        if (!atomic_load_relaxed_u32(&driver->serves) || !lock_try(&driver->lock))
            return false;
        if (atomic_load_relaxed_u32(&driver->closing)) {
            lock_release(&driver->lock);
            return false;
        }
        if (!embedded_serve_once(driver))
            return true;
    }
    return false;
}

/* While somebody pumps he needs no help: he counts the rings after the last poll. */
void driver_ring(void *arg)
{
    struct driver *driver = arg;
    if (role_now == ROLE_TASK && embedded_serve(driver))
        return;
    if (doorbell_count(&driver->bell) && !atomic_load_seqcst_u32(&driver->pumping))
        doorbell_wake(&driver->bell);
}

/* Pump unless somebody else is at it; he will see what was queued before. */
static void embedded_try_pump(struct driver *driver, uint32_t self)
{
    do {
        if (!lock_try(&driver->lock))
            return;
    } while (embedded_pump_and_unlock(driver, self));
}

/* The same for a submitter who has queued many: he waits for his turn. */
static void embedded_submit_pump(struct driver *driver, uint32_t queued)
{
    if (!lock_try(&driver->lock)) {
        /* Not a device's thread: the lock's holder may be waiting for that. */
        if (queued < 8 * atomic_load_relaxed_u32(&driver->batch) || role_now != ROLE_USER)
            return;
        (void)atomic_add_seqcst_u32(&driver->wanted, 1);
        lock_acquire(&driver->lock);
        (void)atomic_sub_seqcst_u32(&driver->wanted, 1);
    }
    driver->submits = atomic_load_relaxed_u32(&driver->helpers) == 0;
    if (embedded_pump_and_unlock(driver, 0))
        embedded_try_pump(driver, 0);
}

/* The progress thread is called back when it left the bell to helpers and none is there. */
static void embedded_call_back(struct driver *driver)
{
    if (atomic_load_seqcst_u32(&driver->standby) == 0 ||
        atomic_load_seqcst_u32(&driver->helpers) > 0 || !atomic_load_seqcst_u32(&driver->busy))
        return;
    if (atomic_exchange_seqcst_u32(&driver->standby, 0) != 0)
        (void)futex_wake(&driver->standby, 1);
}

void driver_enter(struct driver *driver)
{
    lock_acquire(&driver->lock);
    engine_clock(&driver->engine, clock_now_ns());
    (void)engine_drain(&driver->engine);
}

void driver_leave(struct driver *driver)
{
    if (embedded_pump_and_unlock(driver, 0))
        embedded_try_pump(driver, 0);
    embedded_call_back(driver);
}

/* ---- the progress thread ---------------------------------------------------------------- */

/* What the progress thread remembers of its last looks. */
struct embedded_served {
    uint32_t pumps;
    uint32_t times; /* in a row that somebody else had answered the bell */
};

static void embedded_stand_by(struct driver *driver)
{
    atomic_store_seqcst_u32(&driver->standby, 1);
    if (atomic_load_seqcst_u32(&driver->helpers) == 0 || atomic_load_seqcst_u32(&driver->closing)) {
        atomic_store_seqcst_u32(&driver->standby, 0);
        return;
    }
    if (embedded_queued(driver) > 0)
        doorbell_ring(&driver->bell); /* the helpers' now */
    (void)futex_wait(&driver->standby, 1, -1);
    atomic_store_seqcst_u32(&driver->standby, 0);
}

/* A submitter that goes on submitting answers the bell on his way, and his core has the tasks in
 * its cache. When he was faster several times in a row it is enough to look from time to time
 * whether he still is. */
static bool embedded_is_served(struct driver *driver, struct embedded_served *served)
{
    uint32_t pumps = atomic_load_seqcst_u32(&driver->pumps);
    if (pumps == served->pumps ||
        doorbell_read(&driver->bell) != atomic_load_seqcst_u32(&driver->seen)) {
        served->times = 0;
        return false;
    }
    served->pumps = pumps;
    return ++served->times >= EMBEDDED_SERVED;
}

/* The stream of tiny tasks may have ended: then nobody else would look at the last ones. */
static void embedded_watch_flow(struct driver *driver)
{
    uint32_t pumps = atomic_load_seqcst_u32(&driver->pumps);
    (void)futex_wait(&driver->closing, 0, EMBEDDED_FLOW_NAP_NS);
    if (pumps != atomic_load_seqcst_u32(&driver->pumps) || !lock_try(&driver->lock))
        return; /* somebody is at it */
    if (pumps != atomic_load_relaxed_u32(&driver->pumps)) {
        lock_release(&driver->lock);
        return;
    }
    atomic_store_relaxed_u32(&driver->flow, 0);
    driver->flow_pumps = 0;
    (void)embedded_pump_and_unlock(driver, 0); /* the loop looks again */
}

/* A submitter in full flow can turn the crank himself, once he finds the lock free; where handing
 * out takes long this thread does it beside him. */
static void embedded_leave_it(struct driver *driver)
{
    if (atomic_load_relaxed_u32(&driver->batch) == DRIVER_BATCH)
        (void)futex_wait(&driver->closing, 0, EMBEDDED_NAP_NS);
}

/* When to look again though nothing has rung: the device may take commands then; or a task may have
 * become overdue. */
static uint64_t embedded_look_ns(const struct driver *driver, bool stuck)
{
    if (stuck)
        return clock_now_ns() + EMBEDDED_RETRY_NS;
    return atomic_load_relaxed_u32(&driver->busy) ? clock_now_ns() + OVERDUE_LOOK_NS
                                                  : DOORBELL_FOREVER;
}

static void *embedded_progress(void *arg)
{
    struct driver *driver = arg;
    struct embedded_served served = {0};
    while (!atomic_load_seqcst_u32(&driver->closing)) {
        if (atomic_load_seqcst_u32(&driver->helpers) > 0) {
            embedded_stand_by(driver);
            continue;
        }
        uint32_t seen = doorbell_read(&driver->bell);
        if (atomic_load_seqcst_u32(&driver->flow)) {
            embedded_watch_flow(driver);
            continue;
        }
        if (embedded_is_served(driver, &served)) {
            (void)futex_wait(&driver->closing, 0, EMBEDDED_NAP_NS);
            continue;
        }
        lock_acquire(&driver->lock);
        if (embedded_pump_and_unlock(driver, 0)) {
            embedded_leave_it(driver);
            continue;
        }
        served.pumps = atomic_load_seqcst_u32(&driver->pumps);
        bool stuck = atomic_load_relaxed_u32(&driver->stuck);
        if (atomic_load_seqcst_u32(&driver->closing))
            break;
        (void)doorbell_wait(&driver->bell, seen, 0, embedded_look_ns(driver, stuck));
    }
    return NULL;
}

void driver_start(struct driver *driver)
{
    lock_acquire(&driver->lock);
    if (!atomic_load_relaxed_u32(&driver->progress_started)) {
        fgpu_status status =
            driver_thread(&driver->progress, "fgpu-progress", embedded_progress, driver);
        atomic_store_release_u32(&driver->progress_started, status == FGPU_OK);
        if (status != FGPU_OK)
            LOG_WARN(&driver->log, "run",
                     "no progress thread: tasks move only while somebody waits");
    }
    lock_release(&driver->lock);
}

/* ---- submitting ------------------------------------------------------------------------- */

struct embedded_room {
    const struct submit_request *request;
    uint32_t *index, *generation;
    fgpu_status status;
};

static bool embedded_has_room(struct driver *driver, void *user)
{
    struct embedded_room *room = user;
    room->status = submit_prepare(&driver->engine, room->request, room->index, room->generation);
    if (room->status != FGPU_E_AGAIN)
        return true;
    driver_enter(driver);
    bool all_failed = driver->engine.pending_tasks == 0 && inbox_is_empty(&driver->engine.inbox) &&
                      atomic_load_seqcst_u32(&driver->callbacks.out) == 0;
    driver_leave(driver);
    if (all_failed) {
        room->status =
            submit_prepare(&driver->engine, room->request, room->index, room->generation);
        if (room->status == FGPU_E_AGAIN)
            room->status =
                error_set(FGPU_E_LIMIT,
                          "all %u task records are held by failed tasks: ask about them and "
                          "call fgpu_task_forget",
                          driver->engine.task_limit);
        return true;
    }
    return false;
}

static fgpu_status embedded_submit_full(struct driver *driver, const struct submit_request *request,
                                        uint32_t *index, uint32_t *generation)
{
    if (driver->nowait || role_now != ROLE_USER)
        return error_set(FGPU_E_AGAIN, "the pool has %u pending tasks, its limit",
                         driver->engine.task_limit);
    struct embedded_room room = {request, index, generation, FGPU_E_AGAIN};
    (void)driver_wait(driver, embedded_has_room, &room, UINT64_MAX);
    return room.status;
}

fgpu_status driver_submit(struct driver *driver, const struct submit_request *request,
                          uint32_t *index, uint32_t *generation)
{
    fgpu_status status = FGPU_OK;
    if (request->on_done != NULL && !atomic_load_acquire_u32(&driver->callbacks.started))
        status = callback_start(driver);
    if (__builtin_expect(status != FGPU_OK, 0))
        return status;
    status = submit_prepare(&driver->engine, request, index, generation);
    if (__builtin_expect(status == FGPU_E_AGAIN, 0))
        status = embedded_submit_full(driver, request, index, generation);
    if (status == FGPU_E_NOMEM)
        return error_set(status, "no memory for a task with %u arguments", request->arg_count);
    if (status != FGPU_OK)
        return status;
    driver_push(driver, *index, request->kind);
    return FGPU_OK;
}

void driver_push(struct driver *driver, uint32_t index, uint8_t kind)
{
    /* Also on a busy pool: whoever made it so may leave before the task has ended. */
    if (__builtin_expect(!atomic_load_acquire_u32(&driver->progress_started), 0))
        driver_start(driver);
    uint32_t queued = submit_push(&driver->engine, index);
    uint32_t batch = atomic_load_relaxed_u32(&driver->batch);
    bool rang = queued >= batch / 4 &&
                doorbell_read(&driver->bell) != atomic_load_relaxed_u32(&driver->seen);
    if (rang || queued >= batch || kind == TASK_HOST || embedded_is_eager(driver)) {
        embedded_submit_pump(driver, queued);
        embedded_call_back(driver);
    }
}

/* ---- waiting ---------------------------------------------------------------------------- */

static fgpu_status embedded_wait(struct driver *driver, driver_done_fn done, void *user,
                                 uint64_t deadline_ns)
{
    fgpu_status status = FGPU_OK;
    (void)atomic_add_seqcst_u32(&driver->helpers, 1);
    for (;;) {
        uint32_t seen = doorbell_read(&driver->bell);
        if (done(driver, user))
            break;
        embedded_try_pump(driver, 1);
        if (done(driver, user))
            break;
        uint64_t until_ns = deadline_ns;
        bool stuck = atomic_load_relaxed_u32(&driver->stuck);
        uint64_t now_ns = clock_now_ns();
        if (now_ns >= deadline_ns) {
            status = FGPU_E_TIMEOUT;
            break;
        }
        uint64_t look_ns = stuck ? EMBEDDED_RETRY_NS : OVERDUE_LOOK_NS;
        if (now_ns + look_ns < until_ns)
            until_ns = now_ns + look_ns;
        /* Spinning is for answers that come at once; behind a long queue or long tasks it would
         * only take a core from a CPU device. */
        bool soon = atomic_load_relaxed_u32(&driver->soon);
        (void)doorbell_wait(&driver->bell, seen, soon ? LIMITS_SPIN_NS : 0, until_ns);
    }
    (void)atomic_sub_seqcst_u32(&driver->helpers, 1);
    /* `done` may have held the lock without pumping, and kept a submitter from it. */
    if (embedded_queued(driver) > 0 && !atomic_load_seqcst_u32(&driver->busy))
        embedded_try_pump(driver, 0);
    embedded_call_back(driver);
    return status;
}

fgpu_status driver_wait(struct driver *driver, driver_done_fn done, void *user,
                        uint64_t deadline_ns)
{
    (void)atomic_add_seqcst_u32(&driver->hasty, 1);
    fgpu_status status = embedded_wait(driver, done, user, deadline_ns);
    (void)atomic_sub_seqcst_u32(&driver->hasty, 1);
    return status;
}

fgpu_status driver_wait_all(struct driver *driver, driver_done_fn done, void *user,
                            uint64_t deadline_ns)
{
    return embedded_wait(driver, done, user, deadline_ns);
}
