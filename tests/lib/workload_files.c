/* Files for workloads in tests: see workload_files.h. */
#include "lib/workload_files.h"

#include <stdio.h>
#include <string.h>

static bool ends_in(const char *path, const char *end)
{
    size_t length = strlen(path), end_length = strlen(end);

    return length >= end_length && strcmp(path + length - end_length, end) == 0;
}

static fgpu_status refuse(const char *path, char *why, size_t why_bytes)
{
    (void)snprintf(why, why_bytes, "%s%sthere is no such file", path ? path : "", path ? ": " : "");
    return FGPU_E_IO;
}

static fgpu_status give_image(const char *path, uint32_t *width, uint32_t *height,
                              uint32_t *channels, char *why, size_t why_bytes)
{
    if (!ends_in(path, "photo.png") && !ends_in(path, "grey.png"))
        return refuse(path, why, why_bytes);
    *width = 64;
    *height = 48;
    *channels = ends_in(path, "photo.png") ? 3 : 1;
    return FGPU_OK;
}

static fgpu_status give_npy(const char *path, struct npy_form *form, char *why, size_t why_bytes)
{
    if (ends_in(path, "half.npy"))
        return npy_form_init(form, NPY_f2, 1, (const uint64_t[1]){4}, why, why_bytes);
    if (ends_in(path, "single.npy"))
        return npy_form_init(form, NPY_f4, 0, NULL, why, why_bytes);
    if (!ends_in(path, "table.npy"))
        return refuse(path, why, why_bytes);
    return npy_form_init(form, NPY_f4, 2, (const uint64_t[2]){3, 4}, why, why_bytes);
}

static fgpu_status give_size(const char *path, uint64_t *size_bytes, char *why, size_t why_bytes)
{
    if (!ends_in(path, "data.bin"))
        return refuse(NULL, why, why_bytes);
    *size_bytes = 48;
    return FGPU_OK;
}

static fgpu_status give_text(const char *path, char **text, char *why, size_t why_bytes)
{
    if (!ends_in(path, ".cl"))
        return refuse(path, why, why_bytes);
    *text = strdup("kernel void k(global float *x) { x[0] = 1; }");
    return *text ? FGPU_OK : FGPU_E_NOMEM;
}

const struct workload_files workload_files_made_up = {give_image, give_npy, give_size, give_text};
const struct workload_options workload_made_up = {.files = &workload_files_made_up};
