/* What the tests of recorded graphs share: a pool, nodes, and checks that say what went wrong. */
#ifndef FASTGPU_TESTS_LIB_GRAPH_RIG_H
#define FASTGPU_TESTS_LIB_GRAPH_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include <fastgpu/fastgpu.h>
#include "base/atomic.h"

static fgpu_pool rig_pool;

static inline void rig_need(fgpu_status status)
{
    if (status != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
}

/* The status is the expected one and its text holds `part`. */
static inline void rig_refused(fgpu_status status, fgpu_status expected, const char *part)
{
    if (status != expected)
        fail_msg("%s instead of %s: %s", fgpu_status_name(status), fgpu_status_name(expected),
                 fgpu_last_error());
    if (strstr(fgpu_last_error(), part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", fgpu_last_error(), part);
}

static inline void rig_open(const char *text)
{
    rig_need(fgpu_pool_open_text(text, &rig_pool));
}

static inline int rig_open_null(void **state)
{
    (void)state;
    return fgpu_pool_open_text("devices=null;cache=;log=off", &rig_pool) == FGPU_OK ? 0 : -1;
}

static inline int rig_open_cpu(void **state)
{
    (void)state;
    return fgpu_pool_open_text("devices=cpu;workers=2;cache=;log=off", &rig_pool) == FGPU_OK ? 0
                                                                                             : -1;
}

static inline int rig_close(void **state)
{
    (void)state;
    (void)fgpu_pool_close(rig_pool);
    return 0;
}

/* ---- nodes */

static inline uint32_t rig_add(fgpu_graph graph, const fgpu_task_desc *desc)
{
    uint32_t node = UINT32_MAX;
    rig_need(fgpu_graph_add(graph, desc, &node));
    return node;
}

static inline uint32_t rig_add_empty(fgpu_graph graph, const char *name)
{
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_EMPTY;
    desc.name = name;
    return rig_add(graph, &desc);
}

/* A host function that touches one buffer. */
static inline uint32_t rig_add_host(fgpu_graph graph, fgpu_host_fn fn, void *user,
                                    fgpu_buffer buffer, fgpu_access access)
{
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = fn;
    desc.host_user = user;
    fgpu_arg arg = fgpu_arg_region(buffer, access, fgpu_region_whole());
    desc.args = &arg;
    desc.arg_count = buffer.bits != 0;
    return rig_add(graph, &desc);
}

static inline fgpu_graph rig_graph(void)
{
    fgpu_graph graph;
    rig_need(fgpu_graph_create(rig_pool, &graph));
    return graph;
}

static inline fgpu_buffer rig_buffer(uint64_t bytes)
{
    fgpu_buffer buffer;
    rig_need(fgpu_buffer_create(rig_pool, bytes, &buffer));
    return buffer;
}

static const fgpu_buffer rig_no_buffer = {0};

static inline int rig_count(void *const *args, void *user)
{
    (void)args;
    (void)atomic_add_seqcst_u32(user, 1);
    return 0;
}

static inline int rig_fail(void *const *args, void *user)
{
    (void)args;
    (void)user;
    return 1;
}

static inline fgpu_pool_stats rig_stats(void)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
    rig_need(fgpu_pool_get_stats(rig_pool, &stats));
    return stats;
}

struct rig_gate {
    _Atomic uint32_t open, passed;
};

static inline int rig_wait_at_gate(void *const *args, void *user)
{
    (void)args;
    struct rig_gate *gate = user;
    while (!atomic_load_acquire_u32(&gate->open))
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    (void)atomic_add_seqcst_u32(&gate->passed, 1);
    return 0;
}

#define RIG_ON(device, test) cmocka_unit_test_setup_teardown(test, rig_open_##device, rig_close)

#endif
