/* What the OpenCL backend adds to a queue that is driven by hand.
 *
 * Both sides run empty kernels on the same device and, per case, in turn, ROUNDS times, each with a
 * queue of its own. Rate: COMMANDS kernels in batches of 1, 8 and 64. By hand: enqueue, flush after
 * each batch, clFinish at the end; no events, no profiling; once with everything in flight at once,
 * once with no more than the backend's queue takes. Backend: submit, FGPU_CMD_NOTIFY on the
 * last of each batch (of every 64 where batches are smaller), asleep on the doorbell when the queue
 * is full. Latency: one kernel and clFinish, against submit and poll until it is reported, and
 * against submit and sleep on the doorbell. Prints medians over the rounds, of the values and of
 * their ratios and differences within a round.
 * Wanted: rate >= 0.9 of by hand; latency at the median at most 5 us more.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/doorbell.h"
#include "base/error.h"
#include "dev/opencl/loader.h"
#include "dev/opencl/opencl.h"

#define ROUNDS 15
#define RATE_ROUNDS 21
#define COMMANDS 16384u
#define TRIPS 1000u
#define BATCH_MAX 64u
#define DEPTH 4096u /* LIMITS_OPENCL_COMMANDS */
#define NOTIFY_EVERY 64u
#define BODIES 8192u

static const char *const text = "__kernel void empty(__global int *a, int v) {}";

struct hand {
    const struct ocl_api *api;
    cl_context context;
    cl_command_queue queue;
    cl_kernel kernel;
    cl_int (*finish)(cl_command_queue);
    cl_int (*wait)(cl_uint, const cl_event *);
};

struct pool {
    void *device;
    void *queue;
    struct doorbell bell;
    fgpu_code code;
    fgpu_cmd_arg args[2];
    int value;
    uint64_t submitted;
    fgpu_cmd_launch bodies[BODIES];
};

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench_opencl_device: %s: %s\n", what, error_text());
    exit(1);
}

static void hand_check(cl_int error)
{
    if (error != CL_SUCCESS)
        die("an OpenCL call failed");
}

static void hand_open(struct hand *hand, int *memory)
{
    cl_platform_id platform = NULL;
    cl_device_id device = NULL;
    cl_program program = NULL;
    cl_int error = CL_SUCCESS;
    int value = 1;
    char why[256] = "";
    void *symbol = NULL;

    if (ocl_loader_get(&hand->api, why, sizeof(why)) != FGPU_OK) {
        (void)fprintf(stderr, "%s\n", why);
        exit(77);
    }
    symbol = dlsym(hand->api->handle, "clFinish");
    memcpy(&hand->finish, &symbol, sizeof(symbol));
    symbol = dlsym(hand->api->handle, "clWaitForEvents");
    memcpy(&hand->wait, &symbol, sizeof(symbol));
    if (hand->api->clGetPlatformIDs(1, &platform, NULL) != CL_SUCCESS)
        exit(77);
    hand_check(hand->api->clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL));
    hand->context = hand->api->clCreateContext(NULL, 1, &device, NULL, NULL, &error);
    hand_check(error);
    hand->queue = hand->api->clCreateCommandQueue(hand->context, device, 0, &error);
    hand_check(error);
    program =
        hand->api->clCreateProgramWithSource(hand->context, 1, (const char **)&text, NULL, &error);
    hand_check(error);
    hand_check(hand->api->clBuildProgram(program, 1, &device, "", NULL, NULL));
    hand->kernel = hand->api->clCreateKernel(program, "empty", &error);
    hand_check(error);
    if (hand->api->clSetKernelArgSVMPointer != NULL)
        hand_check(hand->api->clSetKernelArgSVMPointer(hand->kernel, 0, memory));
    hand_check(hand->api->clSetKernelArg(hand->kernel, 1, sizeof(value), &value));
}

static void hand_launch(const struct hand *hand, cl_event *event)
{
    size_t one = 1;

    hand_check(hand->api->clEnqueueNDRangeKernel(hand->queue, hand->kernel, 1, NULL, &one, &one, 0,
                                                 NULL, event));
}

/* ns per kernel; all of them in flight at once, or, bounded, no more than the backend takes: each
 * DEPTH / 2 kernels an event, which is waited for DEPTH / 2 kernels later. */
static double hand_rate(const struct hand *hand, uint32_t batch, bool bounded)
{
    uint64_t start_ns = clock_now_ns();
    cl_event events[2] = {NULL, NULL};

    for (uint32_t i = 0; i < COMMANDS; i++) {
        bool mark = bounded && (i + 1) % (DEPTH / 2) == 0;
        uint32_t which = i / (DEPTH / 2) % 2;
        hand_launch(hand, mark ? &events[which] : NULL);
        if ((i + 1) % batch == 0)
            hand_check(hand->api->clFlush(hand->queue));
        if (mark && events[1 - which] != NULL) {
            hand_check(hand->wait(1, &events[1 - which]));
            hand_check(hand->api->clReleaseEvent(events[1 - which]));
            events[1 - which] = NULL;
        }
    }
    hand_check(hand->finish(hand->queue));
    for (int i = 0; i < 2; i++)
        if (events[i] != NULL)
            hand_check(hand->api->clReleaseEvent(events[i]));
    return (double)(clock_now_ns() - start_ns) / COMMANDS;
}

static void pool_ring(void *arg)
{
    doorbell_ring(arg);
}

static void pool_open(struct pool *pool, int *memory)
{
    fgpu_backend_options options = {0};
    fgpu_doorbell bell = {pool_ring, &pool->bell};
    fgpu_code_source source = {
        .kind = FGPU_VARIANT_OPENCL, .arg_count = 2, .text = text, .entry = "empty", .options = ""};
    fgpu_code_built built = {0};
    fgpu_device_caps caps = {.struct_bytes = sizeof(caps)};

    doorbell_init(&pool->bell);
    if (opencl_backend.open(&options, 0, &bell, &pool->device) != FGPU_OK ||
        opencl_backend.queue_open(pool->device, 0, &pool->queue) != FGPU_OK ||
        opencl_backend.code_build(pool->device, &source, &built) != FGPU_OK)
        die("the backend does not open");
    free(built.log);
    opencl_backend.caps(pool->device, &caps);
    pool->value = 1;
    pool->code = built.code;
    pool->args[0] = (fgpu_cmd_arg){.kind = FGPU_ARG_BUFFER, .size_bytes = sizeof(*memory)};
    pool->args[0].u.buffer.mem = (fgpu_mem)(uintptr_t)memory;
    if (caps.host_memory == 0 &&
        opencl_backend.mem_alloc(pool->device, 64, &pool->args[0].u.buffer.mem) != FGPU_OK)
        die("no memory");
    pool->args[1] = (fgpu_cmd_arg){.kind = FGPU_ARG_SCALAR, .size_bytes = sizeof(pool->value)};
    pool->args[1].u.value = &pool->value;
    for (uint32_t i = 0; i < BODIES; i++)
        pool->bodies[i] = (fgpu_cmd_launch){.code = pool->code,
                                            .args = pool->args,
                                            .arg_count = 2,
                                            .dims = 1,
                                            .global = {1, 1, 1},
                                            .local = {1, 1, 1}};
}

static uint64_t pool_poll(struct pool *pool)
{
    uint64_t number = 0;

    if (opencl_backend.poll(pool->queue, &number) != FGPU_OK)
        die("the queue has failed");
    return number;
}

/* Sleeps until `number` is reported. */
static void pool_sleep(struct pool *pool, uint64_t number)
{
    for (;;) {
        uint32_t seen = doorbell_read(&pool->bell);
        if (pool_poll(pool) >= number)
            return;
        (void)doorbell_wait(&pool->bell, seen, 0, DOORBELL_FOREVER);
    }
}

static double pool_rate(struct pool *pool, uint32_t batch)
{
    fgpu_cmd cmds[BATCH_MAX];
    uint64_t start_ns = clock_now_ns();
    uint64_t base = pool->submitted;
    uint64_t last = 0;

    for (uint32_t i = 0; i < COMMANDS; i += batch) {
        uint32_t done = 0;
        for (uint32_t k = 0; k < batch; k++) {
            uint32_t flags =
                k + 1 == batch && (i + batch) % NOTIFY_EVERY < batch ? FGPU_CMD_NOTIFY : 0;
            cmds[k] = (fgpu_cmd){FGPU_CMD_LAUNCH, flags, &pool->bodies[(i + k) % BODIES]};
        }
        while (done < batch) {
            done += opencl_backend.submit(pool->queue, cmds + done, batch - done, &last);
            if (done < batch) /* full: until half of it is done */
                pool_sleep(pool, last - DEPTH / 2);
        }
    }
    pool->submitted = last;
    pool_sleep(pool, base + COMMANDS);
    return (double)(clock_now_ns() - start_ns) / COMMANDS;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double quantile(double *values, size_t count, double q)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[(size_t)((double)(count - 1) * q)];
}

enum trip { TRIP_HAND, TRIP_POLL, TRIP_SLEEP, TRIP_COUNT };

/* Median of TRIPS round trips, in ns; *tenth: the first decile. */
static double latency(struct hand *hand, struct pool *pool, enum trip trip, double *tenth)
{
    static double times[TRIPS];
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &pool->bodies[0]};

    for (uint32_t i = 0; i < TRIPS; i++) {
        uint64_t start_ns = clock_now_ns();
        if (trip == TRIP_HAND) {
            hand_launch(hand, NULL);
            hand_check(hand->finish(hand->queue));
        } else {
            if (opencl_backend.submit(pool->queue, &cmd, 1, &pool->submitted) != 1)
                die("submit");
            if (trip == TRIP_SLEEP)
                pool_sleep(pool, pool->submitted);
            while (pool_poll(pool) < pool->submitted)
                continue;
        }
        times[i] = (double)(clock_now_ns() - start_ns);
    }
    *tenth = quantile(times, TRIPS, 0.1);
    return quantile(times, TRIPS, 0.5);
}

struct cost {
    double wall_ns; /* per kernel */
    double cpu_ns;  /* per kernel, of the whole process */
};

enum side { SIDE_HAND, SIDE_BOUNDED, SIDE_POOL, SIDE_COUNT };

static struct cost rate(struct hand *hand, struct pool *pool, enum side side, uint32_t batch)
{
    uint64_t cpu_ns = clock_cpu_process_ns();
    double wall_ns =
        side == SIDE_POOL ? pool_rate(pool, batch) : hand_rate(hand, batch, side == SIDE_BOUNDED);

    return (struct cost){wall_ns, (double)(clock_cpu_process_ns() - cpu_ns) / COMMANDS};
}

/* The sides change places each round; a ratio is taken within a round, where the load of the
 * machine is nearly the same for all. */
static void report_rate(struct hand *hand, struct pool *pool, uint32_t batch)
{
    static const char *const names[SIDE_COUNT] = {"by hand", "by hand, bounded", "backend"};
    double wall[SIDE_COUNT][RATE_ROUNDS];
    double cpu[SIDE_COUNT][RATE_ROUNDS];
    double ratio[SIDE_COUNT][RATE_ROUNDS];
    double cpu_ratio[SIDE_COUNT][RATE_ROUNDS];

    for (int round = 0; round < RATE_ROUNDS; round++) {
        for (int turn = 0; turn < SIDE_COUNT; turn++) {
            int side = (round + turn) % SIDE_COUNT;
            struct cost cost = rate(hand, pool, (enum side)side, batch);
            wall[side][round] = cost.wall_ns;
            cpu[side][round] = cost.cpu_ns;
        }
        for (int side = 0; side < SIDE_COUNT; side++) {
            ratio[side][round] = wall[side][round] / wall[SIDE_POOL][round];
            cpu_ratio[side][round] = cpu[side][round] / cpu[SIDE_POOL][round];
        }
    }
    for (int side = 0; side < SIDE_COUNT; side++)
        printf("batch %2u, %-16s: %5.0f ns, CPU %5.0f ns a kernel; the backend's rate is x %.2f of "
               "it, by CPU time x %.2f\n",
               batch, names[side], quantile(wall[side], RATE_ROUNDS, 0.5),
               quantile(cpu[side], RATE_ROUNDS, 0.5), quantile(ratio[side], RATE_ROUNDS, 0.5),
               quantile(cpu_ratio[side], RATE_ROUNDS, 0.5));
}

static void report_latency(struct hand *hand, struct pool *pool)
{
    static const char *const names[TRIP_COUNT] = {"by hand, clFinish", "submit, poll",
                                                  "submit, sleep"};
    double middle[TRIP_COUNT][ROUNDS];
    double tenth[TRIP_COUNT][ROUNDS];
    double more[TRIP_COUNT][ROUNDS];

    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < TRIP_COUNT; i++) {
            middle[i][round] = latency(hand, pool, (enum trip)i, &tenth[i][round]);
            more[i][round] = middle[i][round] - middle[0][round];
        }
    for (int i = 0; i < TRIP_COUNT; i++)
        printf("latency %-18s p10 %6.1f us, p50 %6.1f us, %+.1f us\n", names[i],
               quantile(tenth[i], ROUNDS, 0.5) / 1e3, quantile(middle[i], ROUNDS, 0.5) / 1e3,
               quantile(more[i], ROUNDS, 0.5) / 1e3);
}

int main(void)
{
    static int memory[16];
    static struct hand hand;
    static struct pool pool;

    hand_open(&hand, memory);
    pool_open(&pool, memory);
    (void)hand_rate(&hand, 64, true);
    (void)pool_rate(&pool, 64);
    report_rate(&hand, &pool, 1);
    report_rate(&hand, &pool, 8);
    report_rate(&hand, &pool, 64);
    report_latency(&hand, &pool);
    return 0;
}
