/* Preprocessing: from the text and the build options to the tokens that the parser reads.
 *
 * Takes what condition.h knows. Where an #if depends on what the device's compiler defines (`#ifdef
 * cl_khr_fp64`, `#if
 * __GPU__`), the branch of a plain OpenCL 1.2 device is taken and, if any branch holds more than
 * #pragma, #error and numbers given names, a doubt is noted. #include is a doubt: files are not
 * read here. Thread: one. Source: C99 6.10, OpenCL 1.2 specification 6.10.
 */
#ifndef FASTGPU_CODE_PREPROCESS_H
#define FASTGPU_CODE_PREPROCESS_H

#include "code/token.h"

/* Appends the tokens, CODE_TOKEN_END last, to `tokens` (a vec of struct code_token). [in] options:
 * may be NULL. Errors: FGPU_E_BUILD where no compiler would go on (a comment or an #if that does
 * not end), FGPU_E_LIMIT, FGPU_E_NOMEM. */
fgpu_status code_preprocess(struct code_context *context, const char *text, size_t length,
                            const char *options, struct vec *tokens);

#endif
