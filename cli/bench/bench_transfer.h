/* What `fastgpu bench transfer` measures: the records between bench_transfer.c (options, words) and
 * the files that run: bench_transfer_copy.c (copies, maps), bench_transfer_own.c (scattered copies,
 * the pipeline, what is moved), bench_transfer_raw.c (the same by hand). Main thread.
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_TRANSFER_H
#define FASTGPU_CLI_BENCH_BENCH_TRANSFER_H

#include <signal.h>
#include <stdbool.h>

#include <fastgpu/fastgpu.h>

#define TRANSFER_ROUNDS_LIMIT 100
#define TRANSFER_SIZES 8u

struct transfer_options {
    uint64_t rounds;
    uint64_t largest_bytes; /* of copies and maps */
    uint64_t pieces;        /* scattered */
    uint64_t piece_bytes;
    uint64_t chunks; /* of the pipeline */
    uint64_t chunk_bytes;
    uint64_t link_mbps; /* 0: not paced */
    const volatile sig_atomic_t *stop;
};

/* Where a copy's bytes go. RAW: by hand. */
enum transfer_way {
    TRANSFER_MEMCPY,
    TRANSFER_WRITE, /* host memory: fgpu_buffer_write() */
    TRANSFER_READ,
    TRANSFER_COPY, /* fgpu_buffer_copy() */
    TRANSFER_IN,   /* own memory: the copy that a kernel needs */
    TRANSFER_OUT,  /* that a mapping needs */
    TRANSFER_RAW_IN,
    TRANSFER_RAW_OUT,
    TRANSFER_WAYS
};

/* Medians. Ratios: memcpy's time over the way's within a round; 1 is as fast as memcpy. */
struct transfer_copy {
    uint64_t bytes;
    bool has[TRANSFER_WAYS];
    double ns[TRANSFER_WAYS];
    double ratio[TRANSFER_WAYS];
};

struct transfer_map {
    uint64_t bytes;
    double ns; /* fgpu_buffer_map() and fgpu_buffer_unmap() together */
    bool has_raw;
    double raw_ns;
};

struct transfer_scattered {
    bool is_known;
    double gathered_ns;
    double one_by_one_ns;
    double speed_up; /* median of the rounds */
    bool has_raw;
    double raw_one_by_one_ns; /* blocking calls */
    double raw_enqueued_ns;   /* all enqueued, clFinish */
    double raw_speed_up;      /* of the pool over blocking calls */
};

struct transfer_pipeline {
    bool is_known;
    double in_ns, kernel_ns, out_ns; /* all chunks, each stage alone */
    double wall_ns;
    double over_longest; /* median of the rounds */
    double bytes_moved, bytes_compulsory;
};

struct transfer_result {
    fgpu_device_info host_info, own_info;
    bool has_host, has_own;
    uint32_t rounds;
    struct transfer_copy copies[TRANSFER_SIZES];
    uint32_t copy_count;
    struct transfer_map maps[TRANSFER_SIZES];
    uint32_t map_count;
    struct transfer_scattered scattered;
    struct transfer_pipeline pipeline;
    double bytes_moved, bytes_compulsory; /* of a graph whose data all fit */
    bool is_right;                        /* all that was compared */
};

struct transfer_raw; /* an OpenCL queue and a buffer, by hand */

/* FGPU_E_NODEVICE where there is no such OpenCL device. [give] raw. */
fgpu_status transfer_raw_open(const fgpu_device_info *info, uint64_t bytes,
                              struct transfer_raw **raw, char *why, size_t why_bytes);
void transfer_raw_close(struct transfer_raw *raw);
/* Blocking, or enqueued: then transfer_raw_finish(). */
fgpu_status transfer_raw_write(struct transfer_raw *raw, uint64_t offset, uint64_t bytes,
                               const void *from, bool is_blocking);
fgpu_status transfer_raw_read(struct transfer_raw *raw, uint64_t bytes, void *to);
fgpu_status transfer_raw_finish(struct transfer_raw *raw);
fgpu_status transfer_raw_map(struct transfer_raw *raw, uint64_t bytes); /* and unmap */

/* Both kinds of pool, and what they share. */
struct transfer_bench {
    const struct transfer_options *options;
    struct transfer_result *result;
    fgpu_pool host;                 /* zero: the device has memory of its own */
    fgpu_pool own;                  /* zero: there is none with memory of its own */
    fgpu_kernel touch, mark, steps; /* of `own` */
    struct transfer_raw *raw;       /* NULL: none */
};

/* FGPU_E_CANCELLED: the user ended it. FGPU_E_TASK: results are wrong. */
fgpu_status transfer_kernels(struct transfer_bench *bench);
fgpu_status transfer_run_copies(struct transfer_bench *bench);
fgpu_status transfer_run_maps(struct transfer_bench *bench);
fgpu_status transfer_run_scattered(struct transfer_bench *bench);
fgpu_status transfer_run_moved(struct transfer_bench *bench);
/* On a pool of its own whose link is paced. */
fgpu_status transfer_run_pipeline(struct transfer_bench *bench, fgpu_pool paced);

/* A kernel of so many items over buffers and one scalar; zero handles and `count` 0: left out. */
struct transfer_launch {
    fgpu_kernel kernel;
    fgpu_arg args[3];
    uint32_t arg_count;
    uint64_t items;
};
fgpu_status transfer_launch(fgpu_pool pool, const struct transfer_launch *launch, fgpu_task *task);
/* ... and its end. */
fgpu_status transfer_launch_wait(fgpu_pool pool, const struct transfer_launch *launch);

/* What `steps` makes of a word. */
uint32_t transfer_steps(uint32_t word, uint32_t at, uint32_t count);

#endif
