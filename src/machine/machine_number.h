/* Numbers as text, the same in every locale: decimal fractions that are read to the nearest double,
 * and printed with as few digits as lead back to it. Thread: any.
 */
#ifndef FASTGPU_MACHINE_MACHINE_NUMBER_H
#define FASTGPU_MACHINE_MACHINE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHINE_NUMBER_LETTERS 48 /* of a number's text; longer ones are refused */
#define MACHINE_NUMBER_BYTES 40   /* enough for what is printed, with its NUL */

/* Digits, a fraction, an exponent; no sign, no blank. [in] shift: times 10^shift, without rounding
 * twice. False: not such a number, or not finite. */
bool machine_number_read(const char *text, size_t length, int shift, double *value);

/* Digits only, up to `most`. */
bool machine_number_read_whole(const char *text, size_t length, uint64_t most, uint64_t *value);

/* Whole bytes, with KiB, MiB, GiB or TiB behind them or without. */
bool machine_number_read_bytes(const char *text, size_t length, uint64_t *bytes);

/* [in] value: finite, not negative. */
void machine_number_print(double value, char text[MACHINE_NUMBER_BYTES]);

/* In GiB or MiB where it is whole in them. */
void machine_number_print_bytes(uint64_t bytes, char text[MACHINE_NUMBER_BYTES]);

#endif
