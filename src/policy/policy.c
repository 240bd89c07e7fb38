/* The list of policies by name.
 *
 *
 */
#include "policy/policy.h"

#include <string.h>

static const struct policy *const policies[] = {&policy_eft, &policy_fifo};

const struct policy *policy_find(const char *name)
{
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++)
        if (strcmp(policies[i]->name, name) == 0)
            return policies[i];
    return NULL;
}

const char *policy_names(void)
{
    return "eft, fifo";
}
