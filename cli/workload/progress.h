/* A line on the terminal that says how far the work is: what is done, how much of how much, and
 * when it will be over. Main thread; nothing is shown where stderr is no terminal.
 */
#ifndef FASTGPU_CLI_WORKLOAD_PROGRESS_H
#define FASTGPU_CLI_WORKLOAD_PROGRESS_H

#include "cli/workload/workload_session.h"

struct progress {
    bool is_shown;
    enum watch_phase phase;
    uint64_t phase_ns; /* when the phase began, 0: none has */
    uint64_t shown_ns; /* when the line was last written */
    uint32_t first;    /* done when the phase began */
};

/* [in] is_wanted: false for never. */
void progress_init(struct progress *progress, bool is_wanted);

/* As watch.progress, `user` is a struct progress. */
void progress_show(void *user, enum watch_phase phase, uint32_t done_count, uint32_t count);

/* Takes the line away. */
void progress_fini(struct progress *progress);

/* The line itself, pure: `passed_ns` since the phase began with `first` done. [out] text. */
void progress_text(enum watch_phase phase, uint32_t first, uint32_t done_count, uint32_t count,
                   uint64_t passed_ns, char text[100]);

#endif
