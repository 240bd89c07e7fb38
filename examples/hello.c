/* The README's example: one kernel over one buffer, on whatever this machine has.
 *
 *   make install     (as root; the README says how without)
 *   cc hello.c $(pkg-config --cflags --libs fastgpu) && ./a.out
 */
#include <fastgpu/fastgpu.h>
#include <stdio.h>

int main(void)
{
    float data[1024] = {1, 2, 3};
    fgpu_pool pool;
    fgpu_kernel twice;
    fgpu_buffer buffer;
    if (fgpu_pool_open(NULL, &pool) ||
        fgpu_kernel_create_opencl(
            pool, "__kernel void twice(__global float *x) { x[get_global_id(0)] *= 2; }", "twice",
            NULL, &twice) ||
        fgpu_buffer_create(pool, sizeof data, &buffer) ||
        fgpu_buffer_write(buffer, NULL, data, 0)) {
        fprintf(stderr, "%s\n", fgpu_last_error());
        return 1;
    }
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    fgpu_task_run(twice, 1024, &arg, 1, NULL);
    if (fgpu_buffer_read(buffer, NULL, data, 0) || fgpu_pool_close(pool)) {
        fprintf(stderr, "%s\n", fgpu_last_error());
        return 1;
    }
    printf("%g %g %g\n", (double)data[0], (double)data[1], (double)data[2]);
    return 0;
}
