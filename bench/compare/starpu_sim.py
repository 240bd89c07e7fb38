#!/usr/bin/env python3
"""The scheduling policies against StarPU's published simulations: same machines, same cost tables.

usage: bench/compare/starpu_sim.py FOLDER [--fastgpu PATH] [--check] [--quick] [--json FILE]

FOLDER holds the tables of measured machines (NAME.costs.csv, .devices.csv, .links.csv,
.routes.csv) and what StarPU reached on them (starpu_cholesky.csv, starpu_variants.csv,
starpu_memory_limited.csv, lower_bounds.csv). Prints, for each point of the tables:

  1. calibration: fifo and eft against eager and dmda, with and without transfers;
  2. auto against StarPU's best policy at every point, over the lower bound, and on average;
  3. auto without transfers over the lower bound;
  4. the memory of the GPUs limited: GFlop/s;
  5. costs wrong by half at the start and noisy by a fifth: over the run with true costs, medians;
  6. other tile sizes, large matrices, no priorities.

--check ends with 1 where a figure misses its target. --quick leaves 32 tiles and more away. Needs
Python 3 alone; the tables are read, nothing else.
"""
import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile

TILE = 960
SEEDS = 5
ROBUST = ["--noise", "0.2"]


class Bench:
    def __init__(self, options):
        self.folder = options.folder
        self.fastgpu = options.fastgpu
        self.work = tempfile.mkdtemp()
        self.missed = []
        self.points = []
        self.tiles = [10, 20] if options.quick else [10, 20, 32]
        self.machines = {}
        self.policies = subprocess.run([self.fastgpu, "sim", "--policy", "list"], check=True,
                                       capture_output=True, text=True).stdout
        self.policies = [line.split()[0] for line in self.policies.splitlines()]
        # What stands in for the choice among all where a version has none.
        self.best = "auto" if "auto" in self.policies else "eft"

    def table(self, name):
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            sys.exit(f"starpu_sim.py: {path} is missing")
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def machine(self, name):
        """The description made from the tables, as a file."""
        if name not in self.machines:
            path = os.path.join(self.work, name + ".fgm")
            words = [self.fastgpu, "machine", "import", "--name", name, "--output", path]
            for table in ("costs", "devices", "links", "routes"):
                words += ["--" + table, os.path.join(self.folder, f"{name}.{table}.csv")]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            self.machines[name] = path
        return self.machines[name]

    def run(self, machine, tiles, policy, *words, tile=TILE, generate="cholesky"):
        """One simulation; the object that it prints."""
        command = [self.fastgpu, "sim", "--machine", self.machine(machine), "--generate",
                   f"{generate}:tiles={tiles},tile={tile}", "--policy", policy, "--json", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"starpu_sim.py: {' '.join(command)}: {done.stderr}")
        return json.loads(done.stdout)

    def want(self, is_met, what):
        if not is_met:
            self.missed.append(what)
        return "" if is_met else "  <-- missed"

    def point(self, **values):
        self.points.append(values)


def title(text):
    print(f"\n{text}\n{'-' * len(text)}")


def calibration(bench):
    title("Calibration: makespan in ms, plain policies against StarPU's (target: within 10 %)")
    pairs = (("fifo", "eager"), ("eft", "dmda"))
    rows = [(row, []) for row in bench.table("starpu_cholesky.csv")]
    rows += [(row, ["--no-transfers"]) for row in bench.table("starpu_variants.csv")
             if row["variant"] == "nocost"]
    print(f"{'machine':8} {'N':>3} {'transfers':9} {'ours':5} {'StarPU':6} "
          f"{'ours ms':>9} {'StarPU ms':>9} {'ratio':>6}")
    for row, words in rows:
        tiles = int(row["nblocks"])
        for ours, theirs in pairs:
            if row["sched"] != theirs or tiles not in bench.tiles or row["tile"] != str(TILE):
                continue
            said = bench.run(row["machine"], tiles, ours, *words)
            ratio = said["makespan_ms"] / float(row["sim_ms"])
            what = f"{row['machine']} N={tiles} {ours}/{theirs}{' no transfers' if words else ''}"
            print(f"{row['machine']:8} {tiles:3} {'no' if words else 'yes':9} {ours:5} {theirs:6} "
                  f"{said['makespan_ms']:9.1f} {float(row['sim_ms']):9.1f} {ratio:6.3f}"
                  f"{bench.want(0.9 <= ratio <= 1.1, what)}")
            bench.point(part="calibration", machine=row["machine"], tiles=tiles, policy=ours,
                        transfers=not words, ms=said["makespan_ms"], starpu_ms=float(row["sim_ms"]))


def bounds(bench):
    return {(row["machine"], int(row["tile"]), int(row["N"])): float(row["best_bound_ms"])
            for row in bench.table("lower_bounds.csv")}


def best_of(rows):
    """By machine and tiles the quickest row."""
    best = {}
    for row in rows:
        key = row["machine"], int(row["nblocks"])
        if key not in best or float(row["sim_ms"]) < float(best[key]["sim_ms"]):
            best[key] = row
    return best


def main_points(bench):
    title(f"Tiled Cholesky, tile {TILE}, with transfers: {bench.best} against StarPU's best "
          "(targets: <= 1 each, <= 0.90 on average)")
    rows = [row for row in bench.table("starpu_cholesky.csv") if row["tile"] == str(TILE)]
    lower = bounds(bench)
    print(f"{'machine':8} {'N':>3} {'ours ms':>9} {'took':14} {'StarPU ms':>9} {'policy':18} "
          f"{'ratio':>6} {'x bound':>7} {'StarPU':>7} {'our bound':>9} {'GFlop/s':>8}")
    ratios = []
    for (machine, tiles), row in sorted(best_of(rows).items(), reverse=True):
        if tiles not in bench.tiles:
            continue
        said = bench.run(machine, tiles, bench.best)
        bound, theirs = lower[machine, TILE, tiles], float(row["sim_ms"])
        ratio = said["makespan_ms"] / theirs
        ratios.append(ratio)
        own = f"{said['bound_ms']:9.1f}" if said["bound_ms"] else f"{'unknown':>9}"
        print(f"{machine:8} {tiles:3} {said['makespan_ms']:9.1f} {said['chosen']:14} {theirs:9.1f} "
              f"{row['sched']:18} {ratio:6.3f} {said['makespan_ms'] / bound:7.3f} "
              f"{theirs / bound:7.3f} {own} {said['gflops']:8.1f}"
              f"{bench.want(ratio <= 1.0, f'{machine} N={tiles} against the best')}")
        bench.point(part="best", machine=machine, tiles=tiles, ms=said["makespan_ms"],
                    starpu_ms=theirs, starpu=row["sched"], bound_ms=bound,
                    own_bound_ms=said["bound_ms"], decision_cpu_ms=said["decision_cpu_ms"])
        if said["bound_ms"] and said["bound_ms"] > said["makespan_ms"] * (1 + 1e-9):
            bench.want(False, f"{machine} N={tiles}: the bound is above the makespan")
    mean = statistics.fmean(ratios)
    print(f"{'average':8} {'':>3} {'':>9} {'':14} {'':>9} {'':18} {mean:6.3f}"
          f"{bench.want(mean <= 0.90, 'average against the best')}")


def no_transfers(bench):
    title(f"Without transfers: {bench.best} over the lower bound "
          "(targets: mirage N = 20 <= 1.15, N = 32 <= 1.03)")
    lower, targets = bounds(bench), {("mirage", 20): 1.15, ("mirage", 32): 1.03}
    theirs = best_of(row for row in bench.table("starpu_variants.csv")
                     if row["variant"] == "nocost" and row["tile"] == str(TILE))
    print(f"{'machine':8} {'N':>3} {'ours ms':>9} {'StarPU ms':>9} {'policy':18} {'x bound':>7} "
          f"{'StarPU':>7}")
    for (machine, tiles), row in sorted(theirs.items(), reverse=True):
        if tiles not in bench.tiles:
            continue
        said = bench.run(machine, tiles, bench.best, "--no-transfers")
        bound = lower[machine, TILE, tiles]
        ratio, target = said["makespan_ms"] / bound, targets.get((machine, tiles), 1e9)
        print(f"{machine:8} {tiles:3} {said['makespan_ms']:9.1f} {float(row['sim_ms']):9.1f} "
              f"{row['sched']:18} {ratio:7.3f} {float(row['sim_ms']) / bound:7.3f}"
              f"{bench.want(ratio <= target, f'{machine} N={tiles} without transfers')}")
        bench.point(part="no transfers", machine=machine, tiles=tiles, ms=said["makespan_ms"],
                    starpu_ms=float(row["sim_ms"]), bound_ms=bound)


def memory(bench):
    title(f"Memory of each GPU limited: {bench.best} (target: mirage, 100 MiB: >= 1500 GFlop/s)")
    best = {}
    for row in bench.table("starpu_memory_limited.csv"):
        key = row["machine"], int(row["limit_MiB"]), int(row["nblocks"])
        if key not in best or float(row["sim_gflops"]) > float(best[key]["sim_gflops"]):
            best[key] = row
    print(f"{'machine':8} {'N':>3} {'MiB':>5} {'ours':>8} {'StarPU':>8} {'policy':18} {'ratio':>6} "
          f"{'moved GB':>8}")
    for (machine, limit, tiles), row in sorted(best.items()):
        said = bench.run(machine, tiles, bench.best, "--memory", f"{limit}MiB")
        theirs, ours = float(row["sim_gflops"]), said["gflops"]
        is_met = limit != 100 or ours >= 1500
        print(f"{machine:8} {tiles:3} {limit:5} {ours:8.1f} {theirs:8.1f} {row['sched']:18} "
              f"{ours / theirs:6.3f} {said['bytes_moved'] / 1e9:8.2f}"
              f"{bench.want(is_met, f'{machine} with {limit} MiB')}")
        bench.point(part="memory", machine=machine, tiles=tiles, limit_MiB=limit, gflops=ours,
                    starpu_gflops=theirs)


def robust(bench):
    title(f"Costs wrong by 50 % at the start, noise 20 %: {bench.best}, medians of {SEEDS} seeds "
          "(target: <= 1.10 of the run with true costs)")
    print(f"{'machine':8} {'N':>3} {'true ms':>9} {'noisy ms':>9} {'wrong ms':>9} {'ratio':>6}")
    for machine in ("mirage", "idgraf"):
        for tiles in bench.tiles:
            seeds = ["--repeat", str(SEEDS)]

            def median(*words):
                said = bench.run(machine, tiles, bench.best, *seeds, *words)
                return said["policies"][0]["makespan_ms"]

            true, noisy = median(), median(*ROBUST)
            wrong = median(*ROBUST, "--cost-error", "0.5")
            ratio = wrong / noisy
            print(f"{machine:8} {tiles:3} {true:9.1f} {noisy:9.1f} {wrong:9.1f} {ratio:6.3f}"
                  f"{bench.want(ratio <= 1.10, f'{machine} N={tiles} with wrong costs')}")
            bench.point(part="robust", machine=machine, tiles=tiles, true_ms=true, noisy_ms=noisy,
                        wrong_ms=wrong)


def others(bench):
    title(f"Other points: {bench.best} against StarPU's best")
    best = {}
    for row in bench.table("starpu_variants.csv"):
        if row["variant"] not in ("tile640", "tile320", "large", "noprio"):
            continue
        key = row["machine"], row["variant"], int(row["nblocks"]), int(row["tile"])
        if key not in best or float(row["sim_ms"]) < float(best[key]["sim_ms"]):
            best[key] = row
    print(f"{'machine':8} {'variant':8} {'N':>3} {'tile':>4} {'ours ms':>9} {'StarPU ms':>9} "
          f"{'policy':18} {'ratio':>6}")
    for (machine, variant, tiles, tile), row in sorted(best.items()):
        if tiles > 40 and 32 not in bench.tiles:
            continue
        words = ["--no-priorities"] if variant == "noprio" else []
        said = bench.run(machine, tiles, bench.best, *words, tile=tile)
        print(f"{machine:8} {variant:8} {tiles:3} {tile:4} {said['makespan_ms']:9.1f} "
              f"{float(row['sim_ms']):9.1f} {row['sched']:18} "
              f"{said['makespan_ms'] / float(row['sim_ms']):6.3f}")
        bench.point(part="other", variant=variant, machine=machine, tiles=tiles, tile=tile,
                    ms=said["makespan_ms"], starpu_ms=float(row["sim_ms"]))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    usual = os.environ.get("FASTGPU", os.path.join(here, "../../build/release/fastgpu"))
    words = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    words.add_argument("folder")
    words.add_argument("--fastgpu", default=usual, help="the command")
    words.add_argument("--check", action="store_true", help="end with 1 where a target is missed")
    words.add_argument("--quick", action="store_true", help="10 and 20 tiles alone")
    words.add_argument("--json", metavar="FILE", help="write all points there")
    options = words.parse_args()
    if not os.access(options.fastgpu, os.X_OK):
        print(f"starpu_sim.py: skipped: {options.fastgpu} is not built", file=sys.stderr)
        return 77
    bench = Bench(options)
    for part in (calibration, main_points, no_transfers, memory, robust, others):
        part(bench)
    if bench.missed:
        print(f"\nmissed: {len(bench.missed)}\n  " + "\n  ".join(bench.missed))
    else:
        print("\nall targets are met")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(bench.points, file, indent=1)
    return 1 if options.check and bench.missed else 0


if __name__ == "__main__":
    sys.exit(main())
