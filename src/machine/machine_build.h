/* Adding parts to a machine, with the limits, for those that make one from a text. Each call
 * returns FGPU_OK or FGPU_E_LIMIT, FGPU_E_NOMEM, FGPU_E_INVAL with a text. Thread: one.
 */
#ifndef FASTGPU_MACHINE_MACHINE_BUILD_H
#define FASTGPU_MACHINE_MACHINE_BUILD_H

#include "machine/machine.h"
#include "machine/machine_names.h"

/* A machine in the making: its lists, and the names in them. */
struct machine_build {
    struct machine *machine; /* [borrow] */
    struct machine_names classes, links, kernels;
};

void machine_build_init(struct machine_build *build, struct machine *machine);
void machine_build_fini(struct machine_build *build);

/* Copies a name of 1 to LIMITS_NAME_BYTES - 1 letters, of which none is a control character. [in]
 * what: "class", for the text. */
int machine_build_name(char into[LIMITS_NAME_BYTES], const char *what, const char *text);

/* A new item of that name, the last of its list. */
int machine_build_class(struct machine_build *build, const char *name);
int machine_build_link(struct machine_build *build, const char *name);
struct machine_class *machine_build_last_class(struct machine_build *build);
struct machine_link *machine_build_last_link(struct machine_build *build);

/* A route without hops, and a hop of the last route. */
int machine_build_route(struct machine_build *build, uint32_t source, uint32_t target,
                        uint32_t group);
int machine_build_hop(struct machine_build *build, uint32_t link, uint32_t end);

/* A cost; the kernel of that name is made when there is none. cost->kernel is set. */
int machine_build_cost(struct machine_build *build, const char *kernel, struct machine_cost *cost);

/* A line of where the figures come from. */
int machine_build_note(struct machine_build *build, const char *text);

#endif
