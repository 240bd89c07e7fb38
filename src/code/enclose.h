/* Which #if encloses a whole file: an include guard, or `#ifdef cl_khr_fp64` around everything.
 *
 * Where such a condition is false on a device, the file says nothing there and no kernel of it can
 * be built; so preprocess.h takes it as true without a doubt. Reads the text once, directives only.
 * Thread: one. Pure.
 */
#ifndef FASTGPU_CODE_ENCLOSE_H
#define FASTGPU_CODE_ENCLOSE_H

#include "code/token.h"

/* Appends the offsets of the `#` of each enclosing #if, #ifdef or #ifndef, outermost first, to
 * `offsets` (a vec of uint32_t). Text in groups that are left out counts too, which finds fewer. */
void code_enclose_find(struct code_context *context, const char *text, size_t length,
                       struct vec *offsets);

#endif
