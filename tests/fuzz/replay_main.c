/* Runs a fuzzer over a corpus where no fuzzing engine is linked.
 *
 * Stands outside the walk of a task. Takes files and folders on the command line, gives every
 * regular file in them, in the order of their names, to LLVMFuzzerTestOneInput(), then the empty
 * input, and prints how many inputs it gave. One thread. Exit status 1 where a file cannot be read
 * or there was none: an empty corpus would test nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replay_count;

static int replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    /* Exactly `size` bytes on the heap, so that a sanitizer sees a read beyond the end. */
    uint8_t *data = malloc(size > 0 ? size : 1);
    size_t got = data != NULL ? fread(data, 1, size, file) : 0;
    fclose(file);
    if (data == NULL || got != size) {
        fprintf(stderr, "%s: could not be read\n", path);
        free(data);
        return 1;
    }
    /* The last name printed is the input that ended the process. */
    puts(path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size);
    replay_count++;
    free(data);
    return 0;
}

static int replay_path(const char *path);

static int replay_folder(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        perror(path);
        return 1;
    }
    int failed = 0;
    for (int i = 0; i < count; i++) {
        char *below = NULL;
        if (entries[i]->d_name[0] != '.' && asprintf(&below, "%s/%s", path, entries[i]->d_name) > 0)
            failed |= replay_path(below);
        free(below);
        free(entries[i]);
    }
    free(entries);
    return failed;
}

static int replay_path(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        perror(path);
        return 1;
    }
    if (S_ISDIR(info.st_mode))
        return replay_folder(path);
    return replay_file(path, (size_t)info.st_size);
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= replay_path(argv[i]);
    unsigned from_files = replay_count;
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("%u files of the corpus replayed\n", from_files);
    return failed || from_files == 0;
}
