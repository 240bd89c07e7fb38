/* Numbers in the words of `fastgpu sim`: reals, and bytes with a unit. Pure.
 */
#ifndef FASTGPU_CLI_SIM_SIM_WORDS_H
#define FASTGPU_CLI_SIM_SIM_WORDS_H

#include <stdbool.h>
#include <stdint.h>

/* A plain decimal number within low .. high. False where the text is none. */
bool sim_words_real(const char *text, double low, double high, double *number);

/* A whole number of bytes, with KiB, MiB, GiB, TiB (powers of 1024) or kB, MB, GB, TB behind it;
 * "1.5GiB" is one. At most 2^60. */
bool sim_words_bytes(const char *text, uint64_t *bytes);

#endif
