/* Published tables become a machine: figures by hand from two small ones, mistakes with their line,
 * and the two published machines where their tables are present, of which figures were looked up by
 * eye.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/error.h"
#include "machine/machine.h"

static struct machine m;

static int start(void **state)
{
    (void)state;
    machine_init(&m);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    machine_fini(&m);
    return 0;
}

static const char devices[] =
    "device,kind,count,memory_bytes\ncpu,cpu,4,1000\ng0,gpu,1,2817982464\n"
    "g1,gpu,2,\n";
static const char costs[] = "kernel,device,tile,mean_us,stddev_us,samples\n"
                            "gemm,g0,960,2817.019,150.647,3973\r\n"
                            "\n"
                            "gemm,cpu,960,89875.200,,\n"
                            "potrf,cpu,320,1068.290,20.749,29";
static const char links[] = "link,bandwidth_bytes_per_s,latency_s\nHost,6520981045,0.000000\n"
                            "PCI:0000:[00-13] up,6518853316,0.000011\nodd,1,0.0000000004\n";
static const char routes[] = "from,to,links\nhost,g0,Host\ng0,host,PCI:0000:[00-13] up;Host;Host\n"
                             "host,g1,odd\ng1,host,\ng0,g1,odd\ng1,g1,Host;odd\n";

static struct machine_table table(const char *text, const char *name)
{
    return (struct machine_table){text, text != NULL ? strlen(text) : 0, name};
}

static int import(const char *c, const char *d, const char *l, const char *r)
{
    const struct machine_tables tables = {table(c, "c.csv"), table(d, "d.csv"), table(l, "l.csv"),
                                          table(r, "r.csv"), NULL};
    machine_fini(&m);
    machine_init(&m);
    return machine_import(&m, "test", &tables);
}

static double cost_of(const char *kernel, uint32_t class, uint64_t size, double *deviation_ns)
{
    double mean_ns;
    assert_true(
        machine_cost_ns(&m, machine_kernel_find(&m, kernel), class, size, &mean_ns, deviation_ns));
    return mean_ns;
}

static void figures(void **state)
{
    (void)state;
    double deviation_ns;
    if (import(costs, devices, links, routes) != FGPU_OK)
        fail_msg("%s", error_text());
    assert_string_equal(m.name, "test");
    assert_int_equal(m.device_count, 7);
    assert_int_equal(m.node_count, 4);
    const struct machine_class *cpu = vec_at(&m.classes, 0), *g0 = vec_at(&m.classes, 1);
    const struct machine_class *g1 = vec_at(&m.classes, 2);
    assert_true(cpu->kind == MACHINE_CPU && cpu->first_node == 0 && cpu->memory_bytes == 0);
    assert_true(g0->kind == MACHINE_GPU && g0->memory_bytes == 2817982464);
    assert_true(g1->count == 2 && g1->first_node == 2 && g1->memory_bytes == 0);
    assert_true(cost_of("gemm", 1, 960, &deviation_ns) == 2817019 && deviation_ns == 150647);
    assert_true(cost_of("gemm", 0, 960, &deviation_ns) == 89875200 && deviation_ns == 0);
    assert_true(cost_of("potrf", 0, 320, &deviation_ns) == 1068290 && deviation_ns == 20749);
    const struct machine_link *up = vec_at(&m.links, 1), *odd = vec_at(&m.links, 2);
    assert_true(up->bytes_per_ns == 6.518853316 && up->latency_ns == 11000);
    assert_true(odd->bytes_per_ns == 1e-9 && odd->latency_ns == 0);
    uint32_t path[MACHINE_HOPS];
    uint64_t latency_ns;
    assert_int_equal(machine_path(&m, 1, 0, path, &latency_ns), 3);
    assert_true(path[0] == 1 && path[1] == 0 && path[2] == 0 && latency_ns == 11000);
    assert_int_equal(machine_path(&m, 2, 0, path, &latency_ns), 0);
    assert_int_equal(machine_path(&m, 2, 3, path, &latency_ns), 2);
    assert_int_equal(machine_path(&m, 3, 1, path, &latency_ns), 1); /* by way of the host */
    assert_false(machine_path_direct(&m, 3, 1));
}

/* Columns in another order, and others beside them. */
static void columns_by_name(void **state)
{
    (void)state;
    double deviation_ns;
    assert_int_equal(import("samples,stddev_us,who,mean_us,tile,device,kernel\n"
                            "7,2,me,1e3,5,x,k\n",
                            "memory_bytes,kind,device,count,colour\n,cpu,x,3,red\n", NULL, NULL),
                     FGPU_OK);
    assert_true(cost_of("k", 0, 5, &deviation_ns) == 1e6 && deviation_ns == 2000);
    assert_int_equal(((const struct machine_cost *)vec_at(&m.costs, 0))->samples, 7);
}

static void without_links(void **state)
{
    (void)state;
    uint32_t path[MACHINE_HOPS];
    uint64_t latency_ns;
    assert_int_equal(import(costs, devices, NULL, NULL), FGPU_OK);
    assert_int_equal(machine_path(&m, 0, 3, path, &latency_ns), 0);
    assert_int_equal(latency_ns, 0);
    assert_string_equal(m.notes.items, "No links were given: copies take no time here.");
}

/* A processor with memory of its own: a route says so. */
static void a_cpu_with_routes(void **state)
{
    (void)state;
    assert_int_equal(import(costs, devices, links,
                            "from,to,links\nhost,g0,\ng0,host,\nhost,g1,\ng1,host,\n"
                            "host,cpu,Host\ncpu,host,Host\n"),
                     FGPU_OK);
    const struct machine_class *cpu = vec_at(&m.classes, 0);
    assert_true(cpu->first_node == 1 && cpu->memory_bytes == 1000);
}

static void notes(void **state)
{
    (void)state;
    struct machine_tables tables = {table(costs, "c"), table(devices, "d"), table(NULL, "l"),
                                    table(NULL, "r"), "one\n\ntwo\n"};
    assert_int_equal(machine_import(&m, "n", &tables), FGPU_OK);
    assert_memory_equal(m.notes.items, "one\0two\0No links", 16);
}

/* ---- mistakes */

static void refuse(const char *c, const char *d, const char *l, const char *r, const char *what)
{
    if (import(c, d, l, r) != FGPU_E_INVAL)
        fail_msg("not refused, wanted: %s", what);
    assert_string_equal(error_text(), what);
}

#define D "device,kind,count,memory_bytes\n"
#define C "kernel,device,tile,mean_us,stddev_us,samples\n"
#define L "link,bandwidth_bytes_per_s,latency_s\n"
#define R "from,to,links\n"

static void refused_tables(void **state)
{
    (void)state;
    refuse(NULL, devices, NULL, NULL, "the table of costs is missing");
    refuse(costs, NULL, NULL, NULL, "the table of devices is missing");
    refuse(costs, devices, links, NULL,
           "links and routes are given together, or neither (copies take no time then): routes are "
           "missing");
    refuse(costs, "\n", NULL, NULL, "d.csv: the table is empty");
    refuse(costs, "\ndevice,kind,count\n", NULL, NULL,
           "d.csv:2: there is no column memory_bytes in the first line");
    refuse(costs, D "a,cpu,1\n", NULL, NULL, "d.csv:2: 3 fields; the first line has 4 columns");
    refuse(costs, D "\"a\",cpu,1,\n", NULL, NULL,
           "d.csv:2: letter 0x22; fields are plain text without quotes");
    refuse(costs, ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n", NULL, NULL,
           "d.csv:1: more than 32 columns");
    refuse(costs, D, NULL, NULL, "c.csv:2: there is no device 'g0' in d.csv");
    refuse(C, D, NULL, NULL, "test: there is no device; a machine has at least one class");
}

static void refused_devices(void **state)
{
    (void)state;
    refuse(costs, D "a,tpu,1,\n", NULL, NULL,
           "d.csv:2: the kind is 'tpu'; there are cpu, gpu and accelerator");
    refuse(costs, D "a,cpu,0,\n", NULL, NULL, "d.csv:2: the count is 0; it is at least 1");
    refuse(costs, D "a,cpu,,\n", NULL, NULL, "d.csv:2: '' is no whole number up to 1048576");
    refuse(costs, D "a,gpu,1,1e9\n", NULL, NULL,
           "d.csv:2: '1e9' is no whole number up to 9223372036854775807");
    refuse(costs, D ",cpu,1,\n", NULL, NULL,
           "d.csv:2: the name of a class has 0 letters; it has 1 to 63");
    refuse(costs, D "a,cpu,1,\na,cpu,1,\n", NULL, NULL,
           "d.csv:3: there is a class a already; names are unique");
}

static void refused_links_routes(void **state)
{
    (void)state;
    refuse(costs, devices, L "a,fast,0\n", routes,
           "l.csv:2: 'fast' is no number; write something like 12.5 or 1e6");
    refuse(costs, devices, L "a,1,1e30\n", routes, "l.csv:2: a latency of 1e+30 s");
    refuse(costs, devices, L "a,1,0\na,1,0\n", routes,
           "l.csv:3: there is a link a already; names are unique");
    refuse(costs, devices, links, R "host,g7,\n", "r.csv:2: there is no device 'g7' in d.csv");
    refuse(costs, devices, links, R "host,g0,Host;up\n", "r.csv:2: there is no link 'up' in l.csv");
    refuse(costs, devices, links, R "host,g0,Host;\n", "r.csv:2: there is no link '' in l.csv");
    refuse(costs, devices, links, R "host,g0,\nhost,g0,\n",
           "test: route host -> g0: it is there twice");
    refuse(
        costs, devices, links, R "host,g0,\n",
        "test: class g0 has memory of its own, but nothing leads back to the host; \"route g0 -> "
        "host\" is missing (without links it takes no time)");
}

static void refused_costs(void **state)
{
    (void)state;
    refuse(C "k,cpu,0,1,,\n", devices, NULL, NULL, "c.csv:2: the tile is 0; it is at least 1");
    refuse(C "k,cpu,1,0.000,,\n", devices, NULL, NULL,
           "c.csv:2: the mean is 0; a kernel takes time");
    refuse(C "k,cpu,1,-2,,\n", devices, NULL, NULL,
           "c.csv:2: '-2' is no number; write something like 12.5 or 1e6");
    refuse(C ",cpu,1,2,,\n", devices, NULL, NULL,
           "c.csv:2: the name of a kernel has 0 letters; it has 1 to 63");
    refuse(C "k,cpu,1,2,,\nk,cpu,1,3,,\n", devices, NULL, NULL,
           "test: cost of k on cpu at size 1 is there twice");
}

/* ---- the published machines */

static char *read_table(const char *machine, const char *what)
{
    const char *shared = getenv("FASTGPU_SHARED");
    char path[4096];
    snprintf(path, sizeof path, "%s/data/machines/%s.%s.csv", shared != NULL ? shared : "", machine,
             what);
    FILE *file = shared != NULL ? fopen(path, "r") : NULL;
    char *text = NULL;
    size_t room = 0;
    if (file == NULL)
        return NULL;
    assert_true(getdelim(&text, &room, '\0', file) > 0);
    fclose(file);
    return text;
}

static void import_published(const char *name)
{
    static const char *const what[] = {"costs", "devices", "links", "routes"};
    char *text[4];
    for (int i = 0; i < 4; i++)
        text[i] = read_table(name, what[i]);
    bool is_there = text[0] && text[1] && text[2] && text[3];
    int status = is_there ? import(text[0], text[1], text[2], text[3]) : FGPU_OK;
    for (int i = 0; i < 4; i++)
        free(text[i]);
    if (!is_there) {
        print_message("the tables of %s are not there\n", name);
        skip();
    }
    if (status != FGPU_OK)
        fail_msg("%s", error_text());
}

static void mirage(void **state)
{
    (void)state;
    double deviation_ns;
    import_published("mirage");
    assert_int_equal(m.classes.count, 4);
    assert_int_equal(m.device_count, 12);
    assert_int_equal(m.links.count, 34);
    assert_int_equal(m.routes.count, 12);
    assert_int_equal(m.costs.count, 64);
    const struct machine_class *cpu = vec_at(&m.classes, 0), *gpu2 = vec_at(&m.classes, 3);
    assert_true(cpu->count == 9 && gpu2->memory_bytes == 5636554752);
    assert_true(cost_of("gemm", 1, 960, &deviation_ns) == 2805491 && deviation_ns == 69314);
    assert_true(cost_of("potrf", 0, 960, &deviation_ns) == 18849690);
    assert_true(cost_of("trsm", 3, 320, &deviation_ns) == 682770 && deviation_ns == 72146);
    /* gpu0 -> host: 11 us, seven links, of which Host is the slowest with what comes from CUDA0 */
    uint32_t path[MACHINE_HOPS];
    uint64_t latency_ns;
    double least = INFINITY;
    uint32_t count = machine_path(&m, 1, 0, path, &latency_ns);
    assert_int_equal(count, 7);
    assert_int_equal(latency_ns, 11000);
    for (uint32_t i = 0; i < count; i++)
        least = fmin(least, machine_instance_bytes_per_ns(&m, path[i]));
    assert_true(least == 6.517450308);
    assert_int_equal(machine_path(&m, 2, 3, path, &latency_ns), 8); /* gpu1 -> gpu2: one switch */
    assert_int_equal(latency_ns, 16000);
    assert_true(machine_path_direct(&m, 1, 2));
}

static void idgraf(void **state)
{
    (void)state;
    double deviation_ns;
    import_published("idgraf");
    assert_int_equal(m.classes.count, 9);
    assert_int_equal(m.device_count, 12);
    assert_int_equal(m.links.count, 131);
    assert_int_equal(m.routes.count, 72);
    assert_int_equal(m.costs.count, 108);
    assert_true(cost_of("potrf", 3, 960, &deviation_ns) == 58967620 && deviation_ns == 12338450);
    uint32_t path[MACHINE_HOPS], twice = 0;
    uint64_t latency_ns;
    assert_int_equal(machine_path(&m, 1, 5, path, &latency_ns), 17); /* gpu0 -> gpu4 */
    for (uint32_t i = 0; i < 17; i++) {
        char name[96];
        machine_instance_name(&m, path[i], name);
        twice += strcmp(name, "Host") == 0;
    }
    assert_int_equal(twice, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(figures, start, stop),
        cmocka_unit_test_setup_teardown(columns_by_name, start, stop),
        cmocka_unit_test_setup_teardown(without_links, start, stop),
        cmocka_unit_test_setup_teardown(a_cpu_with_routes, start, stop),
        cmocka_unit_test_setup_teardown(notes, start, stop),
        cmocka_unit_test_setup_teardown(refused_tables, start, stop),
        cmocka_unit_test_setup_teardown(refused_devices, start, stop),
        cmocka_unit_test_setup_teardown(refused_links_routes, start, stop),
        cmocka_unit_test_setup_teardown(refused_costs, start, stop),
        cmocka_unit_test_setup_teardown(mirage, start, stop),
        cmocka_unit_test_setup_teardown(idgraf, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
