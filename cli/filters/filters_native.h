/* The image filters as native C functions over a range of work groups (fgpu_native_fn).
 *
 * Each takes the arguments of the OpenCL kernel of the same name (cli/kernels, where the
 * arithmetic and the meaning of a tile are defined) and gives the same bits. Pure but for the
 * destination tile; called by the worker threads of the `cpu` device on disjoint ranges of one
 * task.
 */
#ifndef FASTGPU_CLI_FILTERS_FILTERS_NATIVE_H
#define FASTGPU_CLI_FILTERS_FILTERS_NATIVE_H

#include <fastgpu/kernel.h>

/* args: src, dst, from, to, shape */
int filters_native_grey(const fgpu_range *range, void *const *args, void *user);
int filters_native_sobel(const fgpu_range *range, void *const *args, void *user);

int filters_native_median3x3(const fgpu_range *range, void *const *args, void *user);
int filters_native_halve(const fgpu_range *range, void *const *args, void *user);
int filters_native_histogram(const fgpu_range *range, void *const *args, void *user);
int filters_native_equalise_table(const fgpu_range *range, void *const *args, void *user);

/* args: src, dst, from, to, shape, scale */
int filters_native_to_float(const fgpu_range *range, void *const *args, void *user);
int filters_native_from_float(const fgpu_range *range, void *const *args, void *user);

/* args: src, dst, weights, from, to, shape */
int filters_native_blur_horizontal(const fgpu_range *range, void *const *args, void *user);
int filters_native_blur_vertical(const fgpu_range *range, void *const *args, void *user);
int filters_native_blur_2d(const fgpu_range *range, void *const *args, void *user);
int filters_native_conv3x3(const fgpu_range *range, void *const *args, void *user);
int filters_native_conv3x3x3(const fgpu_range *range, void *const *args, void *user);

/* args: src, dst, table, from, to, shape */
int filters_native_lookup(const fgpu_range *range, void *const *args, void *user);

/* args: src, blurred, dst, from, to, shape */
int filters_native_sharpen(const fgpu_range *range, void *const *args, void *user);

#endif
