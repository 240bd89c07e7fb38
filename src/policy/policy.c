/* The list of policies by name. */
#include "policy/policy.h"

#include <string.h>

static const struct policy *const policies[] = {
    &policy_auto, &policy_eft, &policy_fifo, &policy_steal, &policy_heteroprio, &policy_lookahead};

const struct policy *policy_find(const char *name)
{
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++)
        if (strcmp(policies[i]->name, name) == 0)
            return policies[i];
    return NULL;
}

const struct policy *policy_at(uint32_t index)
{
    return index < sizeof policies / sizeof policies[0] ? policies[index] : NULL;
}

const char *policy_names(void)
{
    return "auto, eft, fifo, steal, heteroprio, lookahead";
}
