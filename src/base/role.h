/* What the calling thread is doing for a pool: may it wait?
 *
 * Set around user code that the library calls (kernels, host functions, callbacks), read by the
 * API: there, calls that would wait return FGPU_E_AGAIN or FGPU_E_BUSY instead, for the thread
 * would wait for itself. Thread: each has its own.
 */
#ifndef FASTGPU_BASE_ROLE_H
#define FASTGPU_BASE_ROLE_H

enum role {
    ROLE_USER = 0, /* the program's own thread */
    ROLE_TASK,     /* inside a native kernel or a host function */
    ROLE_CALLBACK  /* inside a completion callback */
};

extern _Thread_local enum role role_now;

#endif
