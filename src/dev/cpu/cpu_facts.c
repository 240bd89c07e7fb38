/* What the machine's processor is: see cpu_facts.h. */
#include "dev/cpu/cpu_facts.h"

#include <hwloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/fork.h"
#include "dev/cpu/cpu_quota.h"

/* hwloc keeps lists and locks of its own, which a child would find as they were while another
 * thread was inside. The machine is read once, which takes milliseconds; what of it this process
 * may use is asked each time. */
static struct lock cpu_facts_lock;
static pthread_once_t cpu_facts_once = PTHREAD_ONCE_INIT;
static hwloc_topology_t cpu_facts_machine; /* under the lock; NULL until it was read */

static void cpu_facts_guard(void)
{
    fork_guard(&cpu_facts_lock);
}

static void cpu_facts_text(hwloc_topology_t topology, const char *key, char *out, size_t out_bytes)
{
    hwloc_obj_t package = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
    const char *text = package != NULL ? hwloc_obj_get_info_by_name(package, key) : NULL;

    if (text == NULL)
        text = hwloc_obj_get_info_by_name(hwloc_get_root_obj(topology), key);
    if (text != NULL)
        (void)snprintf(out, out_bytes, "%s", text);
}

/* Cores with at least one hardware thread that both the machine's administrator and the caller's
 * affinity mask allow. Two threads of one core count once: they share its arithmetic units. */
static void cpu_facts_cores(hwloc_topology_t topology, struct cpu_facts *facts)
{
    hwloc_bitmap_t usable = hwloc_bitmap_alloc();
    int depth = hwloc_get_type_depth(topology, HWLOC_OBJ_CORE);
    hwloc_obj_t core = NULL;
    uint32_t count = 0;

    if (usable == NULL)
        return;
    hwloc_bitmap_copy(usable, hwloc_topology_get_allowed_cpuset(topology));
    if (hwloc_get_cpubind(topology, usable, HWLOC_CPUBIND_PROCESS) == 0)
        hwloc_bitmap_and(usable, usable, hwloc_topology_get_allowed_cpuset(topology));
    facts->confined = !hwloc_bitmap_isequal(usable, hwloc_topology_get_allowed_cpuset(topology));
    if (depth < 0)
        depth = hwloc_get_type_depth(topology, HWLOC_OBJ_PU);
    while ((core = hwloc_get_next_obj_by_depth(topology, depth, core)) != NULL) {
        if (!hwloc_bitmap_intersects(core->cpuset, usable))
            continue;
        if (count < LIMITS_CPU_WORKERS)
            facts->cpus[count] = hwloc_bitmap_first(core->cpuset);
        count++;
    }
    facts->core_count = count;
    hwloc_bitmap_free(usable);
}

static uint64_t cpu_facts_cache(hwloc_topology_t topology)
{
    hwloc_obj_t cache = hwloc_get_obj_by_type(topology, HWLOC_OBJ_L2CACHE, 0);

    return cache != NULL ? cache->attr->cache.size : 0;
}

static hwloc_topology_t cpu_facts_topology(void)
{
    hwloc_topology_t topology;

    if (cpu_facts_machine != NULL || hwloc_topology_init(&topology) != 0)
        return cpu_facts_machine;
    if (hwloc_topology_load(topology) == 0)
        cpu_facts_machine = topology;
    else
        hwloc_topology_destroy(topology);
    return cpu_facts_machine;
}

/* For a program that unloads the library and goes on. */
__attribute__((destructor)) static void cpu_facts_forget(void)
{
    if (cpu_facts_machine != NULL)
        hwloc_topology_destroy(cpu_facts_machine);
    cpu_facts_machine = NULL;
}

static void cpu_facts_from_hwloc(struct cpu_facts *facts)
{
    hwloc_topology_t topology = cpu_facts_topology();

    if (topology == NULL)
        return;
    cpu_facts_text(topology, "CPUModel", facts->name, sizeof facts->name);
    cpu_facts_text(topology, "CPUVendor", facts->vendor, sizeof facts->vendor);
    cpu_facts_cores(topology, facts);
    facts->memory_bytes = hwloc_get_root_obj(topology)->total_memory;
    facts->cache_bytes = cpu_facts_cache(topology);
}

static uint32_t cpu_facts_clock_mhz(void)
{
    FILE *file = fopen("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "re");
    unsigned khz = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%u", &khz) != 1)
        khz = 0;
    (void)fclose(file);
    return khz / 1000;
}

/* The process may use all of these cores, but not all at a time. Which ones is the system's choice,
 * so no worker is bound to one. */
static void cpu_facts_limit(struct cpu_facts *facts, uint32_t quota)
{
    if (quota == 0 || quota >= facts->core_count)
        return;
    facts->core_count = quota;
    facts->confined = true;
}

void cpu_facts_read(struct cpu_facts *facts)
{
    cpu_facts_read_from(facts, "");
}

void cpu_facts_read_from(struct cpu_facts *facts, const char *root)
{
    *facts = (struct cpu_facts){.clock_mhz = cpu_facts_clock_mhz()};
    for (uint32_t i = 0; i < LIMITS_CPU_WORKERS; i++)
        facts->cpus[i] = -1;
    (void)pthread_once(&cpu_facts_once, cpu_facts_guard);
    lock_acquire(&cpu_facts_lock);
    cpu_facts_from_hwloc(facts);
    lock_release(&cpu_facts_lock);
    if (facts->core_count == 0) {
        cpu_set_t mask;
        bool known = sched_getaffinity(0, sizeof mask, &mask) == 0;
        facts->core_count = known && CPU_COUNT(&mask) > 0 ? (uint32_t)CPU_COUNT(&mask) : 1;
    }
    cpu_facts_limit(facts, cpu_quota_read(root));
    if (facts->memory_bytes == 0) {
        long pages = sysconf(_SC_PHYS_PAGES);
        long page_bytes = sysconf(_SC_PAGESIZE);
        if (pages > 0 && page_bytes > 0)
            facts->memory_bytes = (uint64_t)pages * (uint64_t)page_bytes;
    }
}
