/* What a scheduling policy is: a pure choice among lanes. One policy a file.
 *
 * The place step fills one policy_lane for every queue that may run the task, in index order, and
 * the policy says which. No clock, no I/O, no allocation; ties go to the lower index, so that equal
 * inputs give equal decisions.
 */
#ifndef FASTGPU_POLICY_POLICY_H
#define FASTGPU_POLICY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_NONE UINT32_MAX

struct policy_lane {
    uint32_t lane;
    uint32_t load;        /* tasks placed there and not finished */
    uint64_t ready_ns;    /* predicted time until everything placed there has finished */
    uint64_t transfer_ns; /* predicted time to bring the task's data */
    uint64_t exec_ns; /* predicted run time; when not known a guess that is the same for all unknown
                         lanes */
    uint64_t core_ns; /* run time x cores, where other lanes compute with the same cores; else 0 */
    uint32_t known;   /* exec_ns comes from measurements */
    uint32_t
        samples; /* how many tasks of this kind are under way to a lane where it is not known */
};

struct policy {
    const char *name;
    const char *summary; /* one line for help texts */
    bool needs_costs;    /* fill ready_ns, transfer_ns and exec_ns (costs some 50 ns a lane) */
    /* Place in `lanes` of the choice; count > 0. */
    uint32_t (*choose)(const struct policy_lane *lanes, uint32_t count);
};

extern const struct policy policy_fifo;
extern const struct policy policy_eft;

/* NULL when there is no policy of that name. */
const struct policy *policy_find(const char *name);

/* The names, comma separated, for error texts. */
const char *policy_names(void);

#endif
