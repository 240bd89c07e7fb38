#!/usr/bin/env python3
"""Graphs whose data do not fit: speed over that of unlimited memory, bytes moved over the least.

usage: bench/compare/oversubscribed.py [--fastgpu PATH] [--machine TEXT] [--graph G,..] [--tiles N]
                                       [--percent P,..] [--policy P,..] [--lower] [--check]
                                       [--json FILE]

Tiled Cholesky factorisation and matrix product on a machine whose only memory beside the host's
is one device's (`fastgpu sim`), which holds some percent of all tiles. For each point:

  speed   the makespan without a limit over that with it; wanted: at least 0.90
  bytes   what was copied over what the best of several rules that know the whole future copies for
          the order in which the tasks were run: the farthest next use goes first (Belady), and
          variants that spare what would have to be written back; wanted: at most 1.10
  lower   --lower: the same over a lower bound (a linear program; needs scipy; takes minutes)

--check ends with 1 where a figure misses what is wanted. Needs Python 3 alone but for --lower.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

TILE = 960
BYTES = TILE * TILE * 4
SLACK = [0.0, 0.25, 0.5, 0.75, 1.0]


def cholesky(n):
    """Tasks in their order: (name, flops, read only, updated)."""
    at = {(i, j): i * (i + 1) // 2 + j for i in range(n) for j in range(i + 1)}
    cube = TILE ** 3
    for k in range(n):
        yield "potrf", cube / 3, [], at[k, k], n - k
        for i in range(k + 1, n):
            yield "trsm", cube, [at[k, k]], at[i, k], n - k
        for i in range(k + 1, n):
            for j in range(k + 1, i):
                yield "gemm", 2 * cube, [at[i, k], at[j, k]], at[i, j], n - k
            yield "syrk", cube, [at[i, k]], at[i, i], n - k


def product(n):
    a, b, c = 0, n * n, 2 * n * n
    for i in range(n):
        for j in range(n):
            for k in range(n):
                yield "gemm", 2 * TILE ** 3, [a + i * n + k, b + k * n + j], c + i * n + j, 0


GRAPHS = {"cholesky": (cholesky, 20, lambda n: n * (n + 1) // 2),
          "gemm": (product, 10, lambda n: 3 * n * n)}


class Cache:
    """What a rule that knows all copies: a list of uses in order, of which it holds `room`."""

    def __init__(self, tasks, order, room):
        self.room = room
        self.uses = [tasks[t][2] + [tasks[t][3]] for t in order]
        self.written = [tasks[t][3] for t in order]
        self.after = [None] * len(order)  # of each task its data's next uses
        nexts = {}
        for at in range(len(order) - 1, -1, -1):
            self.after[at] = {d: nexts.get(d, len(order) * 4) for d in self.uses[at]}
            for d in self.uses[at]:
                nexts[d] = at

    def copies(self, slack):
        """slack: what is clean goes although it is needed in that share of the time of the farthest
        one that is not; 0: only among equals."""
        nexts, dirty, count = {}, set(), 0
        for at, uses in enumerate(self.uses):
            missing = [d for d in uses if d not in nexts]
            while len(nexts) + len(missing) > self.room:
                rest = [(nexts[d] - at, d) for d in nexts if d not in uses]
                away, victim = max(rest)
                if victim in dirty:
                    clean = max(((a, d) for a, d in rest if d not in dirty), default=(0, None))
                    if clean[1] is not None and clean[0] >= away * (1 - slack):
                        victim = clean[1]
                count += victim in dirty
                dirty.discard(victim)
                del nexts[victim]
            count += len(missing)
            nexts.update(self.after[at])
            dirty.add(self.written[at])
        return count

    def least(self):
        return min(self.copies(slack) for slack in SLACK)

    def lower(self):
        """Each time between two uses is spent in memory or not, which costs a copy back to it, and
        after a change, the first time, one out of it."""
        from scipy.optimize import linprog
        from scipy.sparse import coo_matrix
        last, spans, epochs, epoch_of, changed = {}, [], 0, [], {}
        for at, uses in enumerate(self.uses):
            for d in uses:
                if d in last:
                    spans.append((last[d], at))
                    epoch_of.append(changed.get(d))
            for d in uses:
                last[d] = at
            changed[self.written[at]] = epochs
            epochs += 1
        for d, at in last.items():  # to the end: nothing comes back
            spans.append((at, len(self.uses)))
            epoch_of.append(changed.get(d))
        ends = len(last)
        count = len(spans)
        cost = [1.0] * (count - ends) + [0.0] * ends + [1.0] * epochs
        rows, cols, values, bounds = [], [], [], []
        row = 0
        for at, uses in enumerate(self.uses):
            over = [i for i, (a, b) in enumerate(spans) if a < at < b]
            need = len(over) + len(uses) - self.room
            if need > 0:
                rows += [row] * len(over)
                cols += over
                values += [-1.0] * len(over)
                bounds.append(-need)
                row += 1
        for i, epoch in enumerate(epoch_of):
            if epoch is not None:
                rows += [row, row]
                cols += [i, count + epoch]
                values += [1.0, -1.0]
                bounds.append(0)
                row += 1
        matrix = coo_matrix((values, (rows, cols)), shape=(row, len(cost)))
        done = linprog(cost, A_ub=matrix.tocsr(), b_ub=bounds, bounds=(0, 1), method="highs")
        return done.fun + len(last)


class Bench:
    def __init__(self, options):
        self.options = options
        self.work = tempfile.mkdtemp()

    def run(self, name, tasks, count, policy, memory):
        graph = os.path.join(self.work, name + ".json")
        trace = os.path.join(self.work, "trace.json")
        if not os.path.exists(graph):
            with open(graph, "w", encoding="utf-8") as file:
                json.dump({"fastgpu_graph": 1, "data": [{"bytes": BYTES}] * count,
                           "tasks": [{"kernel": k, "size": TILE, "flops": f, "priority": p,
                                      "reads": r + [w], "writes": [w]}
                                     for k, f, r, w, p in tasks]}, file)
        words = [self.options.fastgpu, "sim", "-m", self.options.machine, "-g", graph, "-p",
                 policy, "--json", "-t", trace] + (["--memory", str(memory)] if memory else [])
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"oversubscribed.py: {' '.join(words)}: {done.stderr}")
        with open(trace, encoding="utf-8") as file:
            events = json.load(file)["traceEvents"]
        runs = sorted((e["ts"], e["args"]["task"]) for e in events if e.get("cat") == "run")
        return json.loads(done.stdout), [task for _, task in runs]

    def point(self, name, tasks, count, policy, percent, free_ms):
        room = count * percent // 100
        got, order = self.run(name, tasks, count, policy, room * BYTES)
        cache = Cache(tasks, order, room)
        point = {"graph": name, "policy": policy, "percent": percent,
                 "speed": free_ms / got["makespan_ms"], "copies": got["copies"],
                 "least": cache.least()}
        point["bytes"] = got["bytes_moved"] / (BYTES * point["least"])
        if self.options.lower:
            point["lower"] = got["bytes_moved"] / (BYTES * cache.lower())
        is_met = point["speed"] >= 0.9 and point["bytes"] <= 1.1
        print(f"{name:9} {policy:10} {percent:3} %  speed {point['speed']:.3f}  copies "
              f"{got['copies']:5} of {point['least']:5}  bytes {point['bytes']:.3f}" +
              (f"  over the lower bound {point['lower']:.3f}" if self.options.lower else "") +
              ("" if is_met else "  <-- missed"), flush=True)
        return point, is_met


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--fastgpu", default="fastgpu")
    parser.add_argument("--machine", default="gpu:1x24GiB@flops=8000")
    parser.add_argument("--tiles", type=int, default=0)
    parser.add_argument("--percent", default="80,65,50")
    parser.add_argument("--policy", default="auto,eft")
    parser.add_argument("--graph", default="cholesky,gemm")
    parser.add_argument("--lower", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json")
    bench = Bench(parser.parse_args())
    points, all_met = [], True
    for name in bench.options.graph.split(","):
        make, usual, count = GRAPHS[name]
        tiles = bench.options.tiles or usual
        tasks = list(make(tiles))
        for policy in bench.options.policy.split(","):
            free, _ = bench.run(name, tasks, count(tiles), policy, 0)
            for percent in bench.options.percent.split(","):
                point, is_met = bench.point(name, tasks, count(tiles), policy, int(percent),
                                            free["makespan_ms"])
                points.append(point)
                all_met &= is_met
    if bench.options.json:
        with open(bench.options.json, "w", encoding="utf-8") as file:
            json.dump(points, file, indent=1)
    sys.exit(1 if bench.options.check and not all_met else 0)


if __name__ == "__main__":
    main()
