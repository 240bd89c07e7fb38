/* Which build of a program or shared library a function belongs to.
 *
 * What was measured of a native function holds for that build of it alone: compiled otherwise, it
 * may be fifty times slower. Thread: any. Reads the note NT_GNU_BUILD_ID that linkers leave in the
 * loaded file (System V ABI, program headers; the note's layout: `ld --build-id`); no I/O.
 */
#ifndef FASTGPU_BASE_IMAGE_H
#define FASTGPU_BASE_IMAGE_H

#include <stdint.h>

/* Hash of the build's identity, the same in each process that runs it. 0: the file has none (it was
 * linked without --build-id, or made while running). [in] code: address of a
 * function in it. */
uint64_t image_id(uintptr_t code);

#endif
