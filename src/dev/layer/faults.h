/* The text of fgpu_pool_options.faults: which faults the fault layer injects, where, how often.
 *
 * "key=value" items separated by commas:
 *   seed=N      of the random numbers (default 1)
 *   submit=P    a submission is accepted in part
 *   alloc=P     an allocation fails with FGPU_E_DEVMEM
 *   build=P     a build fails with FGPU_E_BUILD
 *   task=P      a command ends with FGPU_E_DEVICE and has no effect
 *   lose=D@N    device number D is lost after it has taken N commands
 *   slow=DxF    device number D reports everything F times as late (1.0 to 1000)
 *   link=DxR    copies between the host and device number D end as over a link of R MB/s in each
 *               direction (0.001 to 1000000)
 * P is in permille (0 to 1000). lose, slow and link may come several times. Pure; thread: any.
 */
#ifndef FASTGPU_DEV_LAYER_FAULTS_H
#define FASTGPU_DEV_LAYER_FAULTS_H

#include <stdbool.h>
#include <stdint.h>
#include <fastgpu/status.h>
#include "base/limits.h"

struct faults {
    uint64_t seed;
    uint32_t submit_permille;
    uint32_t alloc_permille;
    uint32_t build_permille;
    uint32_t task_permille;
    uint64_t lose_after[LIMITS_DEVICES];         /* commands; UINT64_MAX: never */
    double slow_factor[LIMITS_DEVICES];          /* 1: not slowed */
    double link_rate[LIMITS_DEVICES];            /* bytes in a nanosecond; 0: not paced */
    uint64_t lose_named, slow_named, link_named; /* bit D: an item names device D */
};

/* No faults. */
void faults_init(struct faults *faults);

/* Reads the text; blanks around items are ignored, an empty text is no faults. FGPU_E_INVAL with an
 * error text that names the key, the value and what is allowed. */
fgpu_status faults_parse(const char *text, struct faults *faults);

/* FGPU_E_INVAL with an error text where an item names a device that a pool of so many has not. */
fgpu_status faults_check(const struct faults *faults, uint32_t device_count);

#endif
