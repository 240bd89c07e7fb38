/* A team of threads that meet: one does what the caller does, and all wait behind each step until
 * the last is there. What OpenMP's `parallel` and `barrier` are, as a hand-written program has
 * them.
 *
 * A thread that waits looks again and again for a while, then sleeps. Every member waits at a place
 * of its own, so that those who look do not hinder those who arrive.
 */
#ifndef FASTGPU_CLI_BASELINE_BASELINE_TEAM_H
#define FASTGPU_CLI_BASELINE_BASELINE_TEAM_H

#include <stdbool.h>
#include <stdint.h>

#include <fastgpu/status.h>

struct baseline_team;

/* What every member does: number 0 is the thread that calls baseline_team_run(). */
typedef void (*baseline_member_fn)(struct baseline_team *team, uint32_t member, void *user);

/* [in] count: members, 1 or more. FGPU_E_NOMEM, FGPU_E_SYSTEM where a thread cannot be had. */
fgpu_status baseline_team_start(uint32_t count, struct baseline_team **team);

/* Runs `fn` on all members; returns when all have returned. */
void baseline_team_run(struct baseline_team *team, baseline_member_fn fn, void *user);

/* Waits until all members are here. [in] verdict: 0, or why to stop. Returns the largest that a
 * member has brought this time: the same to all. */
uint32_t baseline_team_meet(struct baseline_team *team, uint32_t member, uint32_t verdict);

uint32_t baseline_team_count(const struct baseline_team *team);

/* NULL is allowed. */
void baseline_team_stop(struct baseline_team *team);

#endif
