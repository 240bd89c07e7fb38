/* The words that the reader of OpenCL C treats specially, as an X-macro list.
 *
 * They are the first names that name.c interns, so that a name's number is its word: `token->name
 * == CODE_WORD_struct`. Type names (uint, float4, image2d_t) are not here: they are predeclared
 * symbols (type.c), which a program may shadow. Source: OpenCL C 1.2 specification, section 6.1.9,
 * and C99 6.4.1; GNU spellings as clang accepts them.
 */
#ifndef FASTGPU_CODE_WORD_H
#define FASTGPU_CODE_WORD_H

#define CODE_WORD_LIST(X)                                                                          \
    X(kernel)                                                                                      \
    X(__kernel)                                                                                    \
    X(global)                                                                                      \
    X(__global)                                                                                    \
    X(local)                                                                                       \
    X(__local)                                                                                     \
    X(constant)                                                                                    \
    X(__constant)                                                                                  \
    X(private)                                                                                     \
    X(__private)                                                                                   \
    X(__generic)                                                                                   \
    X(const)                                                                                       \
    X(__const)                                                                                     \
    X(volatile)                                                                                    \
    X(__volatile)                                                                                  \
    X(__volatile__)                                                                                \
    X(restrict)                                                                                    \
    X(__restrict)                                                                                  \
    X(__restrict__)                                                                                \
    X(read_only)                                                                                   \
    X(__read_only)                                                                                 \
    X(write_only)                                                                                  \
    X(__write_only)                                                                                \
    X(read_write)                                                                                  \
    X(__read_write)                                                                                \
    X(typedef)                                                                                     \
    X(static)                                                                                      \
    X(extern)                                                                                      \
    X(inline)                                                                                      \
    X(__inline)                                                                                    \
    X(__inline__)                                                                                  \
    X(register)                                                                                    \
    X(auto)                                                                                        \
    X(struct)                                                                                      \
    X(union)                                                                                       \
    X(enum)                                                                                        \
    X(signed)                                                                                      \
    X(__signed)                                                                                    \
    X(__signed__)                                                                                  \
    X(unsigned)                                                                                    \
    X(void)                                                                                        \
    X(char)                                                                                        \
    X(short)                                                                                       \
    X(int)                                                                                         \
    X(long)                                                                                        \
    X(float)                                                                                       \
    X(double)                                                                                      \
    X(half)                                                                                        \
    X(bool)                                                                                        \
    X(_Bool)                                                                                       \
    X(if)                                                                                          \
    X(else)                                                                                        \
    X(while)                                                                                       \
    X(do)                                                                                          \
    X(for)                                                                                         \
    X(switch)                                                                                      \
    X(case)                                                                                        \
    X(default)                                                                                     \
    X(return )                                                                                     \
    X(break)                                                                                       \
    X(continue)                                                                                    \
    X(goto)                                                                                        \
    X(sizeof)                                                                                      \
    X(vec_step)                                                                                    \
    X(_Alignof)                                                                                    \
    X(__alignof)                                                                                   \
    X(__alignof__)                                                                                 \
    X(typeof)                                                                                      \
    X(__typeof)                                                                                    \
    X(__typeof__)                                                                                  \
    X(asm)                                                                                         \
    X(__asm)                                                                                       \
    X(__asm__)                                                                                     \
    X(_Generic)                                                                                    \
    X(_Atomic)                                                                                     \
    X(_Static_assert)                                                                              \
    X(__extension__)                                                                               \
    X(__attribute__)                                                                               \
    X(__attribute)                                                                                 \
    X(reqd_work_group_size)                                                                        \
    X(__reqd_work_group_size__)                                                                    \
    X(work_group_size_hint)                                                                        \
    X(__work_group_size_hint__)                                                                    \
    X(cleanup)                                                                                     \
    X(__cleanup__)                                                                                 \
    X(address_space)                                                                               \
    X(__address_space__)                                                                           \
    X(opencl_global)                                                                               \
    X(opencl_local)                                                                                \
    X(opencl_constant)                                                                             \
    X(opencl_private)                                                                              \
    X(opencl_generic)                                                                              \
    X(vector_size)                                                                                 \
    X(__vector_size__)                                                                             \
    X(ext_vector_type)                                                                             \
    X(__ext_vector_type__)                                                                         \
    X(mode)                                                                                        \
    X(__mode__)                                                                                    \
    X(define)                                                                                      \
    X(undef)                                                                                       \
    X(ifdef)                                                                                       \
    X(ifndef)                                                                                      \
    X(elif)                                                                                        \
    X(elifdef)                                                                                     \
    X(elifndef)                                                                                    \
    X(endif)                                                                                       \
    X(include)                                                                                     \
    X(include_next)                                                                                \
    X(import)                                                                                      \
    X(embed)                                                                                       \
    X(pragma)                                                                                      \
    X(push_macro)                                                                                  \
    X(pop_macro)                                                                                   \
    X(defined)                                                                                     \
    X(_Pragma)                                                                                     \
    X(__LINE__)                                                                                    \
    X(__FILE__)                                                                                    \
    X(__COUNTER__)                                                                                 \
    X(__OPENCL_VERSION__)

/* Words before it are keywords; those after it are names like others, but for their meaning in
 * directives and attributes. */
#define CODE_WORD_KEYWORDS (CODE_WORD___attribute + 1)

enum code_word {
    CODE_WORD_none = 0, /* also the empty name */
#define CODE_WORD_ENUM(word) CODE_WORD_##word,
    CODE_WORD_LIST(CODE_WORD_ENUM)
#undef CODE_WORD_ENUM
        CODE_WORD_COUNT
};

#endif
