/* What one heap_alloc or heap_free costs, beside malloc and free on the same stream of sizes.
 *
 * Both sides run in turn, ROUNDS times, in one process; each operation is timed alone and the cost
 * of the timing is taken off. Streams: lifetimes of tensors from published traces (columns
 * id,lower,upper,size: allocated at lower, freed at upper) where FASTGPU_SHARED names them, and a
 * synthetic one. malloc's memory is not touched. The heap has one slab that holds the stream, so
 * that growing is not measured.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/rng.h"
#include "base/vec.h"
#include "mem/heap.h"

#define ROUNDS 5

struct life {
    uint64_t lower, upper, bytes;
};

/* One operation on the stream: block `id` comes (bytes > 0) or goes. */
struct step {
    uint64_t at, bytes;
    uint32_t id;
    uint32_t comes;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int step_order(const void *a, const void *b)
{
    const struct step *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x->comes != y->comes) /* what ends here goes first */
        return x->comes < y->comes ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int ns_order(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The lives as a stream in time. [give] free() it. */
static struct step *make_steps(const struct vec *lives)
{
    struct step *steps = malloc(2 * lives->count * sizeof *steps);
    for (size_t i = 0; steps != NULL && i < lives->count; i++) {
        const struct life *life = vec_at(lives, i);
        steps[2 * i] = (struct step){life->lower, life->bytes, (uint32_t)i, 1};
        steps[2 * i + 1] = (struct step){life->upper, life->bytes, (uint32_t)i, 0};
    }
    if (steps != NULL)
        qsort(steps, 2 * lives->count, sizeof *steps, step_order);
    return steps;
}

/* Smallest difference of two readings: what timing an operation adds. */
static uint64_t timing_ns(void)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 10000; i++) {
        uint64_t a = now_ns(), b = now_ns();
        if (b - a < least)
            least = b - a;
    }
    return least;
}

static uint32_t spent_ns(uint64_t begin, uint64_t end, uint64_t timing)
{
    return end - begin > timing ? (uint32_t)(end - begin - timing) : 0;
}

static void run_heap(const struct step *steps, size_t count, struct heap_block *blocks,
                     uint32_t *ns, uint64_t timing)
{
    static struct heap heap;
    heap_init(&heap, &(struct heap_config){.slab_bytes = UINT64_C(1) << 40});
    heap_add_slab(&heap, 1, UINT64_C(1) << 40, false);
    for (size_t i = 0; i < count; i++) {
        const struct step *step = &steps[i];
        uint64_t grow = 0;
        uint64_t begin = now_ns();
        if (!step->comes)
            heap_free(&heap, &blocks[step->id]);
        else if (heap_alloc(&heap, step->bytes, &blocks[step->id], &grow) != HEAP_OK)
            abort();
        ns[i] = spent_ns(begin, now_ns(), timing);
    }
    heap_fini(&heap);
}

static void run_malloc(const struct step *steps, size_t count, void **blocks, uint32_t *ns,
                       uint64_t timing)
{
    for (size_t i = 0; i < count; i++) {
        const struct step *step = &steps[i];
        uint64_t begin = now_ns();
        if (step->comes)
            blocks[step->id] = malloc(step->bytes);
        else
            free(blocks[step->id]);
        ns[i] = spent_ns(begin, now_ns(), timing);
    }
}

/* Most bytes the stream has at a time, and the address space that the heap needs for them. */
static void print_packing(const char *name, const struct step *steps, size_t count,
                          struct heap_block *blocks)
{
    static struct heap heap;
    uint64_t now = 0, peak = 0, top = 0, grow = 0;
    heap_init(&heap, &(struct heap_config){.slab_bytes = UINT64_C(1) << 40});
    heap_add_slab(&heap, 1, UINT64_C(1) << 40, false);
    for (size_t i = 0; i < count; i++) {
        struct heap_block *block = &blocks[steps[i].id];
        if (!steps[i].comes) {
            heap_free(&heap, block);
            now -= steps[i].bytes;
            continue;
        }
        if (heap_alloc(&heap, steps[i].bytes, block, &grow) != HEAP_OK)
            abort();
        now += steps[i].bytes;
        peak = now > peak ? now : peak;
        top = block->offset + block->bytes > top ? block->offset + block->bytes : top;
    }
    printf("%-22s live at most %10.2f MiB, highest address %10.2f MiB (%.3f x)\n", name,
           (double)peak / 1048576, (double)top / 1048576, (double)top / (double)peak);
    heap_fini(&heap);
}

static void report(const char *name, const struct vec *lives)
{
    size_t count = 2 * lives->count, all = count * ROUNDS;
    struct step *steps = make_steps(lives);
    struct heap_block *blocks = calloc(lives->count, sizeof *blocks);
    void **pointers = calloc(lives->count, sizeof *pointers);
    uint32_t *heap_ns = calloc(all, sizeof *heap_ns);
    uint32_t *malloc_ns = calloc(all, sizeof *malloc_ns);
    if (steps == NULL || blocks == NULL || pointers == NULL || heap_ns == NULL || malloc_ns == NULL)
        abort();
    uint64_t timing = timing_ns();
    for (size_t round = 0; round < ROUNDS; round++) {
        run_heap(steps, count, blocks, heap_ns + round * count, timing);
        run_malloc(steps, count, pointers, malloc_ns + round * count, timing);
    }
    qsort(heap_ns, all, sizeof *heap_ns, ns_order);
    qsort(malloc_ns, all, sizeof *malloc_ns, ns_order);
    printf(
        "%-22s %8zu ops   heap p50 %4u p99 %5u ns   malloc p50 %4u p99 %5u ns   p99 ratio %.2f\n",
        name, count, heap_ns[all / 2], heap_ns[all - all / 100 - 1], malloc_ns[all / 2],
        malloc_ns[all - all / 100 - 1],
        (double)heap_ns[all - all / 100 - 1] / (double)(malloc_ns[all - all / 100 - 1] + 1));
    print_packing(name, steps, count, blocks);
    free(steps);
    free(blocks);
    free(pointers);
    free(heap_ns);
    free(malloc_ns);
}

static void report_trace(const char *folder, const char *name)
{
    char path[4096], line[256];
    struct vec lives;
    snprintf(path, sizeof path, "%s/data/alloc/%s.csv", folder, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        printf("%-22s not there\n", name);
        return;
    }
    vec_init(&lives, sizeof(struct life), NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        struct life life;
        if (sscanf(line, "%*[0-9],%" SCNu64 ",%" SCNu64 ",%" SCNu64, &life.lower, &life.upper,
                   &life.bytes) == 3)
            vec_push(&lives, &life);
    }
    fclose(file);
    report(name, &lives);
    vec_fini(&lives);
}

/* Sizes from 16 B to 16 MiB, evenly in the logarithm; 20000 live at a time. */
static void report_synthetic(void)
{
    struct rng rng;
    struct vec lives;
    rng_init(&rng, 1);
    vec_init(&lives, sizeof(struct life), NULL);
    for (uint64_t i = 0; i < 200000; i++) {
        uint64_t bytes = UINT64_C(16) << rng_below(&rng, 20);
        struct life life = {i, i + 1 + rng_below(&rng, 40000), bytes + rng_below(&rng, bytes)};
        vec_push(&lives, &life);
    }
    report("synthetic", &lives);
    vec_fini(&lives);
}

int main(void)
{
    static const char *const traces[] = {"resnet50", "pangu_2.6B", "minimalloc_A.1048576",
                                         "minimalloc_D.1048576"};
    const char *folder = getenv("FASTGPU_SHARED");
    for (size_t i = 0; folder != NULL && i < sizeof traces / sizeof traces[0]; i++)
        report_trace(folder, traces[i]);
    report_synthetic();
    return 0;
}
