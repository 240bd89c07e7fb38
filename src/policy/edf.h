/* Earliest deadline first with admission. Pure: times come in as values.
 *
 * The jobs that were admitted and have not started, by deadline. Whether one more fits is asked of
 * a simulation: in the order of their deadlines each goes to the lane that would end it first. What
 * then misses its deadline, though it would not have without the new one, calls for the longest of
 * those up to it to give way, the new one or another that may be dropped; so that as many as
 * possible end in time.
 *
 * Sources: C. Liu, J. Layland: Scheduling algorithms for multiprogramming in a hard-real-time
 * environment, JACM 1973; J. Moore: An n job, one machine sequencing algorithm for minimizing the
 * number of late jobs, Management Science 1968 (with Hodgson's version). On one machine, where jobs
 * come in the order of their deadlines, this is theirs, and the most that can end in time; in any
 * order what gave way does not come back, which costs some in a thousand.
 *
 * Where times are not exact, a job that is not dropped once it is in is admitted only with a margin
 * of EDF_FIRM standard deviations of all that runs up to its end. What may be dropped needs none:
 * edf_shed() corrects, before tasks that come too late make others late.
 */
#ifndef FASTGPU_POLICY_EDF_H
#define FASTGPU_POLICY_EDF_H

#include "base/vec.h"

#define EDF_DROPS 8u   /* that one admission may cost */
#define EDF_FIRM 2.0   /* standard deviations that those get as a margin that are not dropped, */
#define EDF_DOUBT 2.0  /* and by which anything must be late before something is shed */
#define EDF_LOOK 1024u /* jobs that are looked at for shedding */
#define EDF_NEVER UINT64_MAX

struct edf_job {
    uint64_t deadline_ns; /* all times are of one clock */
    uint64_t work_ns;     /* on a good lane: who is the longest */
    uint32_t task;
    uint32_t order; /* of submission; wraps */
    bool is_firm;   /* not dropped once it is in */
    bool was_late;  /* scratch */
};

/* Where they run. */
struct edf_machine {
    const uint64_t *ready_ns; /* [lane_count]: when each has ended what it was given */
    uint32_t lane_count;
    uint64_t (*cost_ns)(const void *user, const struct edf_job *job, uint32_t lane);
    const void *user;  /* cost_ns: EDF_NEVER: it cannot run there. NULL: work_ns everywhere */
    uint32_t permille; /* of the lanes' time that the jobs get; 0: all of it */
    double spread;     /* standard deviation of what a job takes, over that; 0: it is exact */
    double doubt;      /* the same of what all of them have in common */
};

struct edf_answer {
    bool is_admitted;
    uint64_t finish_ns;        /* predicted, were it admitted; EDF_NEVER: it can run nowhere */
    uint32_t drops[EDF_DROPS]; /* tasks that gave way; none where it was not admitted */
    uint32_t drop_count;
};

/* Of those that a simulation gives work to. */
struct edf_lane {
    uint64_t ready_ns;
    double variance; /* of that, in ns squared, by single jobs */
    double work_ns;  /* that it was given */
};

struct edf {
    struct vec jobs;  /* struct edf_job, by deadline */
    struct vec lanes; /* struct edf_lane: scratch */
};

void edf_init(struct edf *edf, const struct alloc_hooks *hooks);
void edf_fini(struct edf *edf);

/* Puts the job in if it is admitted, and takes out what gave way; [in] only_ask: changes nothing.
 * Not admitted without memory. O((jobs in the set) * lanes) for each drop. */
struct edf_answer edf_admit(struct edf *edf, const struct edf_machine *machine,
                            const struct edf_job *job, bool only_ask);

/* Takes out what is to give way now, so that the others that may end in time do: things have taken
 * longer than was thought. Returns how many, in [out] drops. O(EDF_LOOK * lanes) for each. */
uint32_t edf_shed(struct edf *edf, const struct edf_machine *machine, uint32_t drops[EDF_DROPS]);

/* The task has started, or is not to run: false when it was not there. */
bool edf_remove(struct edf *edf, uint32_t task);

#endif
