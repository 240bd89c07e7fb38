/* Threads that meet: nobody goes on before all are there, all hear the same, and what one wrote
 * before a meeting the others read behind it. More members than cores, so that some sleep.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/baseline/baseline_team.h"

#define MEMBERS 5
#define ROUNDS 40
#define STEPS 25

struct board {
    uint64_t counts[MEMBERS]; /* plain: the meetings alone order them */
    uint32_t heard[MEMBERS];  /* the last verdict */
    uint32_t wrong[MEMBERS];
};

/* Each counts, all meet, each looks at all the others, all meet. One brings a verdict at a step
 * that changes from run to run, and all leave at once. */
static void member(struct baseline_team *team, uint32_t number, void *user)
{
    struct board *board = user;
    uint64_t before = board->counts[number];

    for (uint64_t step = 1; step <= STEPS; step++) {
        board->counts[number]++;
        uint32_t verdict = baseline_team_meet(team, number, 0);
        board->wrong[number] += verdict != 0;
        for (uint32_t i = 0; i < baseline_team_count(team); i++)
            board->wrong[number] += board->counts[i] != board->counts[number];
        bool is_me = (before + step) % MEMBERS == number && step == STEPS - before % 7;
        board->heard[number] = baseline_team_meet(team, number, is_me ? number + 1 : 0);
        if (board->heard[number] != 0)
            return;
    }
}

static void run_team(uint32_t count)
{
    struct baseline_team *team;
    struct board board = {.counts = {0}};

    assert_int_equal(baseline_team_start(count, &team), FGPU_OK);
    assert_int_equal(baseline_team_count(team), count);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t before = board.counts[0];
        baseline_team_run(team, member, &board);
        assert_true(board.counts[0] > before);
        for (uint32_t m = 0; m < count; m++) {
            assert_int_equal(board.wrong[m], 0);
            assert_true(board.counts[m] == board.counts[0]);
            assert_int_equal(board.heard[m], board.heard[0]);
        }
    }
    baseline_team_stop(team);
}

static void test_meeting(void **state)
{
    (void)state;
    run_team(MEMBERS);
    run_team(2);
    run_team(1);
}

static void test_stopping(void **state)
{
    struct baseline_team *team;

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(baseline_team_start(1 + (uint32_t)i % MEMBERS, &team), FGPU_OK);
        baseline_team_stop(team);
    }
    baseline_team_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meeting),
        cmocka_unit_test(test_stopping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
