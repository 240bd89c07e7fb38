/* Divisible tasks that one lane runs, and what others take over of them.
 *
 * Where all lanes have something to do, a divisible task goes to one of them, as the plan or the
 * policy says, but its pieces go out one after the other: what has not begun is anybody's. A lane
 * that has nothing left to do takes from the back of it what ends sooner with its help, so that
 * both end at the same time, data on their way included; measured speeds put right what was
 * wrongly foreseen, piece by piece. This is the spoliation of E. Agullo et al. (CCPE 28(9), 2016)
 * and O. Beaumont et al. (IPDPS 2017), but work that was done is not thrown away, nor done again:
 * only work groups that nobody has begun change hands.
 *
 * A lane's pieces are an eighth of what is left, or as much as runs before any other lane could
 * help. What is left counts as placed on the lane, which takes nothing else meanwhile. Runs under
 * the engine's lock. Keeps true: lane->homes and home_ns, and their part of its backlog, are those
 * of the tasks whose `home` it is.
 */
#include "core/lane.h"
#include "core/sched.h"
#include "core/split_state.h"

#define HOME_PART 8.0  /* a piece is so much of what is left */
#define HOME_GRAIN 64u /* ... in whole parts of the task: data have a border for each, at most */
#define HOME_FLIGHT 2u /* pieces on a lane: one runs, one waits */
#define HOME_GAIN 0.8  /* with all that can help it takes at most so much of what is left */
#define HOME_HELP_PART 2.0 /* who helps takes half of his part first, to be measured */

/* ---- the lane whose task it is ---------------------------------------------------------- */

static struct split_share *home_share(struct split_open *open, uint32_t device)
{
    for (uint32_t s = 0; s < open->share_count; s++)
        if (open->shares[s].device == device)
            return &open->shares[s];
    return NULL;
}

/* When another lane that could help has nothing else to do. */
static double home_free_ns(struct engine *engine, struct split_open *open, const struct lane *home)
{
    double least_ns = 1e300;
    bool later;
    for (uint32_t s = 0; s < open->share_count; s++) {
        const struct engine_device *device = &engine->devices[open->shares[s].device];
        if (!split_usable(engine, open, &open->shares[s], &later))
            continue;
        for (uint32_t i = 0; i < device->lane_count; i++) {
            const struct lane *lane = engine_lane(engine, device->lane_first + i);
            double ns = (double)(sched_flight_ns(engine, lane) + lane->backlog_ns);
            if (lane != home && ns < least_ns)
                least_ns = ns;
        }
    }
    return least_ns;
}

bool split_home_pays(struct engine *engine, struct split_open *open, const struct lane *lane)
{
    const struct split_share *share = home_share(open, lane->device);
    bool later = false;
    return share != NULL && share->rate > 0 && split_usable(engine, open, share, &later) &&
           home_free_ns(engine, open, lane) < 1e300;
}

void split_home_enter(struct engine *engine, struct split_open *open, struct lane *lane)
{
    uint64_t at = 0;
    for (uint32_t s = 0; s < open->share_count; s++) {
        bool own = open->shares[s].device == lane->device;
        open->shares[s].begin = at;
        at = own ? open->grid.units : at;
        open->shares[s].end = at;
    }
    open->home = lane->index;
    engine->help_due = true;
    lane->homes++;
    lane->backlog_count++;
    split_home_held(engine, open);
}

void split_home_leave(struct engine *engine, struct split_open *open)
{
    if (open->home == TASK_LANE_NONE)
        return;
    struct lane *lane = engine_lane(engine, open->home);
    open->home = TASK_LANE_NONE;
    lane->homes--;
    lane->backlog_count--;
    lane->backlog_ns -= open->held_ns;
    lane->home_ns -= open->held_ns;
    open->held_ns = 0;
    bitset_add(&engine->due, lane->index);
    sched_update_hunger(engine, lane);
}

void split_home_held(struct engine *engine, struct split_open *open)
{
    if (open->home == TASK_LANE_NONE)
        return;
    struct lane *lane = engine_lane(engine, open->home);
    const struct split_share *share = home_share(open, lane->device);
    double ns = share->rate > 0 ? (double)open->left / share->rate : 0;
    uint64_t held_ns = ns < 1e15 ? (uint64_t)ns : UINT64_C(1000000000000000);
    if (open->left == 0) {
        split_home_leave(engine, open);
        return;
    }
    lane->backlog_ns += held_ns - open->held_ns;
    lane->home_ns += held_ns - open->held_ns;
    open->held_ns = held_ns;
    sched_update_hunger(engine, lane);
}

uint64_t split_left_ns(const struct engine *engine, const struct task *task)
{
    const struct split_open *open = split_of(engine, task->self);
    if (open == NULL || open->home == TASK_LANE_NONE)
        return 0;
    return sched_flight_ns(engine, engine_lane(engine, open->home)) + open->held_ns;
}

uint32_t split_homes(const struct engine *engine)
{
    uint32_t count = 0;
    for (size_t i = 0; i < engine->split->open.count; i++) {
        const struct split_open *open = *(struct split_open **)vec_at(&engine->split->open, i);
        count += open->home != TASK_LANE_NONE;
    }
    return count;
}

/* How much the lane should have at once: units. */
static uint64_t home_size(struct engine *engine, struct split_open *open, const struct lane *lane,
                          double rate)
{
    double left = (double)open->left, least = split_tuning.least_ns * rate, units;
    uint64_t grain = open->grid.units / HOME_GRAIN + 1;
    double free_ns = engine->idle > 0 ? 0 : home_free_ns(engine, open, lane) / 2;
    units = left / HOME_PART;
    units = units > least ? units : least;
    units = units > free_ns * rate ? units : free_ns * rate;
    if (left - units < least)
        return open->left;
    uint64_t size = ((uint64_t)units + grain - 1) / grain * grain;
    return size < open->left ? (size > 0 ? size : 1) : open->left;
}

struct task *split_home_feed(struct engine *engine, struct split_open *open)
{
    const struct lane *lane = engine_lane(engine, open->home);
    struct split_share *share = home_share(open, lane->device);
    bool later = false;
    if (!split_usable(engine, open, share, &later) || share->rate <= 0) {
        split_home_leave(engine, open);
        return NULL;
    }
    if (lane->done < lane->suspect || lane->flight_hosts > 0 || lane_room(lane) < 16 ||
        lane->flight_tasks + lane->moving >= HOME_FLIGHT)
        return NULL;
    struct task *piece =
        split_give(engine, open, share, lane, home_size(engine, open, lane, share->rate));
    if (piece == NULL && open->live == 0)
        split_stuck(engine, open, FGPU_E_NOMEM);
    return piece;
}

/* ---- others that help ------------------------------------------------------------------- */

/* Has the lane nothing but a piece of this task to do? */
static bool home_can_help(const struct engine *engine, const struct split_share *share,
                          const struct lane *lane)
{
    bool waits = lane->idle || (share->fed && lane->flight_tasks < HOME_FLIGHT &&
                                lane->backlog_count == 0 && !lane->rests && !lane->hidden);
    return waits && lane->chain_head == TASK_NONE && lane->done >= lane->suspect &&
           lane->flight_hosts == 0 && lane_room(lane) >= 16 && !split_cores_taken(engine, lane);
}

/* Who does what of what is left, and when that ends. */
struct home_help {
    struct split_lane lanes[SPLIT_DEVICES]; /* the first one is the home */
    uint32_t count;
    double alone_ns; /* when the home would end by itself */
};

/* What it takes to bring the results of a unit to where the rest of them is. */
static double home_back_ns(const struct engine *engine, const struct split_open *open,
                           uint32_t device)
{
    const struct task *task = engine_task(engine, open->task);
    uint32_t from = engine->devices[device].node;
    uint32_t to = engine->devices[engine_lane(engine, open->home)->device].node;
    double ns = 0;
    for (uint32_t i = 0; i < task->access_count && from != to; i++) {
        const struct task_access *access = &task_accesses(task)[i];
        if (access->mode & FGPU_WRITE)
            ns += (double)engine_copy_ns(engine, from, to, access->end - access->begin);
    }
    return ns / (double)open->grid.units;
}

static double home_help_rate(const struct engine *engine, const struct split_open *open,
                             const struct split_share *share)
{
    return 1 / (1 / split_share_rate(engine, share) + home_back_ns(engine, open, share->device));
}

static bool home_helpers(struct engine *engine, struct split_open *open, struct home_help *help)
{
    const struct lane *home = engine_lane(engine, open->home);
    const struct split_share *own = home_share(open, home->device);
    bool later;
    if (own->rate <= 0)
        return false;
    help->count = 1;
    help->lanes[0] = (struct split_lane){
        .lane = home, .rate = own->rate, .ready_ns = (double)sched_flight_ns(engine, home)};
    help->alone_ns = help->lanes[0].ready_ns + (double)open->left / own->rate;
    for (uint32_t s = 0; s < open->share_count; s++) {
        struct split_share *share = &open->shares[s];
        const struct engine_device *device = &engine->devices[share->device];
        bool usable = false;
        if (share->rate <= 0)
            continue;
        for (uint32_t i = 0; i < device->lane_count && help->count < SPLIT_DEVICES; i++) {
            const struct lane *lane = engine_lane(engine, device->lane_first + i);
            if (lane == home || !home_can_help(engine, share, lane))
                continue;
            usable = usable || split_usable(engine, open, share, &later);
            if (!usable)
                break;
            help->lanes[help->count++] =
                (struct split_lane){.lane = lane,
                                    .share = share,
                                    .rate = home_help_rate(engine, open, share),
                                    .ready_ns = (double)sched_flight_ns(engine, lane) +
                                                (share->fed ? 0 : share->fixed_ns)};
        }
    }
    return help->count > 1;
}

/* What the lane should take: units; 0: it does not pay. */
static uint64_t home_help_size(const struct split_open *open, const struct home_help *help,
                               const struct split_lane *lane)
{
    double end_ns = split_end_ns(help->lanes, help->count, open->left, NULL);
    double units = (end_ns - lane->ready_ns) * lane->rate,
           least = split_tuning.least_ns * lane->rate;
    double part = units / HOME_HELP_PART > least ? units / HOME_HELP_PART : units;
    uint64_t grain = open->grid.units / HOME_GRAIN + 1;
    const struct split_lane two[2] = {help->lanes[0], *lane};
    if (units < least || units < 1 ||
        split_end_ns(two, 2, open->left, NULL) > split_tuning.gain * help->alone_ns ||
        end_ns > HOME_GAIN * help->alone_ns)
        return 0;
    uint64_t size = (uint64_t)part / grain * grain;
    size = size > 0 ? size : (uint64_t)units;
    return size < open->left ? size : open->left;
}

/* The lane and the task where most time is saved. */
struct home_found {
    struct split_open *open;
    struct split_share *share;
    const struct lane *lane;
    uint64_t size;
    double saved_ns;
};

static void home_look(struct engine *engine, struct split_open *open, struct home_found *found)
{
    struct home_help help;
    const struct task *task = engine_task(engine, open->task);
    if (open->home == TASK_LANE_NONE || open->left == 0 || task->status != FGPU_OK ||
        task->undone > 0 || task_state(task) != FGPU_TASK_RUNNING ||
        !home_helpers(engine, open, &help))
        return;
    for (uint32_t i = 1; i < help.count; i++) {
        uint64_t size = home_help_size(open, &help, &help.lanes[i]);
        const struct split_lane two[2] = {help.lanes[0], help.lanes[i]};
        double saved_ns = help.alone_ns - split_end_ns(two, 2, open->left, NULL);
        if (size > 0 && saved_ns > found->saved_ns)
            *found =
                (struct home_found){open, help.lanes[i].share, help.lanes[i].lane, size, saved_ns};
    }
}

struct task *split_take_over(struct engine *engine)
{
    const struct vec *list = &engine->split->open;
    struct home_found found = {0};
    if (!engine->help_due || engine->ready_count > 0)
        return NULL;
    for (size_t i = 0; i < list->count; i++)
        home_look(engine, *(struct split_open **)vec_at(list, i), &found);
    engine->help_due = found.open != NULL; /* perhaps there is more */
    if (found.open == NULL)
        return NULL;
    return split_give(engine, found.open, found.share, found.lane, found.size);
}
