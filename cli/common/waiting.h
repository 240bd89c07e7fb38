/* Waiting that an impatient user can end: the library's blocking calls know no signals, so these
 * ask again every tenth of a second. Main thread.
 */
#ifndef FASTGPU_CLI_COMMON_WAITING_H
#define FASTGPU_CLI_COMMON_WAITING_H

#include <signal.h>
#include <stdbool.h>

#include <fastgpu/fastgpu.h>

/* [in] stop: may be NULL. */
bool waiting_is_stopped(const volatile sig_atomic_t *stop);

/* As fgpu_task_wait() and fgpu_pool_wait(); FGPU_E_TIMEOUT also when `stop` became non-zero. */
fgpu_status waiting_task(fgpu_task task, uint64_t timeout_ns, const volatile sig_atomic_t *stop);
fgpu_status waiting_pool(fgpu_pool pool, uint64_t timeout_ns, const volatile sig_atomic_t *stop);

/* Sleeps. False when `stop` cut it short. */
bool waiting_sleep(uint64_t ns, const volatile sig_atomic_t *stop);

#endif
