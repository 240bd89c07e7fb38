/* See edf.h. */
#include "policy/edf.h"

#include <math.h>

void edf_init(struct edf *edf, const struct alloc_hooks *hooks)
{
    vec_init(&edf->jobs, sizeof(struct edf_job), hooks);
    vec_init(&edf->lanes, sizeof(struct edf_lane), hooks);
}

void edf_fini(struct edf *edf)
{
    vec_fini(&edf->jobs);
    vec_fini(&edf->lanes);
}

static struct edf_job *edf_jobs(const struct edf *edf)
{
    return (struct edf_job *)(void *)edf->jobs.items;
}

static bool edf_before(const struct edf_job *a, const struct edf_job *b)
{
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns
                                            : (int32_t)(a->order - b->order) < 0;
}

/* Returns its place; SIZE_MAX without memory. */
static size_t edf_insert(struct edf *edf, const struct edf_job *job)
{
    if (vec_push(&edf->jobs, job) == NULL)
        return SIZE_MAX;
    struct edf_job *jobs = edf_jobs(edf);
    size_t at = edf->jobs.count - 1;
    for (; at > 0 && edf_before(job, &jobs[at - 1]); at--)
        jobs[at] = jobs[at - 1];
    jobs[at] = *job;
    return at;
}

static void edf_take(struct edf *edf, size_t at)
{
    struct edf_job *jobs = edf_jobs(edf);
    memmove(&jobs[at], &jobs[at + 1], (edf->jobs.count - at - 1) * sizeof *jobs);
    edf->jobs.count--;
}

/* ---- what would happen -------------------------------------------------------------------- */

static void edf_reset(const struct edf *edf, const struct edf_machine *machine)
{
    struct edf_lane *lanes = (struct edf_lane *)(void *)edf->lanes.items;
    for (uint32_t i = 0; i < machine->lane_count; i++)
        lanes[i] = (struct edf_lane){.ready_ns = machine->ready_ns[i]};
}

static uint64_t edf_cost(const struct edf_machine *machine, const struct edf_job *job,
                         uint32_t lane)
{
    uint64_t ns =
        machine->cost_ns != NULL ? machine->cost_ns(machine->user, job, lane) : job->work_ns;
    if (ns == EDF_NEVER || machine->permille == 0)
        return ns;
    return ns / machine->permille * 1000 + ns % machine->permille * 1000 / machine->permille;
}

/* On the lane that ends it first, which is busy until then. [out] off_ns: the standard deviation of
 * that. */
static uint64_t edf_run(const struct edf *edf, const struct edf_machine *machine,
                        const struct edf_job *job, double *off_ns)
{
    struct edf_lane *lanes = (struct edf_lane *)(void *)edf->lanes.items;
    uint64_t end_ns = EDF_NEVER, work_ns = 0;
    uint32_t best = 0;
    for (uint32_t i = 0; i < machine->lane_count; i++) {
        uint64_t cost_ns = edf_cost(machine, job, i);
        if (cost_ns != EDF_NEVER && lanes[i].ready_ns + cost_ns < end_ns) {
            end_ns = lanes[i].ready_ns + cost_ns;
            work_ns = cost_ns;
            best = i;
        }
    }
    *off_ns = 0;
    if (end_ns == EDF_NEVER)
        return end_ns;
    lanes[best].ready_ns = end_ns;
    if (machine->spread > 0 || machine->doubt > 0) {
        double one_ns = machine->spread * (double)work_ns;
        lanes[best].variance += one_ns * one_ns;
        lanes[best].work_ns += (double)work_ns;
        double all_ns = machine->doubt * lanes[best].work_ns;
        *off_ns = sqrt(lanes[best].variance + all_ns * all_ns);
    }
    return end_ns;
}

/* [in] end_ns, off_ns: of edf_run(). */
static bool edf_is_late(const struct edf_job *job, uint64_t end_ns, double off_ns)
{
    uint64_t margin_ns = job->is_firm ? (uint64_t)(EDF_FIRM * off_ns) : 0;
    return end_ns == EDF_NEVER || end_ns + margin_ns > job->deadline_ns;
}

/* Which of them miss their deadlines as things are: nobody is to blame for that later. */
static void edf_mark(const struct edf *edf, const struct edf_machine *machine)
{
    edf_reset(edf, machine);
    for (size_t i = 0; i < edf->jobs.count; i++) {
        struct edf_job *job = &edf_jobs(edf)[i];
        double off_ns;
        uint64_t end_ns = edf_run(edf, machine, job, &off_ns);
        job->was_late = edf_is_late(job, end_ns, off_ns);
    }
}

/* The first that misses its deadline now; SIZE_MAX: none. [out] finish_ns: of the new one, where
 * that comes before. */
static size_t edf_first_late(const struct edf *edf, const struct edf_machine *machine,
                             uint32_t task, uint64_t *finish_ns)
{
    size_t first = SIZE_MAX;
    bool is_seen = false;
    edf_reset(edf, machine);
    for (size_t i = 0; i < edf->jobs.count && (first == SIZE_MAX || !is_seen); i++) {
        const struct edf_job *job = &edf_jobs(edf)[i];
        double off_ns;
        uint64_t end_ns = edf_run(edf, machine, job, &off_ns);
        if (job->task == task) {
            *finish_ns = end_ns;
            is_seen = true;
        }
        if (first == SIZE_MAX && !job->was_late && edf_is_late(job, end_ns, off_ns))
            first = i;
    }
    return first;
}

/* The longest up to and including `last` that may go; of equal ones the last. */
static size_t edf_longest(const struct edf *edf, size_t last, uint32_t task)
{
    const struct edf_job *jobs = edf_jobs(edf);
    size_t longest = SIZE_MAX;
    for (size_t i = 0; i <= last; i++)
        if ((!jobs[i].is_firm || jobs[i].task == task) &&
            (longest == SIZE_MAX || jobs[i].work_ns >= jobs[longest].work_ns))
            longest = i;
    return longest;
}

/* ---- admission ---------------------------------------------------------------------------- */

/* With the job in the set. [out] kept: those that gave way, as they were. */
static void edf_settle(struct edf *edf, const struct edf_machine *machine, uint32_t task,
                       struct edf_job kept[EDF_DROPS], struct edf_answer *answer)
{
    uint64_t finish_ns = EDF_NEVER, ignored = EDF_NEVER;
    size_t late = edf_first_late(edf, machine, task, &finish_ns);
    answer->finish_ns = finish_ns;
    while (late != SIZE_MAX) {
        size_t victim = edf_longest(edf, late, task);
        if (victim == SIZE_MAX || edf_jobs(edf)[victim].task == task ||
            answer->drop_count == EDF_DROPS)
            return;
        kept[answer->drop_count] = edf_jobs(edf)[victim];
        answer->drops[answer->drop_count++] = edf_jobs(edf)[victim].task;
        edf_take(edf, victim);
        late = edf_first_late(edf, machine, task, &ignored);
        answer->finish_ns = ignored < answer->finish_ns ? ignored : answer->finish_ns;
    }
    answer->is_admitted = true;
}

struct edf_answer edf_admit(struct edf *edf, const struct edf_machine *machine,
                            const struct edf_job *job, bool only_ask)
{
    struct edf_answer answer = {.finish_ns = EDF_NEVER};
    struct edf_job kept[EDF_DROPS], fresh = *job;
    size_t need = edf->jobs.count + 1 + EDF_DROPS;
    if (!vec_reserve(&edf->lanes, machine->lane_count + 1u) ||
        (need > edf->jobs.capacity && !vec_reserve(&edf->jobs, 2 * need)))
        return answer;
    edf_mark(edf, machine);
    fresh.was_late = false;
    (void)edf_insert(edf, &fresh);
    edf_settle(edf, machine, job->task, kept, &answer);
    if (answer.finish_ns == EDF_NEVER)
        answer.is_admitted = false;
    if (answer.is_admitted && !only_ask)
        return answer;
    (void)edf_remove(edf, job->task);
    for (uint32_t i = 0; i < answer.drop_count; i++)
        (void)edf_insert(edf, &kept[i]);
    if (!answer.is_admitted)
        answer.drop_count = 0;
    return answer;
}

/* One that can run nowhere is not late: its deadline is nobody else's business. */
static bool edf_is_surely_late(const struct edf_job *job, uint64_t end_ns, double off_ns)
{
    return end_ns != EDF_NEVER && end_ns > job->deadline_ns + (uint64_t)(EDF_DOUBT * off_ns);
}

/* The first that will be late, and was not seen to be before. */
static size_t edf_next_late(const struct edf *edf, const struct edf_machine *machine)
{
    size_t most = edf->jobs.count < EDF_LOOK ? edf->jobs.count : EDF_LOOK;
    edf_reset(edf, machine);
    for (size_t i = 0; i < most; i++) {
        const struct edf_job *job = &edf_jobs(edf)[i];
        double off_ns;
        uint64_t end_ns = edf_run(edf, machine, job, &off_ns);
        if (!job->was_late && edf_is_surely_late(job, end_ns, off_ns))
            return i;
    }
    return SIZE_MAX;
}

/* Of the firm ones, those that will be late by themselves: whatever gave way for them would do so
 * in vain. */
static void edf_mark_firm(const struct edf *edf, const struct edf_machine *machine)
{
    edf_reset(edf, machine);
    for (size_t i = 0; i < edf->jobs.count; i++) {
        struct edf_job *job = &edf_jobs(edf)[i];
        double off_ns;
        job->was_late = false;
        if (!job->is_firm || i >= EDF_LOOK)
            continue;
        uint64_t end_ns = edf_run(edf, machine, job, &off_ns);
        job->was_late = edf_is_surely_late(job, end_ns, off_ns);
    }
}

uint32_t edf_shed(struct edf *edf, const struct edf_machine *machine, uint32_t drops[EDF_DROPS])
{
    uint32_t count = 0;
    size_t late;
    if (!vec_reserve(&edf->lanes, machine->lane_count + 1u))
        return 0;
    edf_mark_firm(edf, machine);
    while (count < EDF_DROPS && (late = edf_next_late(edf, machine)) != SIZE_MAX) {
        size_t victim = edf_longest(edf, late, UINT32_MAX);
        if (victim == SIZE_MAX) { /* all are firm */
            edf_jobs(edf)[late].was_late = true;
            continue;
        }
        drops[count++] = edf_jobs(edf)[victim].task;
        edf_take(edf, victim);
    }
    return count;
}

bool edf_remove(struct edf *edf, uint32_t task)
{
    for (size_t i = 0; i < edf->jobs.count; i++)
        if (edf_jobs(edf)[i].task == task) {
            edf_take(edf, i);
            return true;
        }
    return false;
}
