/* `fastgpu machine`: its commands, and what they share. Main thread. */
#ifndef FASTGPU_CLI_MACHINE_MACHINES_H
#define FASTGPU_CLI_MACHINE_MACHINES_H

#include <signal.h>

#include <fastgpu/fastgpu.h>

int machines_import(int argc, char **argv, const volatile sig_atomic_t *stop);
int machines_synth(int argc, char **argv, const volatile sig_atomic_t *stop);
int machines_show(int argc, char **argv, const volatile sig_atomic_t *stop);
int machines_capture(int argc, char **argv, const volatile sig_atomic_t *stop);

/* Reads a description. On failure says why on stderr; *code is the exit code. The caller destroys
 * it. NULL on failure. [in] command: as typed, for messages. */
fgpu_machine *machines_load(const char *command, const char *path, int *code);

/* Writes it to the file, with a line on stdout that counts what is in it, or prints it (path NULL).
 * Returns the exit code. */
int machines_write(const char *command, const fgpu_machine *machine, const char *path);

#endif
