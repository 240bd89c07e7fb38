/* The calling thread's role; see role.h. */
#include "base/role.h"

_Thread_local enum role role_now = ROLE_USER;
