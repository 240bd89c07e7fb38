/* What a public machine handle points to. */
#ifndef FASTGPU_API_MACHINE_H
#define FASTGPU_API_MACHINE_H

#include <fastgpu/machine.h>
#include "machine/machine.h"

struct fgpu_machine {
    struct machine machine; /* sealed */
};

#endif
