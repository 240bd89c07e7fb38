/* `fastgpu demo latency`: requests beside a batch job, without and with preemption, drawn while it
 * runs. A command of its own (see cli/common/commands.h); argv[0] is "latency".
 */
#ifndef FASTGPU_CLI_LATENCY_LATENCY_DEMO_H
#define FASTGPU_CLI_LATENCY_LATENCY_DEMO_H

#include "cli/common/commands.h"

int latency_demo(int argc, char **argv, const volatile sig_atomic_t *stop);

#endif
