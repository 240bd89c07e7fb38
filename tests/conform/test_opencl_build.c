/* Building kernels through the OpenCL backend: logs, what the kernel insists on, the cache on disk,
 * builds from several threads, and what is said when there is no OpenCL. Runs against every target
 * of opencl_targets.h.
 */
#include "conform/opencl_targets.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 512u
#define THREADS 4

static char folder[] = "/tmp/fastgpu-build-XXXXXX";

static const char *const put_text = "__kernel void put(__global int *a)\n"
                                    "{ a[get_global_id(0)] = VALUE; }\n";

static void setup(struct rig *rig)
{
    fgpu_backend_options options = target_options();

    rig_open(rig, &options, 0);
}

static fgpu_code_source source_of(const char *text, const char *entry, uint32_t arg_count)
{
    return (fgpu_code_source){.kind = FGPU_VARIANT_OPENCL,
                              .arg_count = arg_count,
                              .text = text,
                              .entry = entry,
                              .options = ""};
}

/* What the built kernel `put` writes. */
static int run_put(struct rig *rig, fgpu_code code)
{
    int values[4] = {0, 0, 0, 0};
    fgpu_mem mem = rig_alloc(rig, sizeof(values));
    fgpu_cmd_arg arg = rig_buffer(mem, 0, sizeof(values));
    fgpu_cmd_launch launch = rig_launch(code, &arg, 1, 4, 1);

    rig_run(rig, FGPU_CMD_LAUNCH, 0, &launch);
    assert_int_equal(launch.result.status, FGPU_OK);
    rig_read(rig, mem, 0, values, sizeof(values));
    opencl_backend.mem_free(rig->device, mem);
    assert_int_equal(values[0], values[3]);
    return values[0];
}

/* Files of the folder: their number, and the path of the last one. */
static uint32_t list_folder(char *path, bool remove_all)
{
    DIR *dir = opendir(folder);
    uint32_t count = 0;

    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, PATH_BYTES, "%s/%.200s", folder, entry->d_name);
        if (remove_all)
            assert_int_equal(unlink(path), 0);
        count++;
    }
    (void)closedir(dir);
    return count;
}

static void test_failures(void **state)
{
    struct rig rig;
    fgpu_code_built built;
    fgpu_code_source source =
        source_of("__kernel void f(__global int *a) { a[0] = nonsense; }", "f", 1);

    (void)state;
    setup(&rig);
    assert_int_equal(opencl_backend.code_build(rig.device, &source, &built), FGPU_E_BUILD);
    assert_non_null(built.log);
    assert_non_null(strstr(built.log, "nonsense"));
    assert_int_equal(built.code, 0);
    free(built.log);

    source = source_of("__kernel void f(__global int *a) { a[0] = 1; }", "other", 1);
    assert_int_equal(opencl_backend.code_build(rig.device, &source, &built), FGPU_E_BUILD);
    assert_non_null(strstr(built.log, "other"));
    free(built.log);

    source.entry = "f";
    source.arg_count = 3;
    assert_int_equal(opencl_backend.code_build(rig.device, &source, &built), FGPU_E_BUILD);
    assert_non_null(strstr(built.log, "1 arguments, 3"));
    free(built.log);

    source.arg_count = 65;
    assert_int_equal(opencl_backend.code_build(rig.device, &source, &built), FGPU_E_LIMIT);
    source.arg_count = 1;
    source.kind = FGPU_VARIANT_CUDA;
    assert_int_equal(opencl_backend.code_build(rig.device, &source, &built), FGPU_E_UNSUPPORTED);

    source.kind = FGPU_VARIANT_OPENCL;
    source.options = "-Dbroken=(((  -cl-no-such-option";
    assert_int_equal(opencl_backend.code_build(rig.device, &source, &built), FGPU_E_BUILD);
    free(built.log);
    rig_close(&rig);
}

static void test_options_and_demands(void **state)
{
    struct rig rig;
    fgpu_code_built built;
    fgpu_code_source source = source_of(put_text, "put", 1);
    fgpu_cmd_arg arg;
    fgpu_cmd_launch launch;
    int values[12] = {0};

    (void)state;
    setup(&rig);
    source.options = "-DVALUE=42";
    assert_int_equal(opencl_backend.code_build(rig.device, &source, &built), FGPU_OK);
    assert_int_equal(built.cached, 0);
    assert_int_equal(built.required_local[0], 0);
    assert_true(built.max_group_items > 0);
    assert_int_equal(run_put(&rig, built.code), 42);
    free(built.log);
    opencl_backend.code_free(rig.device, built.code);

    /* a size that the kernel insists on is taken where the launch leaves the choice */
    source = source_of("__kernel __attribute__((reqd_work_group_size(3, 2, 1)))\n"
                       "void r(__global int *a)\n"
                       "{ a[get_global_id(0) + 6 * get_global_id(1)] = (int)get_local_size(0); }",
                       "r", 1);
    assert_int_equal(opencl_backend.code_build(rig.device, &source, &built), FGPU_OK);
    assert_int_equal(built.required_local[0], 3);
    assert_int_equal(built.required_local[1], 2);
    assert_int_equal(built.required_local[2], 1);
    free(built.log);
    arg = rig_buffer(rig_alloc(&rig, sizeof(values)), 0, sizeof(values));
    launch = rig_launch(built.code, &arg, 1, 6, 0);
    launch.dims = 2;
    launch.global[1] = 2;
    rig_run(&rig, FGPU_CMD_LAUNCH, 0, &launch);
    assert_int_equal(launch.result.status, FGPU_OK);
    rig_read(&rig, arg.u.buffer.mem, 0, values, sizeof(values));
    for (int i = 0; i < 12; i++)
        assert_int_equal(values[i], 3);
    opencl_backend.mem_free(rig.device, arg.u.buffer.mem);
    opencl_backend.code_free(rig.device, built.code);
    rig_close(&rig);
}

/* A program that builds with a warning keeps its log. */
static void test_warning(void **state)
{
    struct rig rig;
    fgpu_code_built built;
    fgpu_code_source source = source_of("#warning fastgpu looks at this\n"
                                        "__kernel void w(__global int *a) { a[0] = 1; }",
                                        "w", 1);

    (void)state;
    setup(&rig);
    assert_int_equal(opencl_backend.code_build(rig.device, &source, &built), FGPU_OK);
    if (built.log != NULL) /* drivers need not tell; those that do are passed on */
        assert_non_null(strstr(built.log, "fastgpu looks at this"));
    free(built.log);
    opencl_backend.code_free(rig.device, built.code);
    rig_close(&rig);
}

static uint32_t build_cached(struct rig *rig, const char *options, int expected)
{
    fgpu_code_built built;
    fgpu_code_source source = source_of(put_text, "put", 1);

    source.options = options;
    source.cache_dir = folder;
    if (opencl_backend.code_build(rig->device, &source, &built) != FGPU_OK)
        fail_msg("%s: %s", error_text(), built.log != NULL ? built.log : "");
    assert_int_equal(run_put(rig, built.code), expected);
    free(built.log);
    opencl_backend.code_free(rig->device, built.code);
    return built.cached;
}

static void overwrite(const char *path, size_t skip, const char *bytes)
{
    FILE *file = fopen(path, "r+b");

    assert_non_null(file);
    assert_int_equal(fseek(file, (long)skip, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, strlen(bytes), file), strlen(bytes));
    assert_int_equal(fclose(file), 0);
}

static void test_cache(void **state)
{
    struct rig rig;
    char path[PATH_BYTES] = "";

    (void)state;
    (void)list_folder(path, true);
    setup(&rig);
    assert_int_equal(build_cached(&rig, "-DVALUE=7", 7), 0);
    assert_int_equal(list_folder(path, false), 1);
    assert_int_equal(build_cached(&rig, "-DVALUE=7", 7), 1);
    assert_int_equal(build_cached(&rig, "-DVALUE=8", 8), 0); /* options are part of the key */
    assert_int_equal(list_folder(path, true), 2);

    assert_int_equal(build_cached(&rig, "-DVALUE=7", 7), 0);
    assert_int_equal(list_folder(path, false), 1);
    overwrite(path, 100, "damaged");
    assert_int_equal(build_cached(&rig, "-DVALUE=7", 7), 0); /* ignored, and written anew */
    assert_int_equal(build_cached(&rig, "-DVALUE=7", 7), 1);
    assert_int_equal(truncate(path, 50), 0);
    assert_int_equal(build_cached(&rig, "-DVALUE=7", 7), 0);
    assert_int_equal(build_cached(&rig, "-DVALUE=7", 7), 1);
    rig_close(&rig);

    setup(&rig); /* a device opened later uses it too */
    assert_int_equal(build_cached(&rig, "-DVALUE=7", 7), 1);
    rig_close(&rig);
    (void)list_folder(path, true);
}

/* A folder that cannot be written to costs the cache, not the build. */
static void test_cache_absent(void **state)
{
    struct rig rig;
    fgpu_code_built built;
    fgpu_code_source source = source_of(put_text, "put", 1);

    (void)state;
    setup(&rig);
    source.options = "-DVALUE=3";
    source.cache_dir = "/nonexistent/fastgpu";
    assert_int_equal(opencl_backend.code_build(rig.device, &source, &built), FGPU_OK);
    assert_int_equal(built.cached, 0);
    assert_int_equal(run_put(&rig, built.code), 3);
    free(built.log);
    opencl_backend.code_free(rig.device, built.code);
    rig_close(&rig);
}

struct builder {
    struct rig *rig;
    int value;
    fgpu_code codes[3];
    uint32_t failures;
};

static void *build_thread(void *arg)
{
    struct builder *builder = arg;

    for (int i = 0; i < 3; i++) {
        char options[32];
        fgpu_code_built built;
        fgpu_code_source source = source_of(put_text, "put", 1);
        (void)snprintf(options, sizeof(options), "-DVALUE=%d", 10 * i); /* all the same ones */
        source.options = options;
        source.cache_dir = folder;
        if (opencl_backend.code_build(builder->rig->device, &source, &built) != FGPU_OK)
            builder->failures++;
        builder->codes[i] = built.code;
        free(built.log);
    }
    return NULL;
}

/* Threads build the same programs into one folder while the queue works. */
static void test_concurrent(void **state)
{
    struct rig rig;
    struct builder builders[THREADS];
    pthread_t threads[THREADS];
    char path[PATH_BYTES] = "";

    (void)state;
    (void)list_folder(path, true);
    setup(&rig);
    for (int t = 0; t < THREADS; t++) {
        builders[t] = (struct builder){.rig = &rig, .value = t};
        assert_int_equal(pthread_create(&threads[t], NULL, build_thread, &builders[t]), 0);
    }
    for (int i = 0; i < 50; i++) {
        fgpu_mem mem = rig_alloc(&rig, 64);
        fgpu_cmd_fill fill = {.mem = mem, .row_bytes = 64, .rows = 1, .pattern_bytes = 1};
        rig_run(&rig, FGPU_CMD_FILL, 0, &fill);
        opencl_backend.mem_free(rig.device, mem);
    }
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_join(threads[t], NULL), 0);
    for (int t = 0; t < THREADS; t++) {
        assert_int_equal(builders[t].failures, 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(run_put(&rig, builders[t].codes[i]), 10 * i);
            opencl_backend.code_free(rig.device, builders[t].codes[i]);
        }
    }
    assert_int_equal(list_folder(path, true), 3);
    rig_close(&rig);
}

/* No loader, and a library that is none: the text says what is missing and where it comes from. */
static void test_no_loader(void **state)
{
    char *library = getenv("FASTGPU_OPENCL_LIBRARY");
    char saved[PATH_BYTES] = "";
    fgpu_backend_options options = {0};
    fgpu_doorbell bell = {0};
    void *device = NULL;
    uint32_t count = 9;
    char why[512] = "";

    (void)state;
    if (library != NULL)
        (void)snprintf(saved, sizeof(saved), "%s", library);
    assert_int_equal(setenv("FASTGPU_OPENCL_LIBRARY", "/nonexistent/libOpenCL.so", 1), 0);
    assert_int_equal(opencl_backend.probe(&options, NULL, 0, &count, why, sizeof(why)),
                     FGPU_E_NOTFOUND);
    assert_int_equal(count, 0);
    assert_non_null(strstr(why, "/nonexistent/libOpenCL.so"));
    assert_non_null(strstr(why, "ocl-icd-libopencl1"));
    assert_non_null(strstr(why, "pocl-opencl-icd"));
    assert_int_equal(opencl_backend.open(&options, 0, &bell, &device), FGPU_E_NOTFOUND);
    assert_int_equal(setenv("FASTGPU_OPENCL_LIBRARY", "libm.so.6", 1), 0);
    assert_int_equal(opencl_backend.probe(&options, NULL, 0, &count, why, sizeof(why)),
                     FGPU_E_UNSUPPORTED);
    assert_non_null(strstr(why, "clGetPlatformIDs"));
    target_set("FASTGPU_OPENCL_LIBRARY", saved[0] != '\0' ? saved : NULL);
    assert_int_equal(opencl_backend.probe(&options, NULL, 0, &count, why, sizeof(why)), FGPU_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures),     cmocka_unit_test(test_options_and_demands),
        cmocka_unit_test(test_warning),      cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_absent), cmocka_unit_test(test_concurrent),
        cmocka_unit_test(test_no_loader),
    };
    int ran = 0;
    int failed = 0;

    if (mkdtemp(folder) == NULL) {
        perror("mkdtemp");
        return 77;
    }
    TARGETS_RUN(tests, ran, failed)
    (void)rmdir(folder);
    return ran == 0 ? 77 : failed;
}
