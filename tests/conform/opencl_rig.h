/* Drives the OpenCL backend through its table, for test_opencl_*.c: one device, one queue, buffers
 * that hide whether the device works in host memory. */
#ifndef FASTGPU_CONFORM_OPENCL_RIG_H
#define FASTGPU_CONFORM_OPENCL_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/atomic.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "dev/opencl/opencl.h"

#define RIG_WAIT_NS UINT64_C(60000000000)
#define RIG_ARGS 64

struct rig {
    const fgpu_backend *backend;
    fgpu_backend_options options;
    fgpu_device_caps caps;
    void *device;
    void *queue;
    _Atomic uint32_t rings;
    uint64_t last; /* newest number accepted */
};

static inline void rig_ring(void *arg)
{
    (void)atomic_add_acqrel_u32(&((struct rig *)arg)->rings, 1);
}

static inline fgpu_doorbell rig_bell(struct rig *rig)
{
    return (fgpu_doorbell){rig_ring, rig};
}

/* Opens device `index` and its queue 0. */
static inline void rig_open(struct rig *rig, const fgpu_backend_options *options, uint32_t index)
{
    fgpu_doorbell bell = rig_bell(rig);
    fgpu_status status = FGPU_OK;

    memset(rig, 0, sizeof(*rig));
    rig->backend = &opencl_backend;
    if (options != NULL)
        rig->options = *options;
    status = rig->backend->open(&rig->options, index, &bell, &rig->device);
    if (status != FGPU_OK)
        fail_msg("open: %s: %s", fgpu_status_name(status), error_text());
    rig->caps.struct_bytes = sizeof(rig->caps);
    rig->backend->caps(rig->device, &rig->caps);
    assert_int_equal(rig->backend->queue_open(rig->device, 0, &rig->queue), FGPU_OK);
}

static inline void rig_close(struct rig *rig)
{
    rig->backend->queue_close(rig->queue);
    rig->backend->close(rig->device);
}

/* Waits until `number` is reported; the queue's status. */
static inline fgpu_status rig_wait(struct rig *rig, uint64_t number)
{
    uint64_t deadline_ns = clock_now_ns() + RIG_WAIT_NS;
    uint64_t reached = 0;
    fgpu_status status = FGPU_OK;

    for (;;) {
        status = rig->backend->poll(rig->queue, &reached);
        if (status != FGPU_OK || reached >= number)
            return status;
        if (clock_now_ns() > deadline_ns)
            fail_msg("command %llu not reported in time, newest is %llu",
                     (unsigned long long)number, (unsigned long long)reached);
        atomic_pause();
    }
}

/* Submits all of it, polling when the queue is full. */
static inline fgpu_status rig_submit(struct rig *rig, const fgpu_cmd *cmds, uint32_t count)
{
    uint64_t deadline_ns = clock_now_ns() + RIG_WAIT_NS;

    while (count > 0) {
        uint64_t number = 0;
        uint32_t taken = rig->backend->submit(rig->queue, cmds, count, &rig->last);
        fgpu_status status = rig->backend->poll(rig->queue, &number);
        assert_true(taken <= count);
        cmds += taken;
        count -= taken;
        if (status != FGPU_OK)
            return status;
        if (clock_now_ns() > deadline_ns)
            fail_msg("submit stands still");
    }
    return FGPU_OK;
}

static inline void rig_run(struct rig *rig, uint32_t kind, uint32_t flags, void *body)
{
    fgpu_cmd cmd = {kind, flags, body};

    assert_int_equal(rig_submit(rig, &cmd, 1), FGPU_OK);
    assert_int_equal(rig_wait(rig, rig->last), FGPU_OK);
}

static inline fgpu_mem rig_alloc(struct rig *rig, uint64_t bytes)
{
    fgpu_mem mem = 0;
    fgpu_status status = rig->backend->mem_alloc(rig->device, bytes, &mem);

    if (status != FGPU_OK)
        fail_msg("mem_alloc: %s: %s", fgpu_status_name(status), error_text());
    return mem;
}

/* Host memory to the device and back, whatever the device is. */
static inline void rig_write(struct rig *rig, fgpu_mem mem, uint64_t offset_bytes, const void *from,
                             uint64_t bytes)
{
    fgpu_cmd_copy copy = {.src = (fgpu_mem)(uintptr_t)from,
                          .dst = mem,
                          .src_is_host = 1,
                          .dst_offset_bytes = offset_bytes,
                          .row_bytes = bytes,
                          .rows = 1};

    rig_run(rig, FGPU_CMD_COPY, FGPU_CMD_NOTIFY, &copy);
    assert_int_equal(copy.result.status, FGPU_OK);
}

static inline void rig_read(struct rig *rig, fgpu_mem mem, uint64_t offset_bytes, void *to,
                            uint64_t bytes)
{
    fgpu_cmd_copy copy = {.src = mem,
                          .dst = (fgpu_mem)(uintptr_t)to,
                          .dst_is_host = 1,
                          .src_offset_bytes = offset_bytes,
                          .row_bytes = bytes,
                          .rows = 1};

    rig_run(rig, FGPU_CMD_COPY, FGPU_CMD_NOTIFY, &copy);
    assert_int_equal(copy.result.status, FGPU_OK);
}

static inline fgpu_code rig_build(struct rig *rig, const char *text, const char *entry,
                                  uint32_t arg_count)
{
    fgpu_code_source source = {.kind = FGPU_VARIANT_OPENCL,
                               .arg_count = arg_count,
                               .text = text,
                               .entry = entry,
                               .options = ""};
    fgpu_code_built built = {0};
    fgpu_status status = rig->backend->code_build(rig->device, &source, &built);

    if (status != FGPU_OK)
        fail_msg("build of %s: %s: %s\n%s", entry, fgpu_status_name(status), error_text(),
                 built.log != NULL ? built.log : "");
    free(built.log);
    return built.code;
}

static inline fgpu_cmd_arg rig_buffer(fgpu_mem mem, uint64_t offset_bytes, uint64_t bytes)
{
    fgpu_cmd_arg arg = {.kind = FGPU_ARG_BUFFER, .size_bytes = bytes};

    arg.u.buffer.mem = mem;
    arg.u.buffer.offset_bytes = offset_bytes;
    return arg;
}

static inline fgpu_cmd_arg rig_scalar(const void *value, uint64_t bytes)
{
    fgpu_cmd_arg arg = {.kind = FGPU_ARG_SCALAR, .size_bytes = bytes};

    arg.u.value = value;
    return arg;
}

static inline fgpu_cmd_arg rig_local(uint64_t bytes)
{
    return (fgpu_cmd_arg){.kind = FGPU_ARG_LOCAL, .size_bytes = bytes};
}

static inline fgpu_cmd_launch rig_launch(fgpu_code code, const fgpu_cmd_arg *args,
                                         uint32_t arg_count, uint64_t global, uint32_t local)
{
    return (fgpu_cmd_launch){.code = code,
                             .args = args,
                             .arg_count = arg_count,
                             .dims = 1,
                             .global = {global, 1, 1},
                             .local = {local, 1, 1}};
}

#endif
