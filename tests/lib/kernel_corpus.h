/* The kernels in tests/data/kernels, and what their first comments say of them.
 *
 * Lines that begin so are read:
 *   // options: -DREAL=float                     build options
 *   // expect: kernel arg=READ other=READ_WRITE:writes_only
 *   // class: kernel free|rewrite|never USE USE  the verdict, and uses that must be seen
 *   // run: kernel gx gy lx ly                   how to launch it; 16 x 8 in groups of 8 x 1
 * without
 *   // norun: kernel                             not to be launched
 *   // nobuild                                   no compiler takes it as it is
 */
#ifndef FASTGPU_TESTS_LIB_KERNEL_CORPUS_H
#define FASTGPU_TESTS_LIB_KERNEL_CORPUS_H

#include <stdbool.h>
#include <stddef.h>

struct corpus_file {
    const char *name; /* without the folder */
    const char *text; /* NUL-terminated */
    size_t length;
    char options[256];
    bool builds;
};

/* Calls `visit` with each file in the order of names; returns how many there were, -1 after saying
 * on stderr what went wrong. */
int corpus_each(void (*visit)(const struct corpus_file *file, void *user), void *user);

/* The rest of the next line that begins with `key`, copied to `line`; false at the end. Start with
 * *at = text. */
bool corpus_line(const char **at, const char *key, char *line, size_t line_bytes);

/* Is there a line `key` whose first word is `kernel`? The rests of all of them go to `line`. */
bool corpus_line_of(const struct corpus_file *file, const char *key, const char *kernel, char *line,
                    size_t line_bytes);

#endif
