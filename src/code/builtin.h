/* What OpenCL C 1.2 declares by itself: functions with their effect on memory and on other work
 * groups, constants.
 *
 * A function that is in no list and not in the text is CODE_EFFECT_UNKNOWN: its pointers count as
 * read and written. Pure tables. Thread: any. Source: OpenCL 1.2 specification, 6.12
 * (functions), 6.10 and 6.12.2.1 (macros).
 */
#ifndef FASTGPU_CODE_BUILTIN_H
#define FASTGPU_CODE_BUILTIN_H

#include <stdbool.h>
#include <stdint.h>

enum code_effect {
    CODE_EFFECT_UNKNOWN,
    CODE_EFFECT_NONE,     /* values in, value out */
    CODE_EFFECT_LOAD,     /* reads through argument `pointer` */
    CODE_EFFECT_STORE,    /* writes through argument `pointer` */
    CODE_EFFECT_ASYNC,    /* async_work_group_copy: writes through argument 0, reads through 1 */
    CODE_EFFECT_WAIT,     /* wait_group_events: argument 1 points to events */
    CODE_EFFECT_PREFETCH, /* touches nothing that can be seen */
    CODE_EFFECT_ATOMIC,   /* reads and writes through argument 0 */
    CODE_EFFECT_BARRIER,  /* of the work group */
    CODE_EFFECT_FENCE,    /* mem_fence and its halves */
    CODE_EFFECT_GROUP_ID, /* these four speak of the launch, so they notice slicing */
    CODE_EFFECT_NUM_GROUPS,
    CODE_EFFECT_GLOBAL_SIZE,
    CODE_EFFECT_GLOBAL_OFFSET,
    CODE_EFFECT_PRINTF,
    CODE_EFFECT_IMAGE
};

struct code_builtin {
    enum code_effect effect;
    uint32_t pointer;
};

/* Effect of the built-in function `name`. */
struct code_builtin code_builtin_find(const char *name);

/* Is it the name of a built-in constant (CLK_GLOBAL_MEM_FENCE, M_PI_F, INT_MAX, NULL)? */
bool code_builtin_is_constant(const char *name);

/* May a device's compiler define a macro of this name without being asked? Names reserved for it,
 * and constants; but not those that end like an include guard (_H, _CL), which programs wrongly
 * begin with an underscore. */
bool code_builtin_may_be_macro(const char *name);

#endif
