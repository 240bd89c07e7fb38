/* Writes tokens out as CUDA C++, with what was noted of them (watch.h); see cuda.h.
 *
 * Lines keep their numbers. Failures are the context's. Thread: one.
 */
#ifndef FASTGPU_CODE_CUDA_WRITE_H
#define FASTGPU_CODE_CUDA_WRITE_H

#include "code/parser.h"

struct code_cuda_writer {
    struct code_context *context;
    struct code_watch *watch;
    const struct code_token *tokens;
    struct vec out;    /* of char */
    uint32_t line;     /* of the text, where the next character is written */
    uint32_t first;    /* lines in front of the user's text */
    bool tag;          /* behind struct: a tag may come */
    bool single;       /* constants without suffix are floats */
    bool typedef_enum; /* behind the enum that is being written a typedef goes on */
};

/* Call code_cuda_writer_fini in any case. Sorts what was noted. */
void code_cuda_writer_init(struct code_cuda_writer *writer, struct code_context *context,
                           struct code_watch *watch, const struct code_token *tokens);
void code_cuda_writer_fini(struct code_cuda_writer *writer);

void code_cuda_put(struct code_cuda_writer *writer, const char *text);

/* Tokens [begin, end). */
void code_cuda_write(struct code_cuda_writer *writer, uint32_t begin, uint32_t end);

/* The name as it is written. */
const char *code_cuda_name(struct code_cuda_writer *writer, uint32_t name);

#endif
