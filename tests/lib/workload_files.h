/* Files for workloads in tests, without a disk: what a path ends in says what is there.
 *
 * photo.png is a picture of 64 x 48 RGB, grey.png of 64 x 48 grey, table.npy holds 3 x 4 float32,
 * half.npy 4 float16, single.npy one float32 without an axis,
 * data.bin has 48 bytes, any .cl is a text; nothing else can be read. Pure; any thread.
 */
#ifndef FASTGPU_LIB_WORKLOAD_FILES_H
#define FASTGPU_LIB_WORKLOAD_FILES_H

#include "cli/workload/workload.h"

extern const struct workload_files workload_files_made_up;

/* Options that have these files and nothing else. */
extern const struct workload_options workload_made_up;

#endif
