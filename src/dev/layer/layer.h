/* What every layer shares: a layer is a device that wraps another one behind the same table.
 *
 * Layers sit between the checked calls and a backend (launch, complete). A pool puts them on when
 * asked (fgpu_pool_options.faults, FGPU_POOL_VALIDATE); tests stack them as they like. Each wraps
 * an open device in place: `struct layer_device` goes in naked and comes out wrapped; where
 * wrapping fails it is left as it was. Closing the outermost closes them all. Here: the fields that
 * begin every layer's device and queue, and the functions of the table that only pass the call on.
 */
#ifndef FASTGPU_DEV_LAYER_LAYER_H
#define FASTGPU_DEV_LAYER_LAYER_H

#include <fastgpu/backend.h>

/* An open device and the table to call it with. */
struct layer_device {
    const fgpu_backend *backend;
    void *self;
};

/* First member of every layer's device. */
struct layer_base {
    struct layer_device inner;
    const fgpu_doorbell *bell; /* [borrow] the pool's */
};

/* First member of every layer's queue. */
struct layer_queue {
    struct layer_base *layer;
    void *inner;
    uint32_t index;
};

/* Pass-through members of a layer's table; `device` is a struct layer_base. */
void layer_caps(void *device, fgpu_device_caps *caps);
fgpu_status layer_mem_alloc(void *device, uint64_t bytes, fgpu_mem *mem);
fgpu_status layer_mem_stitch(void *device, const fgpu_mem_piece *pieces, uint32_t count,
                             fgpu_mem *mem);
void layer_mem_free(void *device, fgpu_mem mem);
fgpu_status layer_code_build(void *device, const fgpu_code_source *source, fgpu_code_built *built);
void layer_code_free(void *device, fgpu_code code);
fgpu_status layer_sample(void *device, fgpu_device_sample *sample);
void layer_reason(void *device, char *text, size_t text_bytes);

fgpu_status layer_guard_open(void *device, uint64_t groups, fgpu_guard *guard);
void layer_guard_close(void *device, fgpu_guard guard);
void layer_guard_stop(void *device, fgpu_guard guard, uint32_t stop);
uint64_t layer_guard_left(void *device, fgpu_guard guard, uint64_t first, uint64_t count);
fgpu_status layer_live_flag(void *device, uint32_t *live);
fgpu_status layer_code_warm(void *device, const fgpu_cmd_launch *launch);

fgpu_status layer_host_pin(void *device, void *memory, uint64_t bytes);
fgpu_status layer_host_unpin(void *device, void *memory);

/* The members above, for a table: the pool calls them where caps.slices and caps.host_pins say so.
 */
#define LAYER_GUARDS                                                                               \
    .guard_open = layer_guard_open, .guard_close = layer_guard_close,                              \
    .guard_stop = layer_guard_stop, .guard_left = layer_guard_left, .live_flag = layer_live_flag,  \
    .code_warm = layer_code_warm, .host_pin = layer_host_pin, .host_unpin = layer_host_unpin

/* Opens the queue below and fills the queue's first member. */
fgpu_status layer_queue_open(struct layer_base *layer, uint32_t index, struct layer_queue *queue);

/* Members that a layer never gets, for it is wrapped around a device that is open already:
 * FGPU_E_UNSUPPORTED. */
fgpu_status layer_probe(const fgpu_backend_options *options, fgpu_device_info *infos,
                        uint32_t capacity, uint32_t *count, char *why, size_t why_bytes);
fgpu_status layer_open(const fgpu_backend_options *options, uint32_t index,
                       const fgpu_doorbell *bell, void **device);

#endif
