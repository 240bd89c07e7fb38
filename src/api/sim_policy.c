/* Which policies there are, for those who list them. See fastgpu/sim.h.
 *
 * What they are is src/policy/. Thread: any.
 */
#include <fastgpu/sim.h>

#include <string.h>

#include "base/error.h"
#include "policy/policy.h"

fgpu_status fgpu_sim_policy_at(uint32_t index, const char **name, const char **summary)
{
    const char *at = policy_names();
    char one[64];

    for (uint32_t i = 0; i < index && *at != '\0'; i++) {
        at += strcspn(at, ",");
        at += strspn(at, ", ");
    }
    size_t length = strcspn(at, ",");
    if (length == 0 || length >= sizeof one)
        return error_set(FGPU_E_RANGE, "fgpu_sim_policy_at: index is %u; the policies are %s",
                         index, policy_names());
    memcpy(one, at, length);
    one[length] = '\0';
    const struct policy *policy = policy_find(one);
    if (policy == NULL)
        return error_set(FGPU_E_RANGE, "fgpu_sim_policy_at: there is no policy %s", one);
    if (name != NULL)
        *name = policy->name;
    if (summary != NULL)
        *summary = policy->summary;
    return FGPU_OK;
}
