/* What one operation of the heap costs, beside malloc, mimalloc and jemalloc on the same events.
 *
 * usage: bench_heap [--json] [--rounds N] [--divide N] [FILE.csv ...]
 * Each FILE is a trace of lives (columns id,lower,upper,size: taken at lower, given back at upper);
 * without one those of FASTGPU_SHARED are taken, and a synthetic one. In each round every allocator
 * runs the whole stream, in an order that rotates; each operation is timed alone and the cost of
 * the timing is taken off. The heap starts without a slab; what it does when it grows counts, the
 * device's own call does not. Nobody's memory is touched. Device-sized blocks send allocators for
 * the host to the kernel, so a second pass divides all sizes (--divide: by that alone).
 * mimalloc and jemalloc are opened at run time (Debian: libmimalloc2.0, libjemalloc2); jemalloc's
 * thread-local data need room that glibc must be asked for before the process starts, so the
 * program starts itself once more with that.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/rng.h"
#include "base/vec.h"
#include "mem/heap.h"

#define ROUNDS 7u
#define SIDES 4u
#define DIVIDE 1024u
#define SYNTHETIC 200000u

struct life {
    uint64_t lower, upper, bytes;
};

/* One operation on the stream: block `id` comes or goes. */
struct step {
    uint64_t at, bytes;
    uint32_t id;
    uint32_t comes;
};

/* One allocator and what its operations took. */
struct side {
    const char *name;
    void *(*take)(size_t bytes); /* NULL: the heap */
    void (*give)(void *block);
    uint32_t *ns;
    uint64_t refused; /* NULL was the answer */
};

struct bench {
    struct side sides[SIDES];
    uint32_t side_count;
    uint32_t rounds;
    uint64_t divide; /* 0: 1 and DIVIDE */
    bool json;
    uint32_t printed;
    uint64_t timing_ns;
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
static struct step *make_steps(const struct vec *lives, uint64_t divide)
{
    struct step *steps = malloc(2 * lives->count * sizeof *steps + 1);
    for (size_t i = 0; steps != NULL && i < lives->count; i++) {
        const struct life *life = vec_at(lives, i);
        uint64_t bytes = life->bytes / divide > 0 ? life->bytes / divide : 1;
        steps[2 * i] = (struct step){life->lower, bytes, (uint32_t)i, 1};
        steps[2 * i + 1] = (struct step){life->upper, bytes, (uint32_t)i, 0};
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

static uint32_t spent_ns(const struct bench *bench, uint64_t begin)
{
    uint64_t spent = now_ns() - begin;
    spent = spent > bench->timing_ns ? spent - bench->timing_ns : 0;
    return spent < UINT32_MAX ? (uint32_t)spent : UINT32_MAX;
}

/* As the pool does it, but for the device. */
static void heap_take(struct heap *heap, uint64_t bytes, struct heap_block *block)
{
    uint64_t grow = 0, mem;
    enum heap_answer answer;
    while ((answer = heap_alloc(heap, bytes, block, &grow)) != HEAP_OK) {
        if (answer == HEAP_TRIM && heap_release_empty(heap, 0, &mem, &grow))
            continue;
        if (answer != HEAP_GROW || heap_add_slab(heap, 1, grow, true) == HEAP_NONE)
            abort();
    }
}

static void run_heap(const struct bench *bench, const struct step *steps, size_t count,
                     struct heap_block *blocks, uint32_t *ns)
{
    static struct heap heap;
    heap_init(&heap, &(struct heap_config){0});
    for (size_t i = 0; i < count; i++) {
        uint64_t begin = now_ns();
        if (steps[i].comes)
            heap_take(&heap, steps[i].bytes, &blocks[steps[i].id]);
        else
            heap_free(&heap, &blocks[steps[i].id]);
        ns[i] = spent_ns(bench, begin);
    }
    heap_fini(&heap);
}

static void run_rival(const struct bench *bench, struct side *side, const struct step *steps,
                      size_t count, void **blocks, uint32_t *ns)
{
    for (size_t i = 0; i < count; i++) {
        void **block = &blocks[steps[i].id];
        uint64_t begin = now_ns();
        if (steps[i].comes)
            *block = side->take(steps[i].bytes);
        else
            side->give(*block);
        ns[i] = spent_ns(bench, begin);
        side->refused += steps[i].comes && *block == NULL;
    }
}

static void print_side(struct bench *bench, const struct side *side, const char *name,
                       uint64_t divide, size_t count)
{
    size_t all = count * bench->rounds;
    double sum = 0;
    qsort(side->ns, all, sizeof *side->ns, ns_order);
    for (size_t i = 0; i < all; i++)
        sum += side->ns[i];
    uint32_t p50 = side->ns[all / 2], p99 = side->ns[all - all / 100 - 1];
    if (bench->json)
        printf("%s\n  {\"trace\": \"%s\", \"divide\": %" PRIu64 ", \"operations\": %zu, "
               "\"allocator\": \"%s\", \"op_ns_p50\": %u, \"op_ns_p99\": %u, "
               "\"op_ns_mean\": %.1f, \"refused\": %" PRIu64 "}",
               bench->printed++ > 0 ? "," : "", name, divide, count, side->name, p50, p99,
               sum / (double)all, side->refused);
    else
        printf("%-22s / %-5" PRIu64 "%-9s p50 %6u  p99 %6u  mean %8.1f ns%s\n", name, divide,
               side->name, p50, p99, sum / (double)all,
               side->refused > 0 ? "  (refused some)" : "");
}

static void compare(struct bench *bench, const char *name, const struct vec *lives, uint64_t divide)
{
    size_t count = 2 * lives->count;
    struct step *steps = make_steps(lives, divide);
    struct heap_block *blocks = calloc(lives->count + 1, sizeof *blocks);
    void **pointers = calloc(lives->count + 1, sizeof *pointers);
    if (steps == NULL || blocks == NULL || pointers == NULL)
        abort();
    for (uint32_t s = 0; s < bench->side_count; s++) {
        bench->sides[s].refused = 0;
        bench->sides[s].ns = calloc(count * bench->rounds + 1, sizeof(uint32_t));
        if (bench->sides[s].ns == NULL)
            abort();
    }
    bench->timing_ns = timing_ns();
    for (uint32_t round = 0; round < bench->rounds; round++) {
        for (uint32_t turn = 0; turn < bench->side_count; turn++) {
            struct side *side = &bench->sides[(turn + round) % bench->side_count];
            uint32_t *ns = side->ns + round * count;
            if (side->take == NULL)
                run_heap(bench, steps, count, blocks, ns);
            else
                run_rival(bench, side, steps, count, pointers, ns);
        }
    }
    for (uint32_t s = 0; s < bench->side_count; s++) {
        print_side(bench, &bench->sides[s], name, divide, count);
        free(bench->sides[s].ns);
    }
    free(steps);
    free(blocks);
    free(pointers);
}

static void report(struct bench *bench, const char *name, const struct vec *lives)
{
    if (lives->count == 0)
        return;
    compare(bench, name, lives, bench->divide != 0 ? bench->divide : 1);
    if (bench->divide == 0)
        compare(bench, name, lives, DIVIDE);
}

/* False: it cannot be read, or there is nothing in it. */
static bool report_trace(struct bench *bench, const char *path)
{
    char line[256];
    struct vec lives;
    FILE *file = fopen(path, "r");
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    if (file == NULL)
        return false;
    vec_init(&lives, sizeof(struct life), NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        struct life life;
        if (sscanf(line, "%*[0-9],%" SCNu64 ",%" SCNu64 ",%" SCNu64, &life.lower, &life.upper,
                   &life.bytes) == 3)
            vec_push(&lives, &life);
    }
    fclose(file);
    report(bench, name, &lives);
    bool any = lives.count > 0;
    vec_fini(&lives);
    return any;
}

/* Sizes from 16 B to 16 MiB, evenly in the logarithm; 20000 live at a time. */
static void report_synthetic(struct bench *bench)
{
    struct rng rng;
    struct vec lives;
    rng_init(&rng, 1);
    vec_init(&lives, sizeof(struct life), NULL);
    for (uint64_t i = 0; i < SYNTHETIC; i++) {
        uint64_t bytes = UINT64_C(16) << rng_below(&rng, 20);
        struct life life = {i, i + 1 + rng_below(&rng, 40000), bytes + rng_below(&rng, bytes)};
        vec_push(&lives, &life);
    }
    report(bench, "synthetic", &lives);
    vec_fini(&lives);
}

static void add_rival(struct bench *bench, const char *name, const char *library, const char *take,
                      const char *give)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    struct side *side = &bench->sides[bench->side_count];
    if (handle == NULL) {
        fprintf(stderr, "bench_heap: without %s: %s\n", name, dlerror());
        return;
    }
    *(void **)&side->take = dlsym(handle, take);
    *(void **)&side->give = dlsym(handle, give);
    side->name = name;
    bench->side_count += side->take != NULL && side->give != NULL;
}

/* Once more, with room for the thread-local data of what is opened later. */
static void restart(char **argv)
{
    static const char room[] = "glibc.rtld.optional_static_tls=16384";
    const char *tunables = getenv("GLIBC_TUNABLES");
    if (tunables != NULL)
        return;
    if (setenv("GLIBC_TUNABLES", room, 1) == 0)
        execv("/proc/self/exe", argv);
}

static int usage(void)
{
    fprintf(stderr, "usage: bench_heap [--json] [--rounds N] [--divide N] [FILE.csv ...]\n");
    return 2;
}

/* The place of the first file, 0: wrong usage. */
static int read_options(struct bench *bench, int argc, char **argv)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            bench->json = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            bench->rounds = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--divide") == 0 && i + 1 < argc) {
            bench->divide = strtoull(argv[++i], NULL, 10);
        } else {
            return 0;
        }
    }
    return bench->rounds > 0 && bench->rounds <= 1000 ? i : 0;
}

static int report_all(struct bench *bench, int count, char **paths)
{
    static const char *const traces[] = {"resnet50", "pangu_2.6B", "minimalloc_A.1048576",
                                         "minimalloc_D.1048576"};
    const char *folder = getenv("FASTGPU_SHARED");
    char path[4096];
    for (int i = 0; i < count; i++) {
        if (!report_trace(bench, paths[i])) {
            fprintf(stderr, "bench_heap: %s: no lives of blocks can be read\n", paths[i]);
            return 4;
        }
    }
    if (count > 0)
        return 0;
    for (size_t i = 0; folder != NULL && i < sizeof traces / sizeof traces[0]; i++) {
        snprintf(path, sizeof path, "%s/data/alloc/%s.csv", folder, traces[i]);
        (void)report_trace(bench, path);
    }
    report_synthetic(bench);
    return 0;
}

int main(int argc, char **argv)
{
    static struct bench bench = {.rounds = ROUNDS};
    int first = read_options(&bench, argc, argv);
    if (first == 0)
        return usage();
    restart(argv);
    bench.sides[bench.side_count++] = (struct side){.name = "heap"};
    bench.sides[bench.side_count++] = (struct side){.name = "malloc", .take = malloc, .give = free};
    add_rival(&bench, "mimalloc", "libmimalloc.so.2", "mi_malloc", "mi_free");
    add_rival(&bench, "jemalloc", "libjemalloc.so.2", "malloc", "free");
    if (bench.json)
        printf("{\"benchmark\": \"heap\", \"rounds\": %u, \"results\": [", bench.rounds);
    int code = report_all(&bench, argc - first, argv + first);
    if (bench.json)
        printf("]}\n");
    return code;
}
