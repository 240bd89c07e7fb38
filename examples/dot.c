/* A dot product by reduction: tasks add up pieces of it side by side.
 *
 *   cc dot.c $(pkg-config --cflags --libs fastgpu) && ./a.out
 *
 * 64 tasks accumulate into the same 256 sums. With FGPU_READ_WRITE they would run one after
 * another; with FGPU_REDUCE each adds to an array of the pool's own, and reading the sums combines
 * them.
 */
#include <fastgpu/fastgpu.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PIECES 64u
#define PIECE 65536u
#define SUMS 256u

static const char text[] = "__kernel void add_up(__global const int *a, __global const int *b,"
                           " __global long *sums, uint n)"
                           "{"
                           "    long sum = 0;"
                           "    for (uint i = get_global_id(0); i < n; i += get_global_size(0))"
                           "        sum += (long)a[i] * b[i];"
                           "    sums[get_global_id(0)] += sum;"
                           "}";

static void need(fgpu_status status)
{
    if (status == FGPU_OK)
        return;
    fprintf(stderr, "%s\n", fgpu_last_error());
    exit(1);
}

int main(void)
{
    const uint64_t bytes = (uint64_t)PIECE * sizeof(int32_t);
    const uint32_t n = PIECE;
    const int64_t zero = 0;
    fgpu_pool pool;
    fgpu_kernel kernel;
    fgpu_buffer a, b, sums;
    int64_t parts[SUMS], sum = 0, expected = 0;
    int32_t *numbers = fgpu_host_alloc(PIECES * bytes);

    if (!numbers)
        return 1;
    for (uint32_t i = 0; i < PIECES * PIECE; i++) {
        numbers[i] = (int32_t)(i % 1000) - 500;
        expected += (int64_t)numbers[i] * numbers[i];
    }
    need(fgpu_pool_open(NULL, &pool));
    need(fgpu_kernel_create_opencl(pool, text, "add_up", NULL, &kernel));
    need(fgpu_buffer_create_from(pool, numbers, PIECES * bytes, &a));
    need(fgpu_buffer_create(pool, PIECES * bytes, &b));
    need(fgpu_buffer_create(pool, sizeof parts, &sums));
    need(fgpu_buffer_copy_async(b, NULL, a, NULL, NULL));
    need(fgpu_buffer_fill_async(sums, NULL, &zero, sizeof zero, NULL));
    need(fgpu_buffer_reduce_by(sums, FGPU_OP_SUM, FGPU_I64));
    for (uint32_t i = 0; i < PIECES; i++) {
        fgpu_arg args[] = {fgpu_arg_span(a, FGPU_READ, i * bytes, bytes),
                           fgpu_arg_span(b, FGPU_READ, i * bytes, bytes),
                           fgpu_arg_region(sums, FGPU_REDUCE, fgpu_region_whole()),
                           fgpu_arg_scalar(&n, sizeof n)};
        need(fgpu_task_run(kernel, SUMS, args, 4, NULL));
    }
    need(fgpu_buffer_read(sums, NULL, parts, 0));
    need(fgpu_pool_close(pool));
    fgpu_host_free(numbers);
    for (uint32_t i = 0; i < SUMS; i++)
        sum += parts[i];
    printf("%lld\n", (long long)sum);
    return sum == expected ? 0 : 1;
}
