/* Options of the commands: one table a command, from which its words are read and its help is made.
 *
 * Long options take their value after "=" or as the next word, whatever that begins with; letters
 * take it as the rest of the word or as the next one. -h and --help are known everywhere. What is
 * read goes where the table says; what was there before is the default. Of an option that is given
 * twice the last one counts. Runs on the main thread; prints to stdout (help) and stderr
 * (mistakes).
 */
#ifndef FASTGPU_CLI_COMMON_OPTIONS_H
#define FASTGPU_CLI_COMMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,   /* into: bool, becomes true */
    OPTION_TEXT,   /* into: const char *, borrowed from argv, never empty */
    OPTION_TEXTS,  /* into: struct option_texts; may be given again and again */
    OPTION_NUMBER, /* into: uint64_t, low <= number <= high */
    OPTION_CHOICE  /* into: uint32_t, the place in `choices` */
};

struct option_texts {
    const char **list; /* room for argc of them */
    uint32_t count;
};

struct option {
    const char *name; /* without its dashes */
    char letter;      /* 0: none */
    enum option_kind kind;
    void *into;
    const char *value; /* what the help calls its value; NULL for flags */
    const char *help;  /* lines */
    uint64_t low, high;
    const char *const *choices; /* closed by NULL */
};

/* What is known of one command. */
struct options_page {
    const char *command; /* as typed: "fastgpu bench tasks" */
    const char *text;    /* what it does; lines */
    const struct option *options;
    uint32_t count;
    const char *words;    /* what the usage calls words that belong to no option; NULL: a mistake */
    char **word_list;     /* those words; room for argc of them */
    uint32_t *word_count; /* becomes their number */
};

enum options_outcome {
    OPTIONS_GO,   /* read; the command may begin */
    OPTIONS_HELP, /* help was asked for and printed: COMMAND_OK */
    OPTIONS_WRONG /* a mistake was named on stderr: COMMAND_USAGE */
};

/* Reads argv[1 .. argc - 1]. Behind "--" there are no options. */
enum options_outcome options_read(const struct options_page *page, int argc, char **argv);

/* Exit code of an outcome other than OPTIONS_GO. */
int options_code(enum options_outcome outcome);

/* Names a mistake that lies between options, as options_read() does. Returns OPTIONS_WRONG. */
__attribute__((format(printf, 2, 3))) enum options_outcome
options_refuse(const struct options_page *page, const char *format, ...);

#endif
