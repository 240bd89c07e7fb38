/* What machine this is: the first of the record's five steps. Thread: any; reads /proc and /sys.
 */
#ifndef FASTGPU_CLI_EVALUATE_MACHINE_H
#define FASTGPU_CLI_EVALUATE_MACHINE_H

#include "evaluation.h"

/* Fills in what can be found out; texts that cannot are "unknown", numbers 0. */
void evaluate_machine(struct evaluation_machine *machine);

#endif
