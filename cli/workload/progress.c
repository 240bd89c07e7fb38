/* The line of progress: see progress.h. */
#include "cli/workload/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/figures.h"

#define PROGRESS_BAR 24
#define PROGRESS_EVERY_NS UINT64_C(50000000)

/* Before so long a time nothing is said of the rest. */
#define PROGRESS_GUESS_NS UINT64_C(1000000000)

void progress_init(struct progress *progress, bool is_wanted)
{
    *progress = (struct progress){.is_shown = is_wanted && isatty(STDERR_FILENO) == 1};
}

void progress_text(enum watch_phase phase, uint32_t first, uint32_t done_count, uint32_t count,
                   uint64_t passed_ns, char text[100])
{
    static const char *const words[][2] = {
        [WATCH_COMPILING] = {"compiling", "kernels"}, [WATCH_RUNNING] = {"running", "tasks"},
        [WATCH_MEASURING] = {"measuring", "rounds"},  [WATCH_WRITING] = {"writing", "outputs"},
        [WATCH_SIMULATING] = {"simulating", "tasks"}, [WATCH_REPLAYING] = {"replaying", "steps"}};
    char bar[PROGRESS_BAR + 1], rest[32] = "";
    uint32_t done = done_count < count ? done_count : count;
    uint32_t filled = count > 0 ? (uint32_t)((uint64_t)done * PROGRESS_BAR / count) : 0;

    memset(bar, ' ', PROGRESS_BAR);
    memset(bar, '#', filled);
    bar[PROGRESS_BAR] = '\0';
    if (passed_ns >= PROGRESS_GUESS_NS && done > first) {
        double left_ns = (double)passed_ns / (done - first) * (count - done);
        (void)snprintf(rest, sizeof rest, ", %.0f s left", left_ns / 1e9);
    }
    (void)snprintf(text, 100, "%s [%s] %u of %u %s%s", words[phase][0], bar, done, count,
                   words[phase][1], rest);
}

void progress_show(void *user, enum watch_phase phase, uint32_t done_count, uint32_t count)
{
    struct progress *progress = user;
    uint64_t now_ns = figures_wall_ns();
    char text[100];

    if (!progress->is_shown)
        return;
    if (progress->phase_ns == 0 || progress->phase != phase || done_count < progress->first) {
        progress->phase = phase;
        progress->phase_ns = now_ns;
        progress->first = done_count;
    } else if (now_ns - progress->shown_ns < PROGRESS_EVERY_NS) {
        return;
    }
    progress->shown_ns = now_ns;
    progress_text(phase, progress->first, done_count, count, now_ns - progress->phase_ns, text);
    fprintf(stderr, "\r%-78s", text);
}

void progress_fini(struct progress *progress)
{
    if (progress->is_shown && progress->phase_ns != 0)
        fprintf(stderr, "\r%78s\r", "");
    progress->phase_ns = 0;
}
