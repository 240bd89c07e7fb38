/* Drives any device through the table of backend.h: see device_rig.h. */
#include "lib/device_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/error.h"

static void rig_ring(void *arg)
{
    doorbell_ring(arg);
}

static void rig_record(void *user, const struct layer_trace_event *event)
{
    struct rig *rig = user;

    (void)event;
    (void)atomic_add_relaxed_u64(&rig->trace_events, 1);
}

static void rig_setenv(const char *name, const char *value)
{
    if (value != NULL)
        (void)setenv(name, value, 1);
    else
        (void)unsetenv(name);
}

void rig_cuda_library(const char *library)
{
    rig_setenv("FASTGPU_CUDA_LIBRARY", library);
    rig_setenv("FASTGPU_NVRTC_LIBRARY", library);
    rig_setenv("FASTGPU_NVML_LIBRARY", library);
}

static void rig_wrap(struct rig *rig)
{
    const struct rig_target *target = rig->target;
    struct layer_trace_sink sink = {rig_record, rig};
    struct faults faults;

    if (target->faults != NULL) {
        assert_int_equal(faults_parse(target->faults, &faults), FGPU_OK);
        assert_int_equal(device_wrap_faults(&rig->device, &rig->ringer, &faults, target->index),
                         FGPU_OK);
    }
    if (target->validate)
        assert_int_equal(device_wrap_validate(&rig->device, &rig->ringer), FGPU_OK);
    if (target->trace)
        assert_int_equal(device_wrap_trace(&rig->device, &sink), FGPU_OK);
}

void rig_open(struct rig *rig, const struct rig_target *target)
{
    struct registry_match match = {.backend = target->backend, .index = target->index};
    fgpu_status status;

    memset(rig, 0, sizeof *rig);
    rig->target = target;
    doorbell_init(&rig->bell);
    rig->ringer = (fgpu_doorbell){rig_ring, &rig->bell};
    rig_setenv("FASTGPU_OPENCL_LIBRARY", target->opencl_library);
    rig_setenv("FASTGPU_OPENCL_MEMORY", target->opencl_memory);
    rig_cuda_library(target->cuda_library);
    status = device_open(&rig->device, &match, &target->options, &rig->ringer);
    if (status != FGPU_OK)
        fail_msg("%s: open: %s: %s", target->name, fgpu_status_name(status), error_text());
    rig_wrap(rig);
    rig->queue_count = rig->device.caps.queue_count;
    if (rig->queue_count > RIG_QUEUES)
        rig->queue_count = RIG_QUEUES;
    for (uint32_t i = 0; i < rig->queue_count; i++) {
        status = device_queue_open(&rig->device, i, &rig->queues[i]);
        if (status != FGPU_OK)
            fail_msg("%s: queue %u: %s", target->name, i, fgpu_status_name(status));
    }
}

void rig_close(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->queue_count; i++)
        device_queue_close(&rig->queues[i]);
    device_close(&rig->device);
}

/* The text of a queue that stopped. */
static void rig_stopped(struct rig *rig, uint32_t queue, fgpu_status status)
{
    char reason[256];

    device_reason(&rig->device, reason, sizeof reason);
    fail_msg("%s: queue %u stopped after %llu: %s: %s", rig->target->name, queue,
             (unsigned long long)rig->queues[queue].finished, fgpu_status_name(status), reason);
}

uint64_t rig_submit(struct rig *rig, uint32_t queue, const fgpu_cmd *cmds, uint32_t count)
{
    uint32_t done = 0;

    for (;;) {
        uint32_t seen = doorbell_read(&rig->bell);
        done += device_submit(&rig->queues[queue], cmds + done, count - done);
        if (done == count)
            return rig->queues[queue].accepted;
        uint64_t finished = rig->queues[queue].finished;
        fgpu_status status = device_poll(&rig->queues[queue]);
        if (status != FGPU_OK)
            rig_stopped(rig, queue, status);
        if (finished != rig->queues[queue].finished)
            continue; /* there may be room now */
        if (!doorbell_wait(&rig->bell, seen, 0, clock_now_ns() + RIG_PATIENCE_NS))
            fail_msg("%s: nothing accepted and no ring for 20 s", rig->target->name);
    }
}

fgpu_status rig_await(struct rig *rig, uint32_t queue, uint64_t number)
{
    uint64_t deadline_ns = clock_now_ns() + RIG_PATIENCE_NS;

    for (;;) {
        uint32_t seen = doorbell_read(&rig->bell);
        fgpu_status status = device_poll(&rig->queues[queue]);
        if (status != FGPU_OK || rig->queues[queue].finished >= number)
            return status;
        if (!doorbell_wait(&rig->bell, seen, 0, deadline_ns))
            fail_msg("%s: queue %u: no ring for command %llu in 20 s, finished is %llu",
                     rig->target->name, queue, (unsigned long long)number,
                     (unsigned long long)rig->queues[queue].finished);
    }
}

void rig_wait(struct rig *rig, uint32_t queue, uint64_t number)
{
    fgpu_status status = rig_await(rig, queue, number);

    if (status != FGPU_OK)
        rig_stopped(rig, queue, status);
}

fgpu_status rig_run(struct rig *rig, uint32_t queue, uint32_t kind, uint32_t flags, void *body)
{
    fgpu_cmd cmd = {kind, flags, body};

    ((fgpu_cmd_result *)body)->status = 12345;
    rig_wait(rig, queue, rig_submit(rig, queue, &cmd, 1));
    assert_int_not_equal(((fgpu_cmd_result *)body)->status, 12345);
    return ((fgpu_cmd_result *)body)->status;
}

fgpu_status rig_run_raw(struct rig *rig, uint32_t queue, uint32_t kind, void *body)
{
    struct device_queue *to = &rig->queues[queue];
    fgpu_cmd cmd = {kind, 0, body};

    ((fgpu_cmd_result *)body)->status = 12345;
    while (rig->device.backend->submit(to->self, &cmd, 1, &to->accepted) == 0)
        assert_int_equal(device_poll(to), FGPU_OK);
    rig_wait(rig, queue, to->accepted);
    assert_int_not_equal(((fgpu_cmd_result *)body)->status, 12345);
    return ((fgpu_cmd_result *)body)->status;
}

fgpu_mem rig_alloc(struct rig *rig, uint64_t bytes)
{
    fgpu_mem mem = 0;
    fgpu_status status = device_mem_alloc(&rig->device, bytes, &mem);

    if (status != FGPU_OK)
        fail_msg("%s: alloc of %llu bytes: %s", rig->target->name, (unsigned long long)bytes,
                 fgpu_status_name(status));
    return mem;
}

void rig_free(struct rig *rig, fgpu_mem mem)
{
    device_mem_free(&rig->device, mem);
}

void rig_write(struct rig *rig, fgpu_mem mem, uint64_t offset, const void *from, uint64_t bytes)
{
    fgpu_cmd_copy copy = {.src = (uintptr_t)from,
                          .src_is_host = 1,
                          .dst = mem,
                          .dst_offset_bytes = offset,
                          .src_pitch_bytes = bytes,
                          .dst_pitch_bytes = bytes,
                          .row_bytes = bytes,
                          .rows = 1};

    assert_int_equal(rig_run(rig, 0, FGPU_CMD_COPY, 0, &copy), FGPU_OK);
}

void rig_read(struct rig *rig, fgpu_mem mem, uint64_t offset, void *to, uint64_t bytes)
{
    fgpu_cmd_copy copy = {.src = mem,
                          .dst = (uintptr_t)to,
                          .dst_is_host = 1,
                          .src_offset_bytes = offset,
                          .src_pitch_bytes = bytes,
                          .dst_pitch_bytes = bytes,
                          .row_bytes = bytes,
                          .rows = 1};

    assert_int_equal(rig_run(rig, 0, FGPU_CMD_COPY, 0, &copy), FGPU_OK);
}

void rig_noise(struct rng *rng, void *to, uint64_t bytes)
{
    unsigned char *out = to;

    for (uint64_t i = 0; i < bytes; i++)
        out[i] = (unsigned char)rng_u64(rng);
}
