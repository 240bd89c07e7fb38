/* The report as one HTML file that works offline: figures, timeline, utilisation, task graph where
 * it is small, pictures before and after, the founding documents' models.
 *
 * Thread: one at a time; blocks on the disk. The file is replaced as a whole, or left as it was.
 */
#ifndef FASTGPU_CLI_REPORT_REPORT_H
#define FASTGPU_CLI_REPORT_REPORT_H

#include "cli/evaluate/evaluation.h"

/* A picture to be shown: what a buffer held before the run, or an output. By their names the report
 * finds them in the workload, and so which inputs an output was made from. */
struct report_picture {
    const char *name;          /* of an input its buffer's, of an output its file's */
    const struct image *image; /* [borrow] */
    bool is_input;
};

/* [in] evaluation: with its workload; whatever else was not measured is shown as unknown.
 * [in] pictures: any number; large ones are scaled down, and no more are taken than fit.
 * Errors: FGPU_E_IO, FGPU_E_NOMEM with a sentence. */
fgpu_status report_write(const char *path, const struct evaluation *evaluation,
                         const struct report_picture *pictures, uint32_t picture_count, char *why,
                         size_t why_bytes);

#endif
