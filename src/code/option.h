/* Build options, read as far as they change what a source says: -D, -U, -cl-std and what includes a
 * file.
 *
 * Takes the string of clBuildProgram, gives the directives that stand for it. Thread: one. Pure.
 */
#ifndef FASTGPU_CODE_OPTION_H
#define FASTGPU_CODE_OPTION_H

#include "code/context.h"

/* Appends `#define NAME VALUE` and `#undef NAME` lines, with the macros that OpenCL C 1.2
 * predefines before them, to `text` (a vec of char). [in] options: may be NULL. Notes a doubt for
 * what cannot be read from here. */
void code_option_prelude(struct code_context *context, const char *options, struct vec *text);

#endif
