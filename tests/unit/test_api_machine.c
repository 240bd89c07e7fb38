/* Machine descriptions through the public face: made, asked, printed, destroyed; and each call with
 * what it must refuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fastgpu/fastgpu.h>
#include "api/machine.h"
#include "base/alloc.h"

static const char text[] = "fgm 1\nmachine small\nnote one\nnote two\n"
                           "class core\nkind cpu\ncount 3\nflops_per_ns 2\n"
                           "class card\nkind gpu\ncount 4\nmemory 2GiB\nlaunch_ns 7\nbusy_watt 9\n"
                           "class chip\nkind accelerator\ncount 1\nmemory unlimited\n"
                           "link bus\nbytes_per_ns 6\nlatency_ns 5\n"
                           "link pair\neach card per 2\nbytes_per_ns 4\nlatency_ns 3\n"
                           "route host -> card\nover bus\nover pair of target\n"
                           "route card -> host\nover bus\nover bus\nover pair of source\n"
                           "route card -> card within 2\nover pair of source\nover pair of target\n"
                           "route host -> chip\nroute chip -> host\n"
                           "cost k on core size 8 mean_ns 100 deviation_ns 3 samples 4\n"
                           "cost j on core size any mean_ns 50\n";

static fgpu_machine *machine;

static int start(void **state)
{
    (void)state;
    return fgpu_machine_parse("t", text, sizeof text - 1, &machine);
}

static int stop(void **state)
{
    (void)state;
    fgpu_machine_destroy(machine);
    fgpu_machine_destroy(NULL);
    return 0;
}

static void what_it_has(void **state)
{
    (void)state;
    fgpu_machine_info info = {.struct_bytes = sizeof info};
    assert_int_equal(fgpu_machine_get_info(machine, &info), FGPU_OK);
    assert_string_equal(info.name, "small");
    assert_int_equal(info.class_count, 3);
    assert_int_equal(info.device_count, 8);
    assert_int_equal(info.node_count, 6);
    assert_int_equal(info.link_count, 2);
    assert_int_equal(info.route_count, 5);
    assert_int_equal(info.cost_count, 2);
    assert_int_equal(info.kernel_count, 2);
    assert_int_equal(info.note_count, 2);
    assert_int_equal(machine_of(machine)->device_count, 8);
}

static void classes_and_devices(void **state)
{
    (void)state;
    static const char *const names[] = {"core[0]", "core[1]", "core[2]", "card[0]",
                                        "card[1]", "card[2]", "card[3]", "chip"};
    fgpu_machine_class class = {.struct_bytes = sizeof class};
    char name[64];
    assert_int_equal(fgpu_machine_class_at(machine, 1, &class), FGPU_OK);
    assert_string_equal(class.name, "card");
    assert_true(class.kind == FGPU_DEVICE_GPU && class.count == 4 && class.first_device == 3);
    assert_true(class.first_node == 1 && class.memory_bytes == UINT64_C(2) << 30);
    assert_true(class.launch_ns == 7 && class.flops_per_ns == FGPU_MACHINE_UNKNOWN);
    assert_true(class.busy_watt == 9 && class.idle_watt == FGPU_MACHINE_UNKNOWN);
    assert_int_equal(fgpu_machine_class_at(machine, 0, &class), FGPU_OK);
    assert_true(class.kind == FGPU_DEVICE_CPU && class.first_node == 0 && class.flops_per_ns == 2);
    assert_int_equal(fgpu_machine_class_at(machine, 2, &class), FGPU_OK);
    assert_true(class.kind == FGPU_DEVICE_ACCELERATOR && class.first_node == 5);
    assert_int_equal(fgpu_machine_class_at(machine, 3, &class), FGPU_E_RANGE);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(fgpu_machine_device_name(machine, i, name, sizeof name), FGPU_OK);
        assert_string_equal(name, names[i]);
    }
    assert_int_equal(fgpu_machine_device_name(machine, 8, name, sizeof name), FGPU_E_RANGE);
    assert_int_equal(fgpu_machine_device_name(machine, 3, name, 4), FGPU_OK);
    assert_string_equal(name, "car");
    assert_int_equal(fgpu_machine_device_name(machine, 3, name, 0), FGPU_E_INVAL);
}

static void links_and_routes(void **state)
{
    (void)state;
    fgpu_machine_link link = {.struct_bytes = sizeof link};
    fgpu_machine_route route = {.struct_bytes = sizeof route};
    uint32_t number, end;
    assert_int_equal(fgpu_machine_link_at(machine, 0, &link), FGPU_OK);
    assert_true(link.of_class == FGPU_MACHINE_HOST && link.bytes_per_ns == 6);
    assert_int_equal(fgpu_machine_link_at(machine, 1, &link), FGPU_OK);
    assert_true(link.of_class == 1 && link.group == 2 && link.latency_ns == 3);
    assert_int_equal(fgpu_machine_link_at(machine, 2, &link), FGPU_E_RANGE);
    /* card -> card, card -> host, chip -> host, host -> card, host -> chip */
    assert_int_equal(fgpu_machine_route_at(machine, 0, &route), FGPU_OK);
    assert_true(route.source == 1 && route.target == 1 && route.group == 2);
    assert_true(route.bytes_per_ns == 2 && route.latency_ns == 6); /* one link of both */
    assert_int_equal(fgpu_machine_route_at(machine, 1, &route), FGPU_OK);
    assert_true(route.target == FGPU_MACHINE_HOST && route.hop_count == 3 && route.group == 0);
    assert_true(route.bytes_per_ns == 3 && route.latency_ns == 13); /* the bus twice */
    assert_int_equal(fgpu_machine_route_at(machine, 2, &route), FGPU_OK);
    assert_true(route.hop_count == 0 && route.bytes_per_ns == FGPU_MACHINE_UNKNOWN);
    assert_int_equal(fgpu_machine_route_at(machine, 5, &route), FGPU_E_RANGE);
    assert_int_equal(fgpu_machine_hop_at(machine, 1, 2, &number, &end), FGPU_OK);
    assert_true(number == 1 && end == FGPU_MACHINE_OF_SOURCE);
    assert_int_equal(fgpu_machine_hop_at(machine, 3, 1, &number, &end), FGPU_OK);
    assert_true(number == 1 && end == FGPU_MACHINE_OF_TARGET);
    assert_int_equal(fgpu_machine_hop_at(machine, 3, 0, &number, &end), FGPU_OK);
    assert_true(number == 0 && end == FGPU_MACHINE_ONCE);
    assert_int_equal(fgpu_machine_hop_at(machine, 3, 2, &number, &end), FGPU_E_RANGE);
    assert_int_equal(fgpu_machine_hop_at(machine, 5, 0, &number, &end), FGPU_E_RANGE);
    assert_int_equal(fgpu_machine_hop_at(machine, 3, 0, &number, NULL), FGPU_E_INVAL);
}

static void costs_and_notes(void **state)
{
    (void)state;
    fgpu_machine_cost cost = {.struct_bytes = sizeof cost};
    const char *note;
    assert_int_equal(fgpu_machine_cost_at(machine, 0, &cost), FGPU_OK);
    assert_string_equal(cost.kernel, "k");
    assert_true(cost.class_index == 0 && cost.size == 8 && cost.samples == 4);
    assert_true(cost.mean_ns == 100 && cost.deviation_ns == 3);
    assert_int_equal(fgpu_machine_cost_at(machine, 1, &cost), FGPU_OK);
    assert_true(cost.size == 0 && cost.mean_ns == 50);
    assert_int_equal(fgpu_machine_cost_at(machine, 2, &cost), FGPU_E_RANGE);
    assert_int_equal(fgpu_machine_note_at(machine, 1, &note), FGPU_OK);
    assert_string_equal(note, "two");
    assert_int_equal(fgpu_machine_note_at(machine, 2, &note), FGPU_E_RANGE);
}

static void printed_and_read_again(void **state)
{
    (void)state;
    fgpu_machine *again;
    char *first, *second;
    size_t bytes, second_bytes;
    uint64_t before = alloc_live_bytes();
    assert_int_equal(fgpu_machine_print(machine, &first, &bytes), FGPU_OK);
    assert_int_equal(strlen(first), bytes);
    assert_int_equal(fgpu_machine_parse(NULL, first, bytes, &again), FGPU_OK);
    assert_int_equal(fgpu_machine_print(again, &second, &second_bytes), FGPU_OK);
    assert_string_equal(first, second);
    fgpu_machine_text_free(first);
    fgpu_machine_text_free(second);
    fgpu_machine_text_free(NULL);
    fgpu_machine_destroy(again);
    assert_true(alloc_live_bytes() == before);
}

static void refused(void **state)
{
    (void)state;
    fgpu_machine *made = machine;
    fgpu_machine_tables tables = {.struct_bytes = sizeof tables};
    uint64_t before = alloc_live_bytes();
    assert_int_equal(fgpu_machine_parse("t", NULL, 5, &made), FGPU_E_INVAL);
    assert_null(made);
    made = machine;
    assert_int_equal(fgpu_machine_parse("file", "fgm 3", 5, &made), FGPU_E_INVAL);
    assert_null(made);
    assert_non_null(strstr(fgpu_last_error(), "file:1: version 3"));
    assert_int_equal(fgpu_machine_parse("t", text, sizeof text - 1, NULL), FGPU_E_INVAL);
    assert_int_equal(fgpu_machine_parse("t", NULL, 0, &made), FGPU_E_INVAL);
    assert_int_equal(fgpu_machine_synth(NULL, &made), FGPU_E_INVAL);
    assert_int_equal(fgpu_machine_synth("cpu", &made), FGPU_E_INVAL);
    assert_int_equal(fgpu_machine_synth("cpu:1", NULL), FGPU_E_INVAL);
    assert_int_equal(fgpu_machine_import(NULL, &tables, &made), FGPU_E_INVAL);
    assert_int_equal(fgpu_machine_import("t", NULL, &made), FGPU_E_INVAL);
    assert_int_equal(fgpu_machine_import("t", &tables, &made), FGPU_E_INVAL);
    tables.costs = "kernel\n";
    tables.costs_bytes = 7;
    tables.devices = "device\n";
    tables.devices_bytes = 7;
    assert_int_equal(fgpu_machine_import("t", &tables, &made), FGPU_E_INVAL);
    assert_non_null(strstr(fgpu_last_error(), "devices:1: there is no column kind"));
    tables.struct_bytes--;
    assert_int_equal(fgpu_machine_import("t", &tables, &made), FGPU_E_VERSION);
    assert_null(made);
    assert_true(alloc_live_bytes() == before);
}

static void refused_questions(void **state)
{
    (void)state;
    fgpu_machine_info info = {.struct_bytes = sizeof info - 1};
    fgpu_machine_class class = {0};
    fgpu_machine_link link = {0};
    fgpu_machine_route route = {0};
    fgpu_machine_cost cost = {0};
    char *printed;
    size_t bytes;
    assert_int_equal(fgpu_machine_get_info(machine, &info), FGPU_E_VERSION);
    assert_int_equal(fgpu_machine_get_info(machine, NULL), FGPU_E_INVAL);
    assert_int_equal(fgpu_machine_get_info(NULL, &info), FGPU_E_INVAL);
    assert_int_equal(fgpu_machine_class_at(machine, 0, &class), FGPU_E_VERSION);
    assert_int_equal(fgpu_machine_class_at(machine, 0, NULL), FGPU_E_INVAL);
    assert_int_equal(fgpu_machine_link_at(machine, 0, &link), FGPU_E_VERSION);
    assert_int_equal(fgpu_machine_route_at(machine, 0, &route), FGPU_E_VERSION);
    assert_int_equal(fgpu_machine_cost_at(machine, 0, &cost), FGPU_E_VERSION);
    assert_int_equal(fgpu_machine_note_at(machine, 0, NULL), FGPU_E_INVAL);
    assert_int_equal(fgpu_machine_print(NULL, &printed, &bytes), FGPU_E_INVAL);
    assert_int_equal(fgpu_machine_print(machine, NULL, &bytes), FGPU_E_INVAL);
    assert_int_equal(fgpu_machine_print(machine, &printed, NULL), FGPU_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_it_has, start, stop),
        cmocka_unit_test_setup_teardown(classes_and_devices, start, stop),
        cmocka_unit_test_setup_teardown(links_and_routes, start, stop),
        cmocka_unit_test_setup_teardown(costs_and_notes, start, stop),
        cmocka_unit_test_setup_teardown(printed_and_read_again, start, stop),
        cmocka_unit_test_setup_teardown(refused, start, stop),
        cmocka_unit_test_setup_teardown(refused_questions, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
