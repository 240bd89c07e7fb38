/* Reads the kernel corpus; see kernel_corpus.h. */
#include "lib/kernel_corpus.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void corpus_folder(char *path, size_t path_bytes)
{
    const char *root = getenv("FASTGPU_SOURCE_DIR");
    const char *here = strstr(__FILE__, "tests/lib/");
    if (root != NULL)
        snprintf(path, path_bytes, "%s/tests/data/kernels", root);
    else
        snprintf(path, path_bytes, "%.*stests/data/kernels", here ? (int)(here - __FILE__) : 0,
                 __FILE__);
}

static char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        long bytes = ftell(file);
        rewind(file);
        text = bytes >= 0 ? calloc((size_t)bytes + 1, 1) : NULL;
        if (text != NULL)
            *length = fread(text, 1, (size_t)bytes, file);
    }
    if (file != NULL)
        fclose(file);
    if (text == NULL)
        perror(path);
    return text;
}

bool corpus_line(const char **at, const char *key, char *line, size_t line_bytes)
{
    size_t length = strlen(key);
    while (**at != '\0') {
        const char *begin = *at;
        const char *end = strchr(begin, '\n');
        end = end != NULL ? end : begin + strlen(begin);
        *at = *end == '\n' ? end + 1 : end;
        if ((size_t)(end - begin) < length || memcmp(begin, key, length) != 0)
            continue;
        snprintf(line, line_bytes, "%.*s", (int)((size_t)(end - begin) - length), begin + length);
        return true;
    }
    return false;
}

bool corpus_line_of(const struct corpus_file *file, const char *key, const char *kernel, char *line,
                    size_t line_bytes)
{
    const char *at = file->text;
    size_t length = strlen(kernel);
    char one[256];
    bool found = false;
    line[0] = '\0';
    while (corpus_line(&at, key, one, sizeof one)) {
        if (strncmp(one, kernel, length) != 0 || (one[length] != ' ' && one[length] != '\0'))
            continue;
        size_t used = strlen(line);
        snprintf(line + used, line_bytes - used, "%s", one + length);
        found = true;
    }
    return found;
}

static int is_source(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 3 && strcmp(entry->d_name + length - 3, ".cl") == 0;
}

int corpus_each(void (*visit)(const struct corpus_file *file, void *user), void *user)
{
    char folder[1024];
    struct dirent **entries;
    corpus_folder(folder, sizeof folder);
    int count = scandir(folder, &entries, is_source, alphasort);
    int seen = 0;
    if (count < 0)
        perror(folder);
    for (int i = 0; i < count; i++) {
        char path[2048];
        char ignored[8];
        struct corpus_file file = {.name = entries[i]->d_name};
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        char *text = read_file(path, &file.length);
        if (text != NULL) {
            file.text = text;
            const char *at = text;
            corpus_line(&at, "// options: ", file.options, sizeof file.options);
            at = text;
            file.builds = !corpus_line(&at, "// nobuild", ignored, sizeof ignored);
            visit(&file, user);
            seen++;
        }
        free(text);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return seen == count ? count : -1;
}
