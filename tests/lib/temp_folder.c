/* Files of a test: see temp_folder.h. */
#include "lib/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static char folder[] = "/tmp/fastgpu-test-XXXXXX";
static struct rlimit full_before;

int temp_folder_make(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : 1;
}

const char *temp_folder_path(const char *name)
{
    static char path[sizeof folder + 256];

    if (name[0] == '\0')
        return folder;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Removes what is in it where `removes`; the number of files. */
static unsigned temp_folder_walk(bool removes)
{
    unsigned count = 0;
    DIR *dir = opendir(folder);

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (removes)
            (void)unlink(temp_folder_path(entry->d_name));
    }
    (void)closedir(dir);
    return count;
}

int temp_folder_remove(void **state)
{
    (void)state;
    (void)temp_folder_walk(true);
    return rmdir(folder);
}

unsigned temp_folder_count(void)
{
    return temp_folder_walk(false);
}

void temp_folder_fill_disk(size_t size_bytes)
{
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &full_before), 0);
    struct rlimit small = {size_bytes, full_before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
}

void temp_folder_empty_disk(void)
{
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full_before), 0);
}
