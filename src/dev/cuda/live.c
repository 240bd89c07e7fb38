/* Does a running kernel see what the host stores? See guard.h.
 *
 * A kernel says that it has begun and looks at a flag in pinned memory until it is set, or a number
 * of times; the host sets it when the kernel runs. Answers hold for a card of the process: nothing
 * changes them.
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/error.h"
#include "dev/cuda/guard.h"
#include "dev/cuda/text.h"

#define LIVE_BYTES 256u
#define LIVE_LEAST_ROUNDS (1u << 14) /* 16 ms where a look takes 1 us, 10 us where 1 ns */
#define LIVE_MOST_ROUNDS (1u << 26)
#define LIVE_TRIES 10u
#define LIVE_UNWRITTEN UINT32_MAX
#define LIVE_PATIENCE_NS UINT64_C(2000000000) /* for the kernel to begin */
#define LIVE_LEAD_NS 20000u                   /* it mostly looks by then */
#define LIVE_BLIND_NS UINT64_C(20000000)      /* who has not seen it by now never will */

struct live_verdict {
    const struct cuda_api *api;
    cuda_ordinal ordinal;
    uint32_t live;
    struct live_verdict *next;
};

static struct lock live_lock;
static struct live_verdict *live_verdicts; /* kept until the process ends */

static const char live_source[] =
    "extern \"C\" __global__ void fgpu_live(volatile unsigned *flag, volatile unsigned *seen,\n"
    "                                     unsigned rounds)\n"
    "{ unsigned n = 0; seen[2] = 1; __threadfence_system();\n"
    "  while (n < rounds && flag[0] == 0u) n++;\n"
    "  seen[0] = flag[0]; seen[1] = n; __threadfence_system(); }\n";

enum live_answer { LIVE_NO, LIVE_YES, LIVE_OPEN, LIVE_FAILED };

struct live_trial {
    struct cuda_device *device;
    cuda_stream stream;
    cuda_function function;
    _Atomic uint32_t *flag; /* in pinned memory, as what the kernel writes: */
    volatile uint32_t *seen;
    uint64_t lead_ns; /* how long the kernel runs before the store */
    uint32_t rounds;
    bool hangs; /* the card still uses it all */
};

/* Waits until the kernel has begun, and a moment more. True: it is over. */
static bool live_lead(const struct live_trial *trial)
{
    uint64_t begin_ns = clock_now_ns();
    uint64_t began_ns = 0;

    while (clock_now_ns() - begin_ns < LIVE_PATIENCE_NS) {
        if (trial->device->api->stream_query(trial->stream) != CUDA_ERROR_NOT_READY)
            return true;
        if (trial->seen[2] == 1 && began_ns == 0)
            began_ns = clock_now_ns();
        if (began_ns != 0 && clock_now_ns() - began_ns > trial->lead_ns)
            return false;
        atomic_pause();
    }
    return false;
}

static enum live_answer live_once(struct live_trial *trial)
{
    const struct cuda_api *api = trial->device->api;
    uint64_t flag = (uint64_t)(uintptr_t)trial->flag, seen = (uint64_t)(uintptr_t)trial->seen;
    void *args[] = {&flag, &seen, &trial->rounds};
    cuda_result error;

    atomic_store_release_u32(trial->flag, 0);
    trial->seen[0] = trial->seen[1] = trial->seen[2] = LIVE_UNWRITTEN;
    if (api->launch(trial->function, 1, 1, 1, 1, 1, 1, 0, trial->stream, args, NULL) !=
        CUDA_SUCCESS)
        return LIVE_FAILED;
    bool late = live_lead(trial);
    atomic_store_release_u32(trial->flag, 1);
    uint64_t stored_ns = clock_now_ns();
    error = cuda_device_settle(trial->device, trial->stream, LIMITS_CUDA_WAIT_NS);
    uint64_t took_ns = clock_now_ns() - stored_ns;
    trial->hangs = error == CUDA_ERROR_NOT_READY;
    if (error != CUDA_SUCCESS)
        return LIVE_FAILED;
    if (trial->seen[1] == LIVE_UNWRITTEN) /* and we do not see what it stores */
        return LIVE_NO;
    if (trial->seen[0] == 1 && trial->seen[1] > 0 && trial->seen[1] < trial->rounds)
        return LIVE_YES;
    if (trial->seen[1] == trial->rounds && !late && took_ns > LIVE_BLIND_NS)
        return LIVE_NO;
    if (trial->seen[1] == 0) /* it had not begun to look */
        trial->lead_ns *= 4;
    else if (trial->rounds < LIVE_MOST_ROUNDS) /* it was over */
        trial->rounds *= 16;
    return LIVE_OPEN;
}

/* Until the store falls into the time that the kernel looks. The context is current. */
static enum live_answer live_run(struct live_trial *trial)
{
    enum live_answer answer = LIVE_OPEN;
    char *memory = cuda_pinned_get(trial->device, LIVE_BYTES);

    if (memory == NULL)
        return LIVE_FAILED;
    trial->flag = (_Atomic uint32_t *)(void *)memory;
    trial->seen = (volatile uint32_t *)(void *)(memory + LIMITS_CACHE_LINE);
    for (uint32_t tries = 0; tries < LIVE_TRIES && answer == LIVE_OPEN; tries++)
        answer = live_once(trial);
    if (!trial->hangs)
        cuda_pinned_put(trial->device, memory, LIVE_BYTES);
    return answer;
}

static enum live_answer live_try(struct cuda_device *device)
{
    fgpu_code_source source = {.kind = FGPU_VARIANT_CUDA,
                               .arg_count = 3,
                               .text = live_source,
                               .entry = "fgpu_live",
                               .options = ""};
    struct live_trial trial = {
        .device = device, .lead_ns = LIVE_LEAD_NS, .rounds = LIVE_LEAST_ROUNDS};
    enum live_answer answer = LIVE_FAILED;
    fgpu_code_built built;
    fgpu_status status = cuda_code_build(device, &source, &built);

    free(built.log);
    if (status != FGPU_OK)
        return answer;
    trial.function = cuda_code_of(built.code)->function;
    if (cuda_device_enter(device) == CUDA_SUCCESS) {
        if (cuda_pinned_ready(device) == FGPU_OK &&
            device->api->stream_create(&trial.stream, CUDA_STREAM_NON_BLOCKING) == CUDA_SUCCESS) {
            answer = live_run(&trial);
            (void)device->api->stream_destroy(trial.stream);
        }
        cuda_device_leave(device);
    }
    if (!trial.hangs)
        cuda_code_free(device, built.code);
    return answer;
}

static struct live_verdict *live_find(const struct cuda_device *device)
{
    for (struct live_verdict *v = live_verdicts; v != NULL; v = v->next)
        if (v->api == device->api && v->ordinal == device->ordinal)
            return v;
    return NULL;
}

static void live_keep(const struct cuda_device *device, bool live)
{
    struct live_verdict *verdict = calloc(1, sizeof *verdict);

    if (verdict == NULL)
        return;
    *verdict = (struct live_verdict){device->api, device->ordinal, live, live_verdicts};
    live_verdicts = verdict;
}

fgpu_status cuda_live_flag(void *opened, uint32_t *live)
{
    struct cuda_device *device = opened;
    enum live_answer answer = LIVE_FAILED;
    struct live_verdict *verdict = NULL;

    *live = 0;
    lock_acquire(&live_lock);
    verdict = live_find(device);
    if (verdict != NULL) {
        answer = verdict->live != 0 ? LIVE_YES : LIVE_NO;
    } else {
        answer = live_try(device);
        if (answer <= LIVE_YES)
            live_keep(device, answer == LIVE_YES);
    }
    lock_release(&live_lock);
    *live = answer == LIVE_YES;
    if (answer <= LIVE_YES)
        return FGPU_OK;
    return error_set(answer == LIVE_OPEN ? FGPU_E_AGAIN : FGPU_E_DEVICE,
                     "cuda:%u: whether a running kernel sees the host's stores could not be tried",
                     device->index);
}
