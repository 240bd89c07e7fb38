/* What machine this is: the first of the record's five steps. Thread: any; reads /proc and /sys.
 */
#ifndef FASTGPU_CLI_EVALUATE_EVALUATE_MACHINE_H
#define FASTGPU_CLI_EVALUATE_EVALUATE_MACHINE_H

#include "cli/evaluate/evaluation.h"

/* Fills in what can be found out; texts that cannot are "unknown", numbers 0. */
void evaluate_machine(struct evaluation_machine *machine);

/* Where the machine's processors stand. */
struct machine_load {
    uint64_t wall_ns;
    uint64_t busy_ns; /* of all processors, by whoever; 0: not known */
    uint64_t own_ns;  /* by this process */
};

void machine_load_read(struct machine_load *load);

/* Share of all processors that others took between two readings, 0 to 1, a hypervisor's other
 * guests among them; negative where it is not known or was looked at for less than 100 ms (the
 * kernel counts in ticks of mostly 10 ms). Pure. */
double machine_load_of_others(const struct machine_load *before, const struct machine_load *after,
                              double processors);

#endif
