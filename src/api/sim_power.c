/* What a simulated run draws, and what a power cap makes impossible: checks before the run, figures
 * after it. See fastgpu/sim.h. Thread: one at a time per simulation.
 */
#include <math.h>
#include <string.h>

#include "api/machine.h"
#include "api/sim.h"
#include "base/error.h"
#include "core/power.h"

fgpu_status sim_power_options(const fgpu_sim_options *options)
{
    const struct machine *machine = machine_of(options->machine);
    double cap_watt = options->power_cap_watt;
    bool wants_watts = options->objective >= FGPU_OBJECTIVE_ENERGY || cap_watt > 0;
    if (!isfinite(cap_watt) || cap_watt < 0)
        return error_set(FGPU_E_INVAL, "fgpu_sim_open: options.power_cap_watt is %g; 0 or more",
                         cap_watt);
    if (options->objective > FGPU_OBJECTIVE_EDP)
        return error_set(FGPU_E_INVAL, "fgpu_sim_open: options.objective is %u; from 0 to %d",
                         options->objective, FGPU_OBJECTIVE_EDP);
    if (options->objective != FGPU_OBJECTIVE_MAKESPAN && options->policy != NULL &&
        strcmp(options->policy, "auto") != 0)
        return error_set(FGPU_E_INVAL,
                         "fgpu_sim_open: options.objective is %u and options.policy '%s'; another "
                         "objective than the makespan needs 'auto'",
                         options->objective, options->policy);
    if (wants_watts && !simulator_has_power(machine))
        return error_set(FGPU_E_INVAL,
                         "fgpu_sim_open: options.%s needs what every device of '%s' draws, and its "
                         "description does not say that (idle_watt and busy_watt of each class)",
                         cap_watt > 0 ? "power_cap_watt" : "objective", machine->name);
    if (cap_watt > 0 && cap_watt <= simulator_idle_watt(machine))
        return error_set(FGPU_E_INVAL,
                         "fgpu_sim_open: options.power_cap_watt is %g; '%s' draws %g when idle",
                         cap_watt, machine->name, simulator_idle_watt(machine));
    return FGPU_OK;
}

/* The least that the machine must be allowed beyond idle for a task of the type to run, alone. */
static double power_least(const struct fgpu_sim *sim, uint32_t type)
{
    double least = INFINITY;
    for (uint32_t c = 0; c < sim->machine->classes.count; c++) {
        const struct machine_class *class = vec_at(&sim->machine->classes, c);
        if (class->count == 0 || simulator_cost(&sim->simulator, type, c)->mean_ns < 0)
            continue;
        uint64_t ns = simulator_type_most_ns(&sim->simulator, type, c);
        double part = ns < POWER_WINDOW_NS ? (double)ns / (double)POWER_WINDOW_NS : 1;
        double watt = simulator_extra_watt(sim->machine, c) * part;
        least = watt < least ? watt : least;
    }
    return least;
}

fgpu_status sim_power_check(const struct fgpu_sim *sim)
{
    const struct simulator *s = &sim->simulator;
    double cap_watt = s->config.cap_watt, most = 0;
    if (cap_watt <= 0)
        return FGPU_OK;
    for (uint32_t t = 0; t < s->types.count; t++)
        most = fmax(most, power_least(sim, t));
    /* Rounded up: the gate keeps a billionth back. */
    double least_watt = simulator_idle_watt(sim->machine) + ceil(most * (1 + 2e-9) * 1e3) / 1e3;
    if (cap_watt >= least_watt)
        return FGPU_OK;
    return error_set(
        FGPU_E_INVAL,
        "fgpu_sim_run: options.power_cap_watt is %g; '%s' draws %g when idle, and with "
        "less than %.3f some task could never run",
        cap_watt, sim->machine->name, simulator_idle_watt(sim->machine), least_watt);
}

/* ---- figures ---------------------------------------------------------------------------- */

/* Joules beyond idle that all tasks take at least, each on its thriftiest class. */
static double power_least_joule(const struct fgpu_sim *sim)
{
    double joule = 0;
    for (size_t i = 0; i < sim->tasks.count; i++) {
        const struct sim_task *task = vec_at(&sim->tasks, i);
        double least = INFINITY;
        for (uint32_t c = 0; c < sim->machine->classes.count; c++) {
            const struct machine_class *class = vec_at(&sim->machine->classes, c);
            double ns = simulator_cost(&sim->simulator, task->type, c)->mean_ns;
            if (class->count > 0 && ns >= 0)
                least = fmin(least, floor(ns) * 1e-9 * simulator_extra_watt(sim->machine, c));
        }
        joule += isfinite(least) ? least : 0;
    }
    return joule * (1 - 1e-9);
}

/* A run is covered by windows of 100 ms one after another, the last of which it may not fill. Each
 * takes at most what the cap leaves; so many that the least energy fits there must be. In the last
 * one it may come as fast as all devices together draw it. */
static uint64_t power_bound_ns(const struct fgpu_sim *sim)
{
    const struct machine *machine = sim->machine;
    double window_s = (double)POWER_WINDOW_NS * 1e-9, joule = power_least_joule(sim);
    double each = (sim->simulator.config.cap_watt - simulator_idle_watt(machine)) * window_s;
    double all_watt = 0;
    for (uint32_t c = 0; c < machine->classes.count; c++)
        all_watt += simulator_extra_watt(machine, c) *
                    ((const struct machine_class *)vec_at(&machine->classes, c))->count;
    double full = floor(joule / each);
    if (full > 0 && full * each >= joule)
        full--;
    double rest_s = all_watt > 0 ? (joule - full * each) / all_watt : 0;
    return (uint64_t)((full * window_s + fmax(rest_s, 0)) * 1e9 * (1 - 1e-9));
}

/* Joules, with what was drawn idle until the last task had ended. */
static double power_joule(const struct fgpu_sim *sim)
{
    double joule = simulator_idle_watt(sim->machine) * (double)sim->simulator.last_ns * 1e-9;
    for (uint32_t d = 0; d < sim->machine->device_count; d++) {
        const struct machine_class *class =
            vec_at(&sim->machine->classes, machine_device_class(sim->machine, d));
        double busy_ns = (double)*(uint64_t *)vec_at(&sim->simulator.busy, d);
        joule += (class->busy_watt - class->idle_watt) * busy_ns * 1e-9;
    }
    return joule;
}

fgpu_status sim_power_fill(struct fgpu_sim *sim, fgpu_sim_result *result)
{
    result->energy_joule = result->peak_watt = MACHINE_UNKNOWN;
    if (!simulator_has_power(sim->machine))
        return FGPU_OK;
    result->energy_joule = power_joule(sim);
    if (!simulator_peak_watt(&sim->simulator, &result->peak_watt))
        return FGPU_E_NOMEM;
    if (sim->simulator.config.cap_watt <= 0)
        return FGPU_OK;
    result->power_ns = power_bound_ns(sim);
    if (result->power_ns > result->bound_ns) {
        result->bound_ns = result->power_ns;
        result->bound_kind = 3;
    }
    return FGPU_OK;
}
