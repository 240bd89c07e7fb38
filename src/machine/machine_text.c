/* The text of a machine (*.fgm) becomes a machine. docs/machine.md is the grammar.
 *
 * A line is a statement: words, of which the first says what it is. Statements that open a part
 * (class, link, route) are followed by those that say more of it. Whatever is wrong is named with
 * its line. Thread: one.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "machine/machine_build.h"
#include "machine/machine_number.h"

#define TEXT_WORDS 16u
#define TEXT_VERSION "1"

/* What the lines that follow speak of. */
enum text_part { TEXT_TOP = 1, TEXT_CLASS = 2, TEXT_LINK = 4, TEXT_ROUTE = 8 };

struct text_reader {
    struct machine_build build;
    const char *name; /* of the file */
    const char *at, *end;
    uint32_t line;
    enum text_part part;
    uint32_t part_line;
    uint64_t seen; /* statements of this part, by their place in the table */
    uint32_t word_count;
    const char *words[TEXT_WORDS]; /* in `letters` */
    bool is_quoted[TEXT_WORDS];
    char letters[LIMITS_MACHINE_LINE_BYTES + TEXT_WORDS];
};

struct text_statement {
    const char *word;
    uint32_t parts;       /* enum text_part: where it may stand; 0: anywhere */
    uint32_t least, most; /* words behind it */
    int (*read)(struct text_reader *reader);
    const char *want; /* what it looks like */
};

__attribute__((format(printf, 2, 3))) static int text_fail(const struct text_reader *reader,
                                                           const char *format, ...)
{
    char text[LIMITS_ERROR_TEXT];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    return error_set(FGPU_E_INVAL, "%s:%u: %s", reader->name, reader->line, text);
}

/* Puts the place in front of what a call below has said. */
static int text_pass(const struct text_reader *reader, int status)
{
    if (status == FGPU_OK)
        return status;
    return error_set((fgpu_status)status, "%s:%u: %s", reader->name, reader->line, error_text());
}

/* ---- words ------------------------------------------------------------------------------ */

/* A word in quotes, whose first one is at reader->at. Returns where it goes on in `letters`. */
static int text_read_quoted(struct text_reader *reader, const char *stop, char **into)
{
    for (reader->at++; reader->at < stop && *reader->at != '"'; reader->at++) {
        if (*reader->at == '\\') {
            reader->at++;
            if (reader->at == stop || (*reader->at != '"' && *reader->at != '\\'))
                return text_fail(reader, "a \\ in quotes stands before \" or \\ only");
        }
        *(*into)++ = *reader->at;
    }
    if (reader->at == stop)
        return text_fail(reader, "the quote is not closed; a word ends on its line");
    reader->at++;
    if (reader->at < stop && *reader->at != ' ' && *reader->at != '\t')
        return text_fail(reader, "a blank is wanted behind the closing quote");
    return FGPU_OK;
}

/* Cuts the line that ends at `stop` into words. */
static int text_read_words(struct text_reader *reader, const char *stop)
{
    char *into = reader->letters;
    reader->word_count = 0;
    if (stop - reader->at > (ptrdiff_t)LIMITS_MACHINE_LINE_BYTES)
        return text_fail(reader, "the line has %td bytes, at most %u", stop - reader->at,
                         LIMITS_MACHINE_LINE_BYTES);
    for (const char *at = reader->at; at < stop; at++)
        if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f)
            return text_fail(reader, "a control character (0x%02x); the file is text",
                             (unsigned)(unsigned char)*at);
    for (;;) {
        while (reader->at < stop && (*reader->at == ' ' || *reader->at == '\t'))
            reader->at++;
        if (reader->at == stop || *reader->at == '#')
            return FGPU_OK;
        if (reader->word_count == TEXT_WORDS)
            return text_fail(reader,
                             "more than %u words in a line; put names with blanks in quotes",
                             TEXT_WORDS);
        reader->is_quoted[reader->word_count] = *reader->at == '"';
        reader->words[reader->word_count++] = into;
        if (*reader->at == '"') {
            int status = text_read_quoted(reader, stop, &into);
            if (status != FGPU_OK)
                return status;
        } else {
            while (reader->at < stop && *reader->at != ' ' && *reader->at != '\t') {
                if (*reader->at == '"')
                    return text_fail(reader, "a quote in the middle of a word; it begins a word");
                *into++ = *reader->at++;
            }
        }
        *into++ = '\0';
    }
}

/* Is that word of the language there? */
static bool text_is(const struct text_reader *reader, uint32_t word, const char *what)
{
    return word < reader->word_count && !reader->is_quoted[word] &&
           strcmp(reader->words[word], what) == 0;
}

/* ---- values ----------------------------------------------------------------------------- */

static int text_number(const struct text_reader *reader, uint32_t word, double *value)
{
    const char *text = reader->words[word];
    if (!reader->is_quoted[word] && machine_number_read(text, strlen(text), 0, value))
        return FGPU_OK;
    return text_fail(reader, "%.40s is no number; write something like 12.5 or 1e6", text);
}

static int text_whole(const struct text_reader *reader, uint32_t word, uint64_t most,
                      uint64_t *value)
{
    const char *text = reader->words[word];
    if (!reader->is_quoted[word] && machine_number_read_whole(text, strlen(text), most, value))
        return FGPU_OK;
    return text_fail(reader, "%.40s is no whole number up to %" PRIu64, text, most);
}

/* A class that is known. */
static int text_class_of(const struct text_reader *reader, uint32_t word, uint32_t *index)
{
    *index = machine_names_find(&reader->build.classes, reader->words[word]);
    if (*index != MACHINE_NONE)
        return FGPU_OK;
    return text_fail(reader, "there is no class %.64s above this line", reader->words[word]);
}

/* ---- statements: the top ----------------------------------------------------------------- */

static int text_version(struct text_reader *reader)
{
    if (text_is(reader, 1, TEXT_VERSION))
        return FGPU_OK;
    return text_fail(reader,
                     "version %.20s of the format; this library reads version " TEXT_VERSION,
                     reader->words[1]);
}

static int text_machine(struct text_reader *reader)
{
    struct machine *machine = reader->build.machine;
    return text_pass(reader, machine_build_name(machine->name, "machine", reader->words[1]));
}

static int text_note(struct text_reader *reader)
{
    return text_pass(reader, machine_build_note(&reader->build, reader->words[1]));
}

static int text_class(struct text_reader *reader)
{
    reader->part = TEXT_CLASS;
    return text_pass(reader, machine_build_class(&reader->build, reader->words[1]));
}

static int text_link(struct text_reader *reader)
{
    reader->part = TEXT_LINK;
    return text_pass(reader, machine_build_link(&reader->build, reader->words[1]));
}

/* An end of a route: the bare word host, or a class. */
static int text_end(const struct text_reader *reader, uint32_t word, uint32_t *end)
{
    if (text_is(reader, word, "host")) {
        *end = MACHINE_HOST;
        return FGPU_OK;
    }
    return text_class_of(reader, word, end);
}

/* route A -> B [within N] */
static int text_route(struct text_reader *reader)
{
    uint32_t source, target;
    uint64_t group = 0;
    bool is_grouped = reader->word_count == 6;
    if (!text_is(reader, 2, "->") || reader->word_count == 5 ||
        (is_grouped && !text_is(reader, 4, "within")))
        return text_fail(reader, "want: route A -> B, or route A -> A within N");
    int status = text_end(reader, 1, &source);
    if (status == FGPU_OK)
        status = text_end(reader, 3, &target);
    if (status == FGPU_OK && is_grouped)
        status = text_whole(reader, 5, LIMITS_MACHINE_DEVICES, &group);
    if (status != FGPU_OK)
        return status;
    if (is_grouped && group == 0)
        return text_fail(reader, "a group has at least 1 device");
    reader->part = TEXT_ROUTE;
    return text_pass(reader, machine_build_route(&reader->build, source, target, (uint32_t)group));
}

/* cost KERNEL on CLASS size N|any mean_ns X [deviation_ns X] [samples N] */
static int text_cost(struct text_reader *reader)
{
    static const char want[] =
        "want: cost KERNEL on CLASS size N|any mean_ns X [deviation_ns X] [samples N]";
    struct machine_cost cost = {0};
    uint32_t word = 8;
    if (!text_is(reader, 2, "on") || !text_is(reader, 4, "size") || !text_is(reader, 6, "mean_ns"))
        return text_fail(reader, want);
    int status = text_class_of(reader, 3, &cost.class_index);
    if (status == FGPU_OK && !text_is(reader, 5, "any")) {
        status = text_whole(reader, 5, UINT64_MAX, &cost.size);
        if (status == FGPU_OK && cost.size == MACHINE_ANY_SIZE)
            status =
                text_fail(reader, "a size is at least 1; \"any\" says that it does not matter");
    }
    if (status == FGPU_OK)
        status = text_number(reader, 7, &cost.mean_ns);
    if (status == FGPU_OK && text_is(reader, word, "deviation_ns") &&
        word + 1 < reader->word_count) {
        status = text_number(reader, word + 1, &cost.deviation_ns);
        word += 2;
    }
    if (status == FGPU_OK && text_is(reader, word, "samples") && word + 1 < reader->word_count) {
        status = text_whole(reader, word + 1, UINT64_MAX, &cost.samples);
        word += 2;
    }
    if (status == FGPU_OK && word != reader->word_count)
        status = text_fail(reader, want);
    if (status != FGPU_OK)
        return status;
    return text_pass(reader, machine_build_cost(&reader->build, reader->words[1], &cost));
}

/* ---- statements: more of a class --------------------------------------------------------- */

static int text_kind(struct text_reader *reader)
{
    struct machine_class *class = machine_build_last_class(&reader->build);
    if (text_is(reader, 1, "cpu"))
        class->kind = MACHINE_CPU;
    else if (text_is(reader, 1, "gpu"))
        class->kind = MACHINE_GPU;
    else if (text_is(reader, 1, "accelerator"))
        class->kind = MACHINE_ACCELERATOR;
    else
        return text_fail(reader, "the kind is %.40s; there are cpu, gpu and accelerator",
                         reader->words[1]);
    return FGPU_OK;
}

static int text_count(struct text_reader *reader)
{
    uint64_t count = 0;
    int status = text_whole(reader, 1, LIMITS_MACHINE_DEVICES, &count);
    if (status == FGPU_OK && count == 0)
        return text_fail(reader, "a class has at least 1 device");
    if (status == FGPU_OK)
        machine_build_last_class(&reader->build)->count = (uint32_t)count;
    return status;
}

static int text_memory(struct text_reader *reader)
{
    struct machine_class *class = machine_build_last_class(&reader->build);
    const char *text = reader->words[1];
    if (text_is(reader, 1, "host"))
        return FGPU_OK;
    class->first_node = 1;
    if (text_is(reader, 1, "unlimited"))
        return FGPU_OK;
    if (!reader->is_quoted[1] &&
        machine_number_read_bytes(text, strlen(text), &class->memory_bytes) &&
        class->memory_bytes > 0)
        return FGPU_OK;
    return text_fail(reader, "the memory is %.40s; write bytes, 512MiB, 80GiB, unlimited or host",
                     text);
}

static int text_launch(struct text_reader *reader)
{
    return text_whole(reader, 1, UINT64_MAX, &machine_build_last_class(&reader->build)->launch_ns);
}

static int text_units(struct text_reader *reader)
{
    uint64_t units = 0;
    int status = text_whole(reader, 1, LIMITS_MACHINE_UNITS, &units);
    if (status == FGPU_OK && units == 0)
        return text_fail(reader, "a device runs at least 1 work group at a time");
    if (status == FGPU_OK)
        machine_build_last_class(&reader->build)->units = (uint32_t)units;
    return status;
}

static int text_flops(struct text_reader *reader)
{
    return text_number(reader, 1, &machine_build_last_class(&reader->build)->flops_per_ns);
}

static int text_idle(struct text_reader *reader)
{
    return text_number(reader, 1, &machine_build_last_class(&reader->build)->idle_watt);
}

static int text_busy(struct text_reader *reader)
{
    return text_number(reader, 1, &machine_build_last_class(&reader->build)->busy_watt);
}

/* ---- statements: more of a link or a route ----------------------------------------------- */

/* Of a class or of a link. */
static int text_bytes(struct text_reader *reader)
{
    if (reader->part == TEXT_CLASS)
        return text_number(reader, 1, &machine_build_last_class(&reader->build)->bytes_per_ns);
    return text_number(reader, 1, &machine_build_last_link(&reader->build)->bytes_per_ns);
}

static int text_latency(struct text_reader *reader)
{
    return text_whole(reader, 1, UINT64_MAX, &machine_build_last_link(&reader->build)->latency_ns);
}

/* each CLASS [per N] */
static int text_each(struct text_reader *reader)
{
    struct machine_link *link = machine_build_last_link(&reader->build);
    uint64_t group = 1;
    if (reader->word_count == 3 || (reader->word_count == 4 && !text_is(reader, 2, "per")))
        return text_fail(reader, "want: each CLASS, or each CLASS per N");
    int status = text_class_of(reader, 1, &link->of_class);
    if (status == FGPU_OK && reader->word_count == 4)
        status = text_whole(reader, 3, LIMITS_MACHINE_DEVICES, &group);
    if (status == FGPU_OK && group == 0)
        status = text_fail(reader, "a group has at least 1 device");
    link->group = (uint32_t)group;
    return status;
}

/* over LINK [of source|target] */
static int text_over(struct text_reader *reader)
{
    uint32_t end = MACHINE_END_SHARED;
    uint32_t link = machine_names_find(&reader->build.links, reader->words[1]);
    if (link == MACHINE_NONE)
        return text_fail(reader, "there is no link %.64s above this line", reader->words[1]);
    if (reader->word_count > 2) {
        if (!text_is(reader, 2, "of") || reader->word_count == 3 ||
            !(text_is(reader, 3, "source") || text_is(reader, 3, "target")))
            return text_fail(reader, "want: over LINK, over LINK of source, over LINK of target");
        end = text_is(reader, 3, "source") ? MACHINE_END_SOURCE : MACHINE_END_TARGET;
    }
    return text_pass(reader, machine_build_hop(&reader->build, link, end));
}

/* ---- the file --------------------------------------------------------------------------- */

static const struct text_statement text_statements[] = {
    {"fgm", 0, 1, 1, text_version, "fgm " TEXT_VERSION},
    {"machine", 0, 1, 1, text_machine, "machine NAME"},
    {"note", 0, 1, 1, text_note, "note \"TEXT\""},
    {"class", 0, 1, 1, text_class, "class NAME"},
    {"link", 0, 1, 1, text_link, "link NAME"},
    {"route", 0, 3, 5, text_route, "route A -> B [within N]"},
    {"cost", 0, 7, 11, text_cost, "cost KERNEL on CLASS size N|any mean_ns X ..."},
    {"kind", TEXT_CLASS, 1, 1, text_kind, "kind cpu|gpu|accelerator"},
    {"count", TEXT_CLASS, 1, 1, text_count, "count N"},
    {"memory", TEXT_CLASS, 1, 1, text_memory, "memory host|unlimited|BYTES"},
    {"launch_ns", TEXT_CLASS, 1, 1, text_launch, "launch_ns N"},
    {"units", TEXT_CLASS, 1, 1, text_units, "units N"},
    {"flops_per_ns", TEXT_CLASS, 1, 1, text_flops, "flops_per_ns X"},
    {"bytes_per_ns", TEXT_CLASS | TEXT_LINK, 1, 1, text_bytes, "bytes_per_ns X"},
    {"idle_watt", TEXT_CLASS, 1, 1, text_idle, "idle_watt X"},
    {"busy_watt", TEXT_CLASS, 1, 1, text_busy, "busy_watt X"},
    {"latency_ns", TEXT_LINK, 1, 1, text_latency, "latency_ns N"},
    {"each", TEXT_LINK, 1, 3, text_each, "each CLASS [per N]"},
    {"over", TEXT_ROUTE, 1, 3, text_over, "over LINK [of source|target]"},
};

#define TEXT_STATEMENTS (sizeof text_statements / sizeof text_statements[0])

/* What a part cannot be without, when the next one begins. */
static int text_close(struct text_reader *reader)
{
    const char *missing = NULL;
    if (reader->part == TEXT_CLASS) {
        const struct machine_class *class = machine_build_last_class(&reader->build);
        missing = class->kind == 0 ? "kind" : class->count == 0 ? "count" : NULL;
    } else if (reader->part == TEXT_LINK) {
        const struct machine_link *link = machine_build_last_link(&reader->build);
        missing = link->bytes_per_ns == MACHINE_UNKNOWN ? "bytes_per_ns" : NULL;
    }
    if (missing != NULL) {
        reader->line = reader->part_line;
        return text_fail(reader, "%s is missing below this line", missing);
    }
    return FGPU_OK;
}

static int text_run(struct text_reader *reader, size_t number)
{
    const struct text_statement *statement = &text_statements[number];
    uint32_t behind = reader->word_count - 1;
    bool is_opening = statement->parts == 0;
    if (behind < statement->least || behind > statement->most)
        return text_fail(reader, "%u words behind %s; want: %s", behind, statement->word,
                         statement->want);
    if (is_opening) {
        int status = text_close(reader);
        if (status != FGPU_OK)
            return status;
        reader->part = TEXT_TOP;
        reader->part_line = reader->line;
        /* Of what belongs to no part only these two may stand once. */
        reader->seen &= (uint64_t)1 << 0 | (uint64_t)1 << 1;
    } else if ((statement->parts & (uint32_t)reader->part) == 0) {
        const char *where = statement->parts & TEXT_CLASS  ? "class"
                            : statement->parts & TEXT_LINK ? "link"
                                                           : "route";
        return text_fail(reader, "%s belongs below a line that begins with %s", statement->word,
                         where);
    }
    if (statement->read != text_over && (reader->seen >> number & 1) != 0)
        return text_fail(reader, "%s is there twice", statement->word);
    reader->seen |= (uint64_t)1 << number;
    return statement->read(reader);
}

static int text_line(struct text_reader *reader)
{
    if (reader->word_count == 0)
        return FGPU_OK;
    if ((reader->seen & 1) == 0 && !text_is(reader, 0, "fgm"))
        return text_fail(reader, "the first line of a machine description is: fgm " TEXT_VERSION);
    for (size_t i = 0; i < TEXT_STATEMENTS; i++)
        if (text_is(reader, 0, text_statements[i].word))
            return text_run(reader, i);
    return text_fail(reader,
                     "%.40s: no such statement; there are class, link, route, cost, note and "
                     "what docs/machine.md lists below them",
                     reader->words[0]);
}

/* All lines. */
static int text_read(struct text_reader *reader)
{
    while (reader->at < reader->end) {
        const char *stop = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
        const char *next = stop != NULL ? stop + 1 : reader->end;
        if (stop == NULL)
            stop = reader->end;
        if (stop > reader->at && stop[-1] == '\r')
            stop--;
        reader->line++;
        int status = text_read_words(reader, stop);
        if (status == FGPU_OK)
            status = text_line(reader);
        if (status != FGPU_OK)
            return status;
        reader->at = next;
    }
    if ((reader->seen & 1) == 0)
        return error_set(
            FGPU_E_INVAL,
            "%s: the text is empty; the first line of a machine description is: fgm " TEXT_VERSION,
            reader->name);
    return text_close(reader);
}

int machine_parse(struct machine *machine, const char *name, const char *text, size_t bytes)
{
    struct text_reader reader = {.name = name, .at = text, .end = text + bytes, .part = TEXT_TOP};
    if (bytes > LIMITS_MACHINE_TEXT_BYTES)
        return error_set(FGPU_E_LIMIT, "%s: %zu bytes, at most %u", name, bytes,
                         LIMITS_MACHINE_TEXT_BYTES);
    machine_build_init(&reader.build, machine);
    int status = text_read(&reader);
    machine_build_fini(&reader.build);
    if (status != FGPU_OK)
        return status;
    status = machine_seal(machine);
    if (status != FGPU_OK)
        return error_set((fgpu_status)status, "%s: %s", name, error_text());
    return FGPU_OK;
}
