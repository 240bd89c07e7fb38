/* Step 3 of the walk, schedule: how urgent tasks get on, which admission goes by.
 *
 * The model predicts what a task runs alone. What it takes from the end of the one before it to its
 * own, in the pool, is learned here for all urgent tasks of a lane together: by which factor the
 * runs are longer now (the machine has other work), what passes between two of them (the host sees
 * that one has ended, and hands out the next), and how much single ones scatter around that. Lanes
 * beside a device's usual ones share its units and are one with it. Runs under the engine's lock.
 */
#include <math.h>

#include "core/place.h"
#include "core/preempt.h"
#include "core/sched.h"
#include "core/serve.h"

#define PACE_FEW 4u     /* runs until anything is believed */
#define PACE_SHARE 32.0 /* of the past that a run takes the place of */
#define PACE_MOST 8.0   /* times the prediction, of one run: a spike */
#define PACE_LEAST 0.25
#define PACE_SPREAD_MOST 1.0
#define PACE_DRY 32u            /* of a run may pass between two */
#define PACE_HALF_NS 50000000.0 /* after so long, or so many runs, half of it is forgotten */
#define PACE_HALF_RUNS 8.0
#define PACE_GAP_MOST_NS 50000000u /* nothing was to be done, or a lane was held up */

static struct serve_pace *pace_of(const struct engine *engine, const struct lane *lane)
{
    const struct engine_device *device = &engine->devices[lane->device];
    uint32_t at = device->side_count > 0 && !lane->copies ? device->lane_first : lane->index;
    return vec_at(&engine->serve->paces, at);
}

/* How much of what was learned still holds: where all is refused nothing more is learned, and it
 * must not stay so. */
static double pace_holds(const struct engine *engine, struct serve_pace *pace)
{
    if (pace->held_ns == engine->now_ns)
        return pace->holds;
    double runs = pace->runs < PACE_SHARE ? pace->runs : PACE_SHARE;
    double half_ns = fmax(PACE_HALF_NS, PACE_HALF_RUNS * pace->due_ns / fmax(runs, 1));
    bool known = pace->runs >= PACE_FEW && pace->due_ns > 0;
    pace->held_ns = engine->now_ns;
    pace->holds = known ? exp2(-(double)(engine->now_ns - pace->seen_ns) / half_ns) : 0;
    return pace->holds;
}

/* [in] holds: pace_holds(). */
static double pace_due_ns(const struct serve_pace *pace, double holds, double work_ns)
{
    double factor = holds > 0 ? 1 + holds * (pace->ran_ns / pace->due_ns - 1) : 1;
    return work_ns * factor + holds * pace->gap_ns;
}

void serve_paced(struct engine *engine, const struct task *task, const struct serve_entry *entry)
{
    if (task->kind != TASK_KERNEL || !(task->flags & TASK_F_ISSUED) || task->status != FGPU_OK ||
        (task->marks & (TASK_M_DIVISIBLE | TASK_M_PREEMPT)) || task->predicted_ns == 0 ||
        task->predicted_ns == PLACE_UNKNOWN_NS)
        return;
    struct serve_pace *pace = pace_of(engine, engine_lane(engine, task->lane));
    const fgpu_cmd_result *result = task_result(task);
    uint64_t from_ns = pace->seen_ns > entry->ready_ns ? pace->seen_ns : entry->ready_ns;
    double took_ns = (double)(engine->now_ns - from_ns), work_ns = (double)task->predicted_ns;
    double ran_ns = result->timed ? (double)(result->end_ns - result->start_ns)
                                  : fmax(took_ns - pace->gap_ns, 0);
    double holds = pace->runs < PACE_FEW ? 0 : 1;
    pace->seen_ns = engine->now_ns;
    ran_ns = fmin(fmax(ran_ns, PACE_LEAST * work_ns), PACE_MOST * work_ns);
    double gap_ns = fmin(fmax(took_ns - ran_ns, 0), PACE_GAP_MOST_NS);
    double due_ns = pace_due_ns(pace, holds, work_ns);
    double off = fmin(fabs(ran_ns + gap_ns - due_ns) / due_ns, PACE_SPREAD_MOST);
    double share = pace->runs < PACE_SHARE ? pace->runs + 1 : PACE_SHARE;
    pace->ran_ns += ran_ns - pace->ran_ns / share;
    pace->due_ns += work_ns - pace->due_ns / share;
    pace->gap_ns += (gap_ns - pace->gap_ns) / share;
    if (pace->runs >= PACE_FEW) /* before that it is the factor that is off */
        pace->off += (off * off - pace->off) / fmin(pace->runs - PACE_FEW + 1, PACE_SHARE);
    pace->runs++;
    pace->held_ns = 0;
}

uint64_t serve_paced_ns(const struct engine *engine, uint32_t lane, uint64_t work_ns)
{
    struct serve_pace *pace = pace_of(engine, engine_lane(engine, lane));
    return (uint64_t)pace_due_ns(pace, pace_holds(engine, pace), (double)work_ns);
}

double serve_spread(const struct engine *engine, uint32_t lane, double *doubt)
{
    struct serve_pace *pace = pace_of(engine, engine_lane(engine, lane));
    double spread = sqrt(pace->off) * pace_holds(engine, pace);
    *doubt = spread / sqrt(pace->runs < PACE_SHARE ? pace->runs + 1 : 2 * PACE_SHARE);
    return spread;
}

static uint64_t pace_lane_ns(const struct engine *engine, const struct lane *lane)
{
    uint64_t flight_ns = sched_flight_ns(engine, lane);
    if (engine->preempt != NULL) { /* it makes way */
        uint64_t soft_ns = preempt_soft_ns(engine, lane);
        flight_ns -= soft_ns < flight_ns ? soft_ns : flight_ns;
    }
    return engine->now_ns + flight_ns + lane->backlog_ns;
}

uint64_t serve_free_ns(const struct engine *engine, const struct lane *lane)
{
    const struct engine_device *device = &engine->devices[lane->device];
    uint64_t ns = pace_lane_ns(engine, lane);
    if (lane->copies || lane->side)
        return EDF_NEVER;
    for (uint32_t i = 0; i < device->side_count; i++) {
        uint32_t side = device->lane_first + device->lane_count + i;
        uint64_t side_ns = pace_lane_ns(engine, engine_lane(engine, side));
        ns = side_ns > ns ? side_ns : ns;
    }
    return ns;
}
