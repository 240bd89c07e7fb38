/* Writes the report of a made-up run (tests/lib/report_cases.h) and says how long that took.
 *
 * usage: make_report CASE FILE
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/common/figures.h"
#include "tests/lib/report_cases.h"

int main(int count, char **words)
{
    char why[CLI_WHY_BYTES] = "";
    struct stat facts;

    if (count != 3) {
        (void)fprintf(stderr, "usage: make_report CASE FILE\ncases:");
        for (const char *const *name = report_case_names; *name; name++)
            (void)fprintf(stderr, " %s", *name);
        (void)fprintf(stderr, "\n");
        return 2;
    }
    struct report_case *of = report_case_create(words[1]);
    if (!of) {
        (void)fprintf(stderr, "make_report: %s: no such case, or no memory\n", words[1]);
        return 1;
    }
    uint64_t start_ns = figures_wall_ns();
    fgpu_status status =
        report_write(words[2], &of->evaluation, of->pictures, of->picture_count, why, sizeof why);
    uint64_t took_ns = figures_wall_ns() - start_ns;
    uint32_t tasks = of->workload.task_count;
    report_case_destroy(of);
    if (status != FGPU_OK) {
        (void)fprintf(stderr, "make_report: %s\n", why);
        return 1;
    }
    if (stat(words[2], &facts) != 0)
        return 1;
    printf("%" PRIu32 " tasks: written in %.3f s, %.2f MB\n", tasks, (double)took_ns / 1e9,
           (double)facts.st_size / 1e6);
    return 0;
}
