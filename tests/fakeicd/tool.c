/*
 * The compiler as a process, and small files: what compile.c needs from the system.
 *
 * Runs in the caller's thread, without the lock.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char compiler_path[512];
static pthread_once_t compiler_once = PTHREAD_ONCE_INIT;

static bool find_in_path(const char *name)
{
    const char *at = getenv("PATH");
    if (strchr(name, '/') != NULL) {
        snprintf(compiler_path, sizeof(compiler_path), "%s", name);
        return access(compiler_path, X_OK) == 0;
    }
    while (at != NULL && *at != '\0') {
        int length = (int)strcspn(at, ":");
        snprintf(compiler_path, sizeof(compiler_path), "%.*s/%s", length, at, name);
        if (access(compiler_path, X_OK) == 0)
            return true;
        at += length + (at[length] == ':');
    }
    return false;
}

static void find_compiler(void)
{
    static const char *const names[] = {"clang",    "clang-14", "clang-15", "clang-16",
                                        "clang-17", "clang-18", "clang-19"};
    const char *given = getenv("FAKECL_CC");
    if (given != NULL && given[0] != '\0') {
        if (!find_in_path(given))
            compiler_path[0] = '\0';
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (find_in_path(names[i]))
            return;
    compiler_path[0] = '\0';
}

const char *compile_compiler(void)
{
    pthread_once(&compiler_once, find_compiler);
    return compiler_path;
}

bool compile_available(void)
{
    return compile_compiler()[0] != '\0';
}

int compile_run(const char *const *argv, const char *log_path)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    if (posix_spawn(&child, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) == 0)
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

unsigned char *compile_read_file(const char *path, size_t *size_bytes)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return NULL;
    unsigned char *bytes = NULL;
    if (fstat(file, &status) == 0) {
        size_t size = (size_t)status.st_size, at = 0;
        bytes = state_alloc(size + 1);
        for (ssize_t got = 1; at < size && got > 0; at += got > 0 ? (size_t)got : 0)
            got = read(file, bytes + at, size - at);
        *size_bytes = at;
        if (at < size) {
            free(bytes);
            bytes = NULL;
        }
    }
    close(file);
    return bytes;
}

bool compile_write_file(const char *path, const void *bytes, size_t size_bytes)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t at = 0;
    if (file < 0)
        return false;
    for (ssize_t put = 1; at < size_bytes && put > 0; at += put > 0 ? (size_t)put : 0)
        put = write(file, (const char *)bytes + at, size_bytes - at);
    return close(file) == 0 && at == size_bytes;
}
