/* Ending early: see stopping.h. */
#include "cli/common/stopping.h"

#include <string.h>

#include "cli/common/why.h"

static bool (*stopping_wanted)(void);

void stopping_ask(bool (*is_wanted)(void))
{
    stopping_wanted = is_wanted;
}

bool stopping_is_wanted(void)
{
    return stopping_wanted && stopping_wanted();
}

fgpu_status stopping_fail(const char *name, char *why, size_t why_bytes)
{
    return why_fail(FGPU_E_CANCELLED, why, why_bytes, "%s: stopped while it was read", name);
}

bool stopping_copy(void *to, const void *from, size_t size_bytes)
{
    for (size_t at = 0; at < size_bytes; at += STOPPING_PIECE_BYTES) {
        size_t rest = size_bytes - at;
        if (stopping_is_wanted())
            return false;
        memcpy((char *)to + at, (const char *)from + at,
               rest < STOPPING_PIECE_BYTES ? rest : STOPPING_PIECE_BYTES);
    }
    return true;
}
