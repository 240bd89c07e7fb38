/* The text of a machine: what is read, what is printed, that both fit, and that mistakes are named
 * with their line. And the numbers in it, against those of the C library.
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
#include "base/rng.h"
#include "lib/seed.h"
#include "machine/machine.h"
#include "machine/machine_number.h"

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

static int parse(const char *text, size_t bytes)
{
    machine_fini(&m);
    machine_init(&m);
    return machine_parse(&m, "f.fgm", text, bytes);
}

/* What is printed of it; the caller frees it with vec_fini(). Closed by a NUL. */
static struct vec print(void)
{
    struct vec text;
    vec_init(&text, 1, NULL);
    assert_int_equal(machine_print(&m, &text), FGPU_OK);
    assert_non_null(vec_push(&text, ""));
    return text;
}

/* `text` is read as what is printed as `want`, and that as itself. */
static void assert_printed(const char *text, const char *want)
{
    for (int again = 0; again < 2; again++) {
        const char *read = again ? want : text;
        if (parse(read, strlen(read)) != FGPU_OK)
            fail_msg("%s", error_text());
        struct vec printed = print();
        assert_string_equal(printed.items, want);
        vec_fini(&printed);
    }
}

static const char whole[] = "fgm 1\n"
                            "machine \"a \\\"b\\\" \\\\ c\"\n"
                            "note \"first line\"\n"
                            "note second\n"
                            "\n"
                            "class core\n"
                            "  kind cpu\n"
                            "  count 3\n"
                            "  memory host\n"
                            "\n"
                            "class \"big one\"\n"
                            "  kind gpu\n"
                            "  count 4\n"
                            "  memory 3MiB\n"
                            "  launch_ns 5000\n"
                            "  flops_per_ns 0.1\n"
                            "  bytes_per_ns 150000000000\n"
                            "  idle_watt 0\n"
                            "  busy_watt 250.25\n"
                            "\n"
                            "link bus\n"
                            "  bytes_per_ns 6.517450308\n"
                            "\n"
                            "link \"PCI:0000:[00-0f] up\"\n"
                            "  each \"big one\" per 2\n"
                            "  bytes_per_ns 13\n"
                            "  latency_ns 17\n"
                            "\n"
                            "link l\n"
                            "  each \"big one\"\n"
                            "  bytes_per_ns 1e-6\n"
                            "\n"
                            "route \"big one\" -> \"big one\" within 2\n"
                            "  over l of source\n"
                            "  over l of target\n"
                            "\n"
                            "route \"big one\" -> host\n"
                            "  over l of source\n"
                            "  over bus\n"
                            "  over bus\n"
                            "\n"
                            "route host -> \"big one\"\n"
                            "\n"
                            "cost zzz on core size any mean_ns 1.25\n"
                            "\n"
                            "cost aaa on core size 10 mean_ns 5 deviation_ns 1 samples 9\n"
                            "cost aaa on core size 18446744073709551615 mean_ns 6 samples 1\n"
                            "cost aaa on \"big one\" size 1 mean_ns 5 deviation_ns 0.5\n";

static void every_statement(void **state)
{
    (void)state;
    assert_printed(whole, whole);
    assert_string_equal(m.name, "a \"b\" \\ c");
    assert_int_equal(m.classes.count, 2);
    const struct machine_class *big = vec_at(&m.classes, 1);
    assert_string_equal(big->name, "big one");
    assert_true(big->memory_bytes == 3u << 20 && big->launch_ns == 5000 && big->idle_watt == 0.0);
    assert_true(big->flops_per_ns == 0.1 && big->bytes_per_ns == 1.5e11 &&
                big->busy_watt == 250.25);
    const struct machine_class *core = vec_at(&m.classes, 0);
    assert_true(core->flops_per_ns == MACHINE_UNKNOWN && core->idle_watt == MACHINE_UNKNOWN);
    assert_int_equal(m.costs.count, 4);
    const struct machine_cost *cost = vec_at(&m.costs, 1);
    assert_true(cost->kernel == 1 && cost->size == 10 && cost->samples == 9);
}

/* What people write: comments, blanks, carriage returns, another order. */
static void written_by_hand(void **state)
{
    (void)state;
    assert_printed("\n# a machine\n\t fgm\t1 # yes\r\n"
                   "class \"g\"\r\nmemory 1024MiB\ncount 02\n\n  kind gpu # graphics\n"
                   "cost k on g size 2 mean_ns 1e3 samples 0\n"
                   "route host -> g\n#\n"
                   "route g -> host\n"
                   "note \"a # is no comment in quotes\"\n"
                   "cost k on g size 1 mean_ns 10.50\n"
                   "machine late-name",
                   "fgm 1\nmachine late-name\nnote \"a # is no comment in quotes\"\n\n"
                   "class g\n  kind gpu\n  count 2\n  memory 1GiB\n\n"
                   "route g -> host\n\nroute host -> g\n\n"
                   "cost k on g size 1 mean_ns 10.5\ncost k on g size 2 mean_ns 1000\n");
}

static void names(void **state)
{
    (void)state;
    assert_printed("fgm 1\nclass \"-\"\nkind cpu\ncount 1\nclass \"->\"\nkind cpu\ncount 1\n"
                   "class \"1.a_b-c+d\"\nkind cpu\ncount 1\nclass \"\xc3\xa9\"\nkind cpu\ncount 1\n"
                   "cost \"on\" on \"->\" size 1 mean_ns 1\n",
                   "fgm 1\n\nclass \"-\"\n  kind cpu\n  count 1\n  memory host\n"
                   "\nclass \"->\"\n  kind cpu\n  count 1\n  memory host\n"
                   "\nclass 1.a_b-c+d\n  kind cpu\n  count 1\n  memory host\n"
                   "\nclass \"\xc3\xa9\"\n  kind cpu\n  count 1\n  memory host\n"
                   "\ncost on on \"->\" size 1 mean_ns 1\n");
}

/* ---- mistakes */

static void refuse(const char *text, const char *what)
{
    if (parse(text, strlen(text)) != FGPU_E_INVAL)
        fail_msg("not refused (%s):\n%s", error_text(), text);
    if (strncmp(error_text(), "f.fgm:", 6) != 0 || strcmp(error_text() + 6, what) != 0)
        fail_msg("'f.fgm:%s' is wanted, not '%s'; the text:\n%s", what, error_text(), text);
}

#define A "fgm 1\nclass a\nkind gpu\ncount 2\nmemory 1GiB\n" /* five lines */

static void refused_lines(void **state)
{
    (void)state;
    refuse("", " the text is empty; the first line of a machine description is: fgm 1");
    refuse("# nothing\n", " the text is empty; the first line of a machine description is: fgm 1");
    refuse("\nclass a\n", "2: the first line of a machine description is: fgm 1");
    refuse("fgm 2\n", "1: version 2 of the format; this library reads version 1");
    refuse("fgm 1\nfgm 1\n", "2: fgm is there twice");
    refuse("fgm 1\nmachine a\nmachine b\n", "3: machine is there twice");
    refuse("fgm 1\nclass \"a\n", "2: the quote is not closed; a word ends on its line");
    refuse("fgm 1\nclass \"a\"b\n", "2: a blank is wanted behind the closing quote");
    refuse("fgm 1\nclass a\"b\"\n", "2: a quote in the middle of a word; it begins a word");
    refuse("fgm 1\nclass \"a\\n\"\n", "2: a \\ in quotes stands before \" or \\ only");
    refuse("fgm 1\nclass \"a\\", "2: a \\ in quotes stands before \" or \\ only");
    refuse("fgm 1\nclass a\x01\n", "2: a control character (0x01); the file is text");
    refuse("fgm 1\nclass a\rb\n", "2: a control character (0x0d); the file is text");
    refuse("fgm 1\nclass\n", "2: 0 words behind class; want: class NAME");
    refuse("fgm 1\nclass a b\n", "2: 2 words behind class; want: class NAME");
    refuse("fgm 1\n1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n",
           "2: more than 16 words in a line; put names with blanks in quotes");
    refuse("fgm 1\nwheel a\n", "2: wheel: no such statement; there are class, link, route, cost, "
                               "note and what docs/machine.md lists below them");
    refuse("fgm 1\n\"class\" a\n", "2: class: no such statement; there are class, link, route, "
                                   "cost, note and what docs/machine.md lists below them");
    refuse("fgm 1\nnote \"\"\n", "2: a note has 1 to 1023 letters, none of them a control "
                                 "character; this one has 0");
}

static void refused_parts(void **state)
{
    (void)state;
    refuse("fgm 1\nkind cpu\n", "2: kind belongs below a line that begins with class");
    refuse(A "each a\n", "6: each belongs below a line that begins with link");
    refuse(A "over a\n", "6: over belongs below a line that begins with route");
    refuse(A "count 2\n", "6: count is there twice");
    refuse(A "class a\n", "6: there is a class a already; names are unique");
    refuse("fgm 1\nclass a\ncount 1\n\nclass b\n", "2: kind is missing below this line");
    refuse("fgm 1\nclass a\nkind cpu\n", "2: count is missing below this line");
    refuse(A "link l\nnote x\n", "6: bytes_per_ns is missing below this line");
    refuse("fgm 1\nclass "
           "0123456789012345678901234567890123456789012345678901234567890123\n",
           "2: the name of a class has 64 letters; it has 1 to 63");
    refuse("fgm 1\nclass a\nkind tpu\n", "3: the kind is tpu; there are cpu, gpu and accelerator");
    refuse("fgm 1\nclass a\nkind \"cpu\"\n",
           "3: the kind is cpu; there are cpu, gpu and accelerator");
    refuse("fgm 1\nclass a\ncount 0\n", "3: a class has at least 1 device");
    refuse("fgm 1\nclass a\ncount 1048577\n", "3: 1048577 is no whole number up to 1048576");
    refuse("fgm 1\nclass a\nmemory 5GB\n",
           "3: the memory is 5GB; write bytes, 512MiB, 80GiB, unlimited or host");
    refuse("fgm 1\nclass a\nmemory 0\n",
           "3: the memory is 0; write bytes, 512MiB, 80GiB, unlimited or host");
    refuse("fgm 1\nclass a\nmemory 99999999999TiB\n",
           "3: the memory is 99999999999TiB; write bytes, 512MiB, 80GiB, unlimited or host");
    refuse("fgm 1\nclass a\nflops_per_ns -1\n",
           "3: -1 is no number; write something like 12.5 or 1e6");
    refuse("fgm 1\nclass a\nlaunch_ns 1.5\n",
           "3: 1.5 is no whole number up to 18446744073709551615");
    refuse(A, " class a has memory of its own, but nothing leads there from the host; \"route host "
              "-> a\" is missing (without links it takes no time)");
}

static void refused_links_routes_costs(void **state)
{
    (void)state;
    refuse(A "link l\neach b\n", "7: there is no class b above this line");
    refuse(A "link l\neach a per 0\n", "7: a group has at least 1 device");
    refuse(A "link l\neach a for 2\n", "7: want: each CLASS, or each CLASS per N");
    refuse(A "link l\neach a per\n", "7: want: each CLASS, or each CLASS per N");
    refuse(A "route a to host\n", "6: want: route A -> B, or route A -> A within N");
    refuse(A "route a -> b\n", "6: there is no class b above this line");
    refuse(A "route a -> \"host\"\n", "6: there is no class host above this line");
    refuse(A "route a -> a within 0\n", "6: a group has at least 1 device");
    refuse(A "route a -> a inside 2\n", "6: want: route A -> B, or route A -> A within N");
    refuse(A "route a -> a within\n", "6: want: route A -> B, or route A -> A within N");
    refuse(A "route a -> host\nover l\n", "7: there is no link l above this line");
    refuse(A "link l\nbytes_per_ns 1\nroute a -> host\nover l of both\n",
           "9: want: over LINK, over LINK of source, over LINK of target");
    refuse(A "cost k on b size 1 mean_ns 1\n", "6: there is no class b above this line");
    refuse(A "cost k on a size 0 mean_ns 1\n",
           "6: a size is at least 1; \"any\" says that it does not matter");
    refuse(A "cost k on a size 1 mean_us 1\n",
           "6: want: cost KERNEL on CLASS size N|any mean_ns X [deviation_ns X] [samples N]");
    refuse(A "cost k on a size 1 mean_ns 1 samples 1 deviation_ns 1\n",
           "6: want: cost KERNEL on CLASS size N|any mean_ns X [deviation_ns X] [samples N]");
    refuse(A "cost k on a size 1 mean_ns 1 samples\n",
           "6: want: cost KERNEL on CLASS size N|any mean_ns X [deviation_ns X] [samples N]");
    refuse(A "cost k on a size 1 mean_ns 0x10\n",
           "6: 0x10 is no number; write something like 12.5 or 1e6");
}

static void limits(void **state)
{
    (void)state;
    size_t bytes = LIMITS_MACHINE_LINE_BYTES + 64;
    char *text = malloc(bytes);
    assert_non_null(text);
    int head = snprintf(text, bytes, "fgm 1\n#");
    memset(text + head, 'x', bytes - (size_t)head);
    assert_int_equal(parse(text, 6 + LIMITS_MACHINE_LINE_BYTES + 1), FGPU_E_INVAL);
    assert_string_equal(error_text(), "f.fgm:2: the line has 4097 bytes, at most 4096");
    assert_int_equal(parse(text, 6 + LIMITS_MACHINE_LINE_BYTES), FGPU_E_INVAL); /* no device */
    assert_non_null(strstr(error_text(), "there is no device"));
    free(text);
    assert_int_equal(machine_parse(&m, "f.fgm", "", LIMITS_MACHINE_TEXT_BYTES + 1), FGPU_E_LIMIT);
}

/* ---- numbers */

static void assert_number(const char *text, int shift, double want)
{
    double value = -7.0;
    if (isnan(want)) {
        assert_false(machine_number_read(text, strlen(text), shift, &value));
        return;
    }
    if (!machine_number_read(text, strlen(text), shift, &value) || value != want)
        fail_msg("%s * 10^%d is %.17g, want %.17g", text, shift, value, want);
}

static void numbers(void **state)
{
    (void)state;
    assert_number("0", 0, 0);
    assert_number("3465.410", 3, 3465410);
    assert_number("6517450308", -9, 6.517450308);
    assert_number("0.000011", 9, 11000);
    assert_number("1e3", 0, 1000);
    assert_number("1E+3", 0, 1000);
    assert_number("1.5e-3", 0, 0.0015);
    assert_number("123456789012345678901234567890", 0, 123456789012345678901234567890.0);
    assert_number("1e308", 0, 1e308);
    assert_number("0.5e-323", 0, 0.5e-323);
    assert_number("1e-9999", 0, 0);
    assert_number("0e9999", 0, 0);
    static const char *const wrong[] = {"",
                                        ".",
                                        "1.",
                                        ".5",
                                        "-1",
                                        "+1",
                                        "1e",
                                        "1e+",
                                        "e5",
                                        "1e99999",
                                        "1e400",
                                        "nan",
                                        "inf",
                                        "0x10",
                                        "1,5",
                                        "1.2.3",
                                        "1 ",
                                        "1e5.5",
                                        "11111111111111111111111111111111111111111111111111"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_number(wrong[i], 0, NAN);
}

static void printed_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},
                 {1, "1"},
                 {10, "10"},
                 {0.1, "0.1"},
                 {2.5, "2.5"},
                 {1e15, "1000000000000000"},
                 {1e16, "1e16"},
                 {1.25e16, "1.25e16"},
                 {1e-5, "0.00001"},
                 {1e-6, "1e-6"},
                 {123456.75, "123456.75"},
                 {1.0 / 3, "0.3333333333333333"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1.7976931348623157e308, "1.7976931348623157e308"},
                 {9007199254740993.0, "9007199254740992"}};
    char text[MACHINE_NUMBER_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        machine_number_print(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* Any double comes back, in at most 24 letters; and what is read is what strtod() reads. */
static void random_numbers(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, seed_get(5));
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = rng_u64(&rng) >> 1;
        double value, back = -1.0;
        char text[MACHINE_NUMBER_BYTES];
        memcpy(&value, &bits, sizeof value);
        if (i % 2)
            value = (double)(rng_u64(&rng) >> rng_below(&rng, 60)) /
                    pow(10, (double)rng_below(&rng, 12));
        if (!isfinite(value))
            continue;
        machine_number_print(value, text);
        if (strlen(text) > 24 || !machine_number_read(text, strlen(text), 0, &back) ||
            back != value)
            fail_msg("%.17g is printed as %s and read as %.17g", value, text, back);
        assert_true(strtod(text, NULL) == value);
    }
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
        const char *printed;
    } cases[] = {{"1", 1, "1"},
                 {"1KiB", 1024, "1024"},
                 {"1024KiB", 1 << 20, "1MiB"},
                 {"3MiB", 3 << 20, "3MiB"},
                 {"1TiB", UINT64_C(1) << 40, "1024GiB"},
                 {"80GiB", UINT64_C(80) << 30, "80GiB"},
                 {"9223372036854775807", INT64_MAX, "9223372036854775807"}};
    char text[MACHINE_NUMBER_BYTES];
    uint64_t bytes;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(machine_number_read_bytes(cases[i].text, strlen(cases[i].text), &bytes));
        assert_true(bytes == cases[i].bytes);
        machine_number_print_bytes(bytes, text);
        assert_string_equal(text, cases[i].printed);
    }
    static const char *const wrong[] = {
        "",           "GiB",  "1.5GiB", "1GB", "1 GiB", "9223372036854775808",
        "8388608TiB", "1gib", "1iB",    "-1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(machine_number_read_bytes(wrong[i], strlen(wrong[i]), &bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_statement, start, stop),
        cmocka_unit_test_setup_teardown(written_by_hand, start, stop),
        cmocka_unit_test_setup_teardown(names, start, stop),
        cmocka_unit_test_setup_teardown(refused_lines, start, stop),
        cmocka_unit_test_setup_teardown(refused_parts, start, stop),
        cmocka_unit_test_setup_teardown(refused_links_routes_costs, start, stop),
        cmocka_unit_test_setup_teardown(limits, start, stop),
        cmocka_unit_test(numbers),
        cmocka_unit_test(printed_numbers),
        cmocka_unit_test(random_numbers),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
