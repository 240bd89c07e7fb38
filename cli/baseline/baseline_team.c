/* Threads that meet: see baseline_team.h. */
#include "cli/baseline/baseline_team.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "cli/common/figures.h"

#define TEAM_SPIN_NS 100000u /* what sleeping and waking costs, a few times over */
#define TEAM_LOOKS 32        /* between two looks at the clock */
#define TEAM_LINE 64         /* bytes of a cache line */

/* Where a member waits. */
struct team_place {
    _Alignas(TEAM_LINE) pthread_mutex_t mutex;
    pthread_cond_t opened;
    uint32_t meeting; /* the last one that is over */
    uint32_t verdict; /* of it */
    uint32_t seen;    /* by the member, who alone knows this */
};

struct team_member {
    struct baseline_team *team;
    uint32_t number;
    pthread_t thread;
};

struct baseline_team {
    struct team_place *places;
    struct team_member *members;
    uint32_t count, started; /* started: threads, without the caller's */
    baseline_member_fn fn;   /* NULL: end */
    void *user;
    _Alignas(TEAM_LINE) pthread_mutex_t mutex; /* of those who have arrived */
    uint32_t here, verdict, meeting;
};

static void team_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

uint32_t baseline_team_count(const struct baseline_team *team)
{
    return team->count;
}

/* The last one to arrive opens for all. */
static void team_open(struct baseline_team *team, uint32_t meeting, uint32_t verdict)
{
    for (uint32_t i = 0; i < team->count; i++) {
        struct team_place *place = &team->places[i];
        (void)pthread_mutex_lock(&place->mutex);
        place->meeting = meeting;
        place->verdict = verdict;
        (void)pthread_cond_signal(&place->opened);
        (void)pthread_mutex_unlock(&place->mutex);
    }
}

static bool team_is_over(struct team_place *place, uint32_t meeting)
{
    (void)pthread_mutex_lock(&place->mutex);
    bool is_over = place->meeting == meeting;
    (void)pthread_mutex_unlock(&place->mutex);
    return is_over;
}

static void team_wait(struct team_place *place, uint32_t meeting)
{
    uint64_t begin_ns = figures_wall_ns();

    do {
        for (int i = 0; i < TEAM_LOOKS; i++) {
            if (team_is_over(place, meeting))
                return;
            team_pause();
        }
    } while (figures_wall_ns() - begin_ns < TEAM_SPIN_NS);
    (void)pthread_mutex_lock(&place->mutex);
    while (place->meeting != meeting)
        (void)pthread_cond_wait(&place->opened, &place->mutex);
    (void)pthread_mutex_unlock(&place->mutex);
}

uint32_t baseline_team_meet(struct baseline_team *team, uint32_t member, uint32_t verdict)
{
    struct team_place *place = &team->places[member];
    uint32_t meeting = ++place->seen;

    if (team->count == 1)
        return verdict;
    (void)pthread_mutex_lock(&team->mutex);
    if (verdict > team->verdict)
        team->verdict = verdict;
    bool is_last = ++team->here == team->count;
    if (is_last) {
        verdict = team->verdict;
        team->here = team->verdict = 0;
    }
    (void)pthread_mutex_unlock(&team->mutex);
    if (is_last)
        team_open(team, meeting, verdict);
    else
        team_wait(place, meeting);
    return place->verdict; /* the next meeting is not over before this member is there */
}

static void *team_main(void *arg)
{
    const struct team_member *member = arg;
    struct baseline_team *team = member->team;

    for (;;) {
        (void)baseline_team_meet(team, member->number, 0);
        if (!team->fn)
            return NULL;
        team->fn(team, member->number, team->user);
        (void)baseline_team_meet(team, member->number, 0);
    }
}

void baseline_team_run(struct baseline_team *team, baseline_member_fn fn, void *user)
{
    team->fn = fn;
    team->user = user;
    (void)baseline_team_meet(team, 0, 0);
    if (!fn)
        return;
    fn(team, 0, user);
    (void)baseline_team_meet(team, 0, 0);
}

/* The threads take no signals: they are for the command's own. */
static fgpu_status team_create_threads(struct baseline_team *team)
{
    sigset_t all, before;
    int failed = 0;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (uint32_t i = 1; i < team->count && failed == 0; i++) {
        team->members[i] = (struct team_member){.team = team, .number = i};
        failed = pthread_create(&team->members[i].thread, NULL, team_main, &team->members[i]);
        team->started += failed == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0 ? FGPU_OK : FGPU_E_SYSTEM;
}

static void team_init_mutex(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t spins;

    (void)pthread_mutexattr_init(&spins);
    (void)pthread_mutexattr_settype(&spins, PTHREAD_MUTEX_ADAPTIVE_NP);
    (void)pthread_mutex_init(mutex, &spins);
    (void)pthread_mutexattr_destroy(&spins);
}

fgpu_status baseline_team_start(uint32_t count, struct baseline_team **started)
{
    struct baseline_team *team = aligned_alloc(TEAM_LINE, sizeof *team);

    *started = NULL;
    if (!team)
        return FGPU_E_NOMEM;
    *team = (struct baseline_team){.count = count};
    team_init_mutex(&team->mutex);
    team->members = calloc(count, sizeof *team->members);
    team->places = aligned_alloc(TEAM_LINE, count * sizeof *team->places);
    if (!team->members || !team->places) {
        free(team->places);
        team->places = NULL;
        baseline_team_stop(team);
        return FGPU_E_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        team->places[i] = (struct team_place){.meeting = 0};
        team_init_mutex(&team->places[i].mutex);
        (void)pthread_cond_init(&team->places[i].opened, NULL);
    }
    fgpu_status status = team_create_threads(team);
    if (status != FGPU_OK) {
        baseline_team_stop(team);
        return status;
    }
    *started = team;
    return FGPU_OK;
}

void baseline_team_stop(struct baseline_team *team)
{
    if (!team)
        return;
    if (team->places) {
        (void)pthread_mutex_lock(&team->mutex);
        team->here += team->count - 1 - team->started; /* those that were never there */
        (void)pthread_mutex_unlock(&team->mutex);
        baseline_team_run(team, NULL, NULL);
        for (uint32_t i = 1; i <= team->started; i++)
            (void)pthread_join(team->members[i].thread, NULL);
        for (uint32_t i = 0; i < team->count; i++) {
            (void)pthread_cond_destroy(&team->places[i].opened);
            (void)pthread_mutex_destroy(&team->places[i].mutex);
        }
    }
    (void)pthread_mutex_destroy(&team->mutex);
    free(team->places);
    free(team->members);
    free(team);
}
