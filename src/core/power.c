/* When may a task start under a power cap? See power.h.
 *
 * The draw beyond idle is known for the past. For the future it is at most that of what runs now,
 * each until the latest moment at which it can end, for nothing else starts without being asked
 * about here. So the energy of each window that ends in the future has an upper bound, and a task
 * may start if with it no bound exceeds the budget. Windows that end until 100 ms after its start
 * are enough: later ones lie where that bound only falls. The past is kept in 128 parts of a
 * window, and a window counts the part in which it begins, and that in which it ends, as a whole:
 * bounds are too high by a 128th at most, never too low. Where nothing exceeded the budget at any
 * moment for as long as a window lasts, and nothing would now, no more is asked. A task whose time
 * nobody knows counts as running for ever; then this is a limit of what draws power at any moment.
 * Keeps true: the sum of the bounds above, whatever ends early. Under the engine's lock.
 */
#include "core/power.h"

#include "core/engine.h"
#include "core/sched.h"

#define POWER_EXACT (1 - 1e-9) /* of the budget: what sums of doubles may be off by */
#define POWER_HALVINGS 10      /* of a window: a lane is not held for 100 us more than it must */
#define POWER_TRIES 64u        /* lanes that are held try again in one turn */
#define POWER_AGAIN_NS 50000u  /* ... and the others so much later */

bool power_init(struct engine *engine, const struct power_config *config)
{
    if (config == NULL)
        return true;
    struct power *power = alloc_get_zeroed(engine->hooks, sizeof *power, 16);
    if (power == NULL)
        return false;
    engine->power = power;
    power->budget_watt = (config->cap_watt - config->idle_watt) * POWER_EXACT;
    power->most_ns = config->most_ns;
    power->user = config->user;
    power->wake_ns = POWER_FOREVER;
    power->device_count = engine->device_count;
    vec_init(&power->runs, sizeof(struct power_run), engine->hooks);
    power->extra_watt =
        alloc_get_zeroed(engine->hooks, engine->device_count * sizeof(double) + 1, 16);
    if (power->extra_watt == NULL ||
        !bitset_init(&power->held, engine->lane_count, engine->hooks) ||
        !vec_reserve(&power->runs, engine->lane_count + 1u))
        return false;
    memcpy(power->extra_watt, config->extra_watt, engine->device_count * sizeof(double));
    for (uint32_t i = 0; i < engine->lane_count; i++)
        engine->lanes[i].single = 1;
    return true;
}

void power_fini(struct engine *engine)
{
    struct power *power = engine->power;
    if (power == NULL)
        return;
    alloc_put(engine->hooks, power->extra_watt, power->device_count * sizeof(double) + 1);
    bitset_fini(&power->held);
    vec_fini(&power->runs);
    alloc_put(engine->hooks, power, sizeof *power);
    engine->power = NULL;
}

/* ---- what may be drawn ------------------------------------------------------------------ */

static uint64_t power_later(uint64_t at_ns, uint64_t ns)
{
    return ns > POWER_FOREVER - at_ns ? POWER_FOREVER : at_ns + ns;
}

static double *power_part(struct power *power, uint64_t part)
{
    return &power->past[part % (POWER_PARTS + 1)];
}

/* Writes down what was drawn until now. */
static void power_know(struct power *power, uint64_t now_ns)
{
    if (now_ns - power->known_ns > POWER_WINDOW_NS + POWER_PART_NS)
        power->known_ns = now_ns - POWER_WINDOW_NS - POWER_PART_NS; /* all parts are overwritten */
    while (power->known_ns < now_ns) {
        uint64_t part = power->known_ns / POWER_PART_NS;
        uint64_t end_ns = (part + 1) * POWER_PART_NS;
        if (power->known_ns == part * POWER_PART_NS)
            *power_part(power, part) = 0;
        end_ns = end_ns < now_ns ? end_ns : now_ns;
        *power_part(power, part) += power->now_watt * (double)(end_ns - power->known_ns);
        power->known_ns = end_ns;
    }
    if (now_ns % POWER_PART_NS == 0)
        *power_part(power, now_ns / POWER_PART_NS) = 0;
}

/* Fills power->ahead: at most so much is drawn from now to the beginning of part `first` + i, with
 * one more task that starts at `at_ns`. */
static void power_look_ahead(struct power *power, uint64_t at_ns, const struct power_run *more,
                             uint32_t count)
{
    const struct power_run *runs = (const struct power_run *)(const void *)power->runs.items;
    uint64_t first = power->known_ns / POWER_PART_NS, now_ns = power->known_ns;
    double watt = power->now_watt, sum = 0;
    size_t run = 0;
    bool started = false, ended = false;
    power->ahead[0] = 0;
    for (uint32_t i = 1; i < count; i++) {
        uint64_t end_ns = (first + i) * POWER_PART_NS;
        while (now_ns < end_ns) {
            while (run < power->runs.count && runs[run].most_ns <= now_ns)
                watt -= runs[run++].watt;
            if (!started && at_ns <= now_ns) {
                started = true;
                watt += more->watt;
            }
            if (started && !ended && more->most_ns <= now_ns) {
                ended = true;
                watt -= more->watt;
            }
            uint64_t next_ns = end_ns;
            if (run < power->runs.count && runs[run].most_ns < next_ns)
                next_ns = runs[run].most_ns;
            if (!started && at_ns < next_ns)
                next_ns = at_ns;
            if (started && !ended && more->most_ns < next_ns)
                next_ns = more->most_ns;
            sum += watt * (double)(next_ns - now_ns);
            now_ns = next_ns;
        }
        power->ahead[i] = sum;
    }
}

/* Do all windows keep to the budget with a task of so many watts that starts at `at_ns`, now or
 * within a window from now, and runs for `most_ns` at most? */
static bool power_fits(struct power *power, uint64_t at_ns, double watt, uint64_t most_ns)
{
    const struct power_run more = {power_later(at_ns, most_ns), watt, 0};
    uint64_t now_part = power->known_ns / POWER_PART_NS;
    uint32_t start = (uint32_t)(at_ns / POWER_PART_NS - now_part);
    double budget = power->budget_watt * (double)POWER_WINDOW_NS, past = 0;
    power_look_ahead(power, at_ns, &more, start + POWER_PARTS + 3);
    /* A window that ends in part now_part + i begins in part now_part + i - POWER_PARTS. */
    for (uint32_t i = 0; i <= POWER_PARTS && i <= now_part; i++)
        past += i < POWER_PARTS + 1 ? *power_part(power, now_part - i) : 0;
    for (uint32_t i = 0; i <= start + POWER_PARTS + 1; i++) {
        uint64_t begin = now_part + i;
        double before = i > POWER_PARTS ? power->ahead[i - POWER_PARTS] : 0;
        if (i >= start && past + power->ahead[i + 1] - before > budget)
            return false;
        if (i <= POWER_PARTS && begin >= POWER_PARTS)
            past -= *power_part(power, begin - POWER_PARTS); /* the next window begins behind it */
    }
    return true;
}

/* ---- asking ----------------------------------------------------------------------------- */

static uint64_t power_most_ns(const struct power *power, const struct task *task, uint32_t device)
{
    return power->most_ns != NULL ? power->most_ns(power->user, device, task->self) : POWER_FOREVER;
}

bool power_forbids(const struct engine *engine, const struct task *task, uint32_t device)
{
    const struct power *power = engine->power;
    double watt = power->extra_watt[device];
    if (watt <= power->budget_watt)
        return false;
    uint64_t most_ns = power_most_ns(power, task, device);
    return most_ns >= POWER_WINDOW_NS ||
           watt * (double)most_ns > power->budget_watt * (double)POWER_WINDOW_NS;
}

/* When may it start if nothing else happens? POWER_FOREVER: something has to end first. */
static uint64_t power_when(struct power *power, double watt, uint64_t most_ns)
{
    uint64_t low = 0, high = POWER_WINDOW_NS, now_ns = power->known_ns;
    if (!power_fits(power, now_ns + high, watt, most_ns))
        return POWER_FOREVER;
    for (uint32_t i = 0; i < POWER_HALVINGS; i++) {
        uint64_t middle = low + (high - low) / 2;
        if (power_fits(power, now_ns + middle, watt, most_ns))
            high = middle;
        else
            low = middle;
    }
    return now_ns + high;
}

/* POWER_FOREVER - 1 at most where something was denied that asked for no more; 0: not known. */
static const struct power_denial *power_denied(const struct power *power, double watt,
                                               uint64_t most_ns)
{
    for (uint32_t i = 0; i < power->denial_count; i++)
        if (watt >= power->denials[i].watt && most_ns >= power->denials[i].most_ns)
            return &power->denials[i];
    return NULL;
}

static void power_deny(struct power *power, double watt, uint64_t most_ns)
{
    uint32_t at = power->denial_count < POWER_DENIALS ? power->denial_count++ : POWER_DENIALS - 1;
    uint64_t when_ns = power_when(power, watt, most_ns);
    power->denials[at] = (struct power_denial){watt, most_ns, when_ns};
    power->wake_ns = when_ns < power->wake_ns ? when_ns : power->wake_ns;
}

bool power_admits(struct engine *engine, struct lane *lane, const struct task *task)
{
    struct power *power = engine->power;
    double watt = lane->copies ? 0 : power->extra_watt[lane->device];
    uint64_t now_ns = engine->now_ns;
    if (watt <= 0)
        return true;
    /* Within the budget at every moment from a window ago on. */
    bool quiet = power->over_ns == 0 || now_ns - power->over_ns >= POWER_WINDOW_NS;
    if (quiet && power->now_watt + watt <= power->budget_watt)
        return true;
    if (power->asked_ns != now_ns)
        power->denial_count = 0;
    power->asked_ns = now_ns;
    uint64_t most_ns = power_most_ns(power, task, lane->device);
    if (power_denied(power, watt, most_ns) == NULL) {
        power_know(power, now_ns);
        if (power_fits(power, now_ns, watt, most_ns))
            return true;
        power_deny(power, watt, most_ns);
    }
    lane->held = 1;
    bitset_add(&power->held, lane->index);
    sched_update_hunger(engine, lane);
    return false;
}

/* ---- what happens ----------------------------------------------------------------------- */

static void power_change(struct engine *engine, double watt)
{
    struct power *power = engine->power;
    uint64_t now_ns = engine->now_ns;
    if (power->now_watt > power->budget_watt)
        power->over_ns = now_ns > 0 ? now_ns : 1;
    power_know(power, now_ns);
    power->now_watt = watt;
    power->denial_count = 0;
}

/* From what runs, so that rounding does not add up. */
static double power_sum(const struct power *power)
{
    double watt = 0;
    for (size_t i = 0; i < power->runs.count; i++)
        watt += ((const struct power_run *)vec_at(&power->runs, i))->watt;
    return watt;
}

void power_start(struct engine *engine, const struct lane *lane, const struct task *task)
{
    struct power *power = engine->power;
    uint64_t most_ns = power_most_ns(power, task, lane->device);
    struct power_run run = {.most_ns = power_later(engine->now_ns, most_ns),
                            .watt = lane->copies ? 0 : power->extra_watt[lane->device],
                            .lane = lane->index};
    if (run.watt <= 0)
        return;
    void *place = vec_push(&power->runs, NULL);
    FGPU_ASSERT(place != NULL);
    struct power_run *runs = (struct power_run *)(void *)power->runs.items;
    size_t at = power->runs.count - 1;
    for (; at > 0 && runs[at - 1].most_ns > run.most_ns; at--)
        runs[at] = runs[at - 1];
    runs[at] = run;
    power_change(engine, power_sum(power));
}

void power_end(struct engine *engine, const struct lane *lane)
{
    struct power *power = engine->power;
    struct power_run *runs = (struct power_run *)(void *)power->runs.items;
    for (size_t i = 0; i < power->runs.count; i++) {
        if (runs[i].lane != lane->index)
            continue;
        power->runs.count--;
        memmove(&runs[i], &runs[i + 1], (power->runs.count - i) * sizeof runs[0]);
        power_change(engine, power_sum(power));
        power->wake_ns = engine->now_ns;
        return;
    }
}

void power_turn(struct engine *engine)
{
    struct power *power = engine->power;
    if (engine->now_ns < power->wake_ns)
        return;
    power->wake_ns = POWER_FOREVER;
    uint32_t at = power->from, tried = 0;
    for (; tried < POWER_TRIES; tried++, at++) {
        uint32_t next = bitset_next(&power->held, at);
        if (next == BITSET_END)
            next = bitset_next(&power->held, 0);
        if (next == BITSET_END)
            break;
        struct lane *lane = engine_lane(engine, next);
        at = next;
        bitset_remove(&power->held, next);
        lane->held = 0;
        bitset_add(&engine->due, next);
        sched_update_hunger(engine, lane);
    }
    power->from = tried == POWER_TRIES && at < engine->lane_count ? at : 0;
    if (!bitset_is_empty(&power->held))
        power->wake_ns = engine->now_ns + POWER_AGAIN_NS;
}
