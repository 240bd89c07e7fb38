/* Reads options and prints help: see options.h. */
#include "cli/common/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/commands.h"
#include "cli/common/nearest.h"

#define OPTIONS_HELP_COLUMN 30

/* The words that are left to read. */
struct options_words {
    const struct options_page *page;
    char **argv;
    int argc;
    int next;
};

int options_code(enum options_outcome outcome)
{
    return outcome == OPTIONS_WRONG ? COMMAND_USAGE : COMMAND_OK;
}

enum options_outcome options_refuse(const struct options_page *page, const char *format, ...)
{
    va_list values;

    fprintf(stderr, "%s: ", page->command);
    va_start(values, format);
    (void)vfprintf(stderr, format, values);
    va_end(values);
    (void)fputc('\n', stderr);
    return OPTIONS_WRONG;
}

static void options_print_option(const struct option *option)
{
    char head[64];
    const char *line = option->help;

    (void)snprintf(head, sizeof head, "  %c%c%s--%s%s%s", option->letter ? '-' : ' ',
                   option->letter ? option->letter : ' ', option->letter ? ", " : "  ",
                   option->name, option->value ? " " : "", option->value ? option->value : "");
    printf("%-*s", OPTIONS_HELP_COLUMN - 1, head);
    for (;;) {
        size_t length = strcspn(line, "\n");
        printf(" %.*s\n", (int)length, line);
        line += length;
        if (*line == '\0')
            return;
        line++;
        printf("%*s", OPTIONS_HELP_COLUMN - 1, "");
    }
}

static enum options_outcome options_print_help(const struct options_page *page)
{
    static const struct option help = {.name = "help", .letter = 'h', .help = "this text"};

    printf("usage: %s%s%s [options]\n\n%s\n\nOptions:\n", page->command, page->words ? " " : "",
           page->words ? page->words : "", page->text);
    for (uint32_t i = 0; i < page->count; i++)
        options_print_option(&page->options[i]);
    options_print_option(&help);
    printf("\n%s", COMMAND_EXIT_TEXT);
    return OPTIONS_HELP;
}

static enum options_outcome options_unknown(const struct options_page *page, const char *word)
{
    struct nearest nearest;
    char name[64];

    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    if (name[0] != '-' || name[1] != '-')
        return options_refuse(page, "%s: no such %s; see %s --help", word,
                              name[0] == '-' ? "option" : "argument", page->command);
    nearest_init(&nearest, name + 2);
    for (uint32_t i = 0; i < page->count; i++)
        nearest_try(&nearest, page->options[i].name);
    nearest_try(&nearest, "help");
    if (!nearest_found(&nearest))
        return options_refuse(page, "%s: no such option; see %s --help", name, page->command);
    return options_refuse(page, "%s: no such option; the nearest is --%s", name,
                          nearest_found(&nearest));
}

static enum options_outcome options_take_number(const struct options_page *page,
                                                const struct option *option, const char *text)
{
    char *end;

    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || number < option->low ||
        number > option->high)
        return options_refuse(page, "--%s %s: want a whole number from %" PRIu64 " to %" PRIu64,
                              option->name, text, option->low, option->high);
    *(uint64_t *)option->into = number;
    return OPTIONS_GO;
}

static enum options_outcome options_take_choice(const struct options_page *page,
                                                const struct option *option, const char *text)
{
    char all[256] = "";
    struct nearest nearest;
    size_t used = 0;

    nearest_init(&nearest, text);
    for (uint32_t i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], text) == 0) {
            *(uint32_t *)option->into = i;
            return OPTIONS_GO;
        }
        nearest_try(&nearest, option->choices[i]);
        int length =
            snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", option->choices[i]);
        if (length > 0 && (size_t)length < sizeof all - used)
            used += (size_t)length;
    }
    if (!nearest_found(&nearest))
        return options_refuse(page, "--%s %s: want one of %s", option->name, text, all);
    return options_refuse(page, "--%s %s: want one of %s; the nearest is %s", option->name, text,
                          all, nearest_found(&nearest));
}

/* [in] value: NULL when the word had none. */
static enum options_outcome options_take(struct options_words *words, const struct option *option,
                                         const char *value)
{
    const struct options_page *page = words->page;

    if (option->kind == OPTION_FLAG) {
        if (value)
            return options_refuse(page, "--%s takes no value", option->name);
        *(bool *)option->into = true;
        return OPTIONS_GO;
    }
    if (!value) {
        if (words->next >= words->argc)
            return options_refuse(page, "--%s: its value (%s) is missing", option->name,
                                  option->value);
        value = words->argv[words->next++];
    }
    if (option->kind == OPTION_NUMBER)
        return options_take_number(page, option, value);
    if (option->kind == OPTION_CHOICE)
        return options_take_choice(page, option, value);
    if (!value[0])
        return options_refuse(page, "--%s: its value (%s) is empty", option->name, option->value);
    if (option->kind == OPTION_TEXTS) {
        struct option_texts *texts = option->into;
        texts->list[texts->count++] = value;
        return OPTIONS_GO;
    }
    *(const char **)option->into = value;
    return OPTIONS_GO;
}

static enum options_outcome options_read_long(struct options_words *words, const char *word)
{
    const struct options_page *page = words->page;
    size_t length = strcspn(word + 2, "=");
    const char *value = word[2 + length] == '=' ? word + 2 + length + 1 : NULL;

    if (strcmp(word, "--help") == 0)
        return options_print_help(page);
    for (uint32_t i = 0; i < page->count; i++)
        if (strlen(page->options[i].name) == length &&
            strncmp(page->options[i].name, word + 2, length) == 0)
            return options_take(words, &page->options[i], value);
    return options_unknown(page, word);
}

static enum options_outcome options_read_letter(struct options_words *words, const char *word)
{
    const struct options_page *page = words->page;

    if (strcmp(word, "-h") == 0)
        return options_print_help(page);
    for (uint32_t i = 0; i < page->count; i++)
        if (page->options[i].letter && page->options[i].letter == word[1])
            return options_take(words, &page->options[i], word[2] ? word + 2 : NULL);
    return options_unknown(page, word);
}

static enum options_outcome options_read_word(const struct options_page *page, char *word)
{
    if (!page->words)
        return options_unknown(page, word);
    page->word_list[(*page->word_count)++] = word;
    return OPTIONS_GO;
}

enum options_outcome options_read(const struct options_page *page, int argc, char **argv)
{
    struct options_words words = {.page = page, .argv = argv, .argc = argc, .next = 1};
    enum options_outcome outcome = OPTIONS_GO;
    bool has_ended = false;

    while (outcome == OPTIONS_GO && words.next < words.argc) {
        char *word = words.argv[words.next++];
        if (has_ended || word[0] != '-' || !word[1])
            outcome = options_read_word(page, word);
        else if (word[1] == '-' && word[2])
            outcome = options_read_long(&words, word);
        else if (word[1] != '-')
            outcome = options_read_letter(&words, word);
        else
            has_ended = true;
    }
    return outcome;
}
