#!/usr/bin/env bash
# Does `fastgpu sim` answer as its manual says? On a machine and graphs that are small enough to be
# reckoned by hand: times, speeds, what is moved; policies side by side, seeds, files that are
# written, mistakes and their exit codes, an end by Ctrl-C; and do schema, examples and page agree?
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"

cat >two.fgm <<'FGM'
fgm 1
machine two
class slow
  kind cpu
  count 2
  memory host
class fast
  kind gpu
  count 1
  memory 1GiB
  flops_per_ns 1
link bus
  bytes_per_ns 1
route host -> fast
  over bus
route fast -> host
  over bus
cost gemm on slow size 10 mean_ns 1000000
cost gemm on fast size 10 mean_ns 100000
cost potrf on slow size 10 mean_ns 500000
FGM

# figure FILE EXPRESSION: is it true of the JSON? `s` is what was said.
figure() {
    python3 - "$1" "$2" <<'PYTHON'
import json
import sys

s = json.load(open(sys.argv[1]))
if not eval(sys.argv[2]):
    sys.exit(f"{sys.argv[2]} is wrong of {json.dumps(s)}")
PYTHON
}
sim=("$FASTGPU" sim -m two.fgm)

# A chain of four on one piece of data can be nowhere quicker than on the fast device; without
# transfers it is 4 x 100 us there.
expect 0 stdout '"makespan_ms"' "${sim[@]}" -G chain:tasks=4,size=10 -p eft --no-transfers --json
figure stdout 's["tasks"] == 4 and s["failed"] == 0 and s["copies"] == s["bytes_moved"] == 0'
figure stdout 'abs(s["makespan_ms"] - 0.4) < 0.02 and s["policy"] == s["chosen"] == "eft"'
figure stdout 'abs(s["gflops"] - 4 * 2000 / (s["makespan_ms"] * 1e6)) < 1e-9'
figure stdout 'set(s["busy"]) == {"slow[0]", "slow[1]", "fast"} and s["busy"]["fast"] > 0.95'
figure stdout 's["bound_kind"] in ("area", "path", "joined") and s["seed"] == 1'
figure stdout 's["bound_ms"] is None or s["bound_ms"] <= s["makespan_ms"] * (1 + 1e-9)'
figure stdout 's["decision_cpu_ms"] >= 0 and s["events"] == 12 and s["machine"] == "two"'
figure stdout 's["note"] is None and s["energy_joule"] is None and s["devices"] == 3'

# With transfers: 100,000 bytes over 1 byte/ns are 100 us, there; what is there stays there.
expect 0 stdout '"makespan_ms"' "${sim[@]}" -G chain:tasks=4,size=10,bytes=100000 -p eft --json
figure stdout 's["copies"] >= 1 and s["bytes_moved"] >= 100000 and s["makespan_ms"] >= 0.5 - 1e-9'

# The same again is the same, but for the CPU time that it took; another seed with noise is not.
noisy=("${sim[@]}" -G "random:tasks=60,kernels=gemm,sizes=10" -p eft --noise 0.3 --json)
for seed in 1 1 2; do
    "${noisy[@]}" --seed $seed | grep -v '_cpu_ms\|events_per_s\|"seed"' >"noisy-$seed.json"
    if [[ $seed == 1 && -f first.json ]]; then cmp first.json noisy-1.json; fi
    cp "noisy-$seed.json" first.json
done
if cmp -s noisy-1.json noisy-2.json; then
    echo "two seeds make the same run"
    exit 1
fi

# On one device there is one schedule: all of the object but CPU times is known, byte by byte.
# 100 us on the bus, then 4 x 100 us; (110 W x 0.4 + 10 W x 0.1) ms. FASTGPU_GOLDEN_UPDATE=1 writes
# it anew; look at the difference.
golden=$top/tests/golden/data/sim
"$FASTGPU" sim -m "$golden/one.fgm" -G chain:tasks=4,size=10,bytes=100000 -p eft --json |
    sed -E 's/("(decision_cpu_ms|run_cpu_ms|events_per_s)":).*,$/\1\tnull,/' >one.json
if [[ -n ${FASTGPU_GOLDEN_UPDATE:-} ]]; then cp one.json "$golden/chain.json"; fi
diff "$golden/chain.json" one.json
figure one.json 's["makespan_ms"] == 0.5 and abs(s["energy_joule"] - 0.045) < 1e-12'
figure one.json 's["busy"] == {"fast": 0.8} and abs(s["bound_ms"] - 0.4) < 1e-5'

# Little memory, and priorities that would fill it: what leaves is what the plan needs last.
expect 0 stdout '"gflops"' "$FASTGPU" sim -m "$top/machines/mirage.fgm" \
    -G cholesky:tiles=20,tile=960 --memory 100MiB -p auto --json
figure stdout 's["gflops"] >= 1500'

# Words, one line a policy, medians.
expect 0 stdout 'chain of 4 tasks on two: 4 tasks, 3 devices' \
    "${sim[@]}" -G chain:tasks=4,size=10 -p eft
grep -q '^  policy     eft$' stdout
grep -qE '^  fast +[0-9.]+ %$' stdout
expect 0 stdout 'makespan ms' "${sim[@]}" -G chain:tasks=4,size=10 -p eft,fifo
grep -qE '^  eft ' stdout
grep -qE '^  fifo ' stdout
expect 0 stdout 'medians of 3 runs, seeds 5 to 7' \
    "${sim[@]}" -G chain:tasks=4,size=10 -p eft -r 3 -s 5 --noise 0.1
expect 0 stdout '"runs"' "${sim[@]}" -G chain:tasks=4,size=10 -p eft,fifo -r 2 --json
figure stdout '[p["policy"] for p in s["policies"]] == ["eft", "fifo"] and len(s["runs"]) == 4'
figure stdout '[r["seed"] for r in s["runs"]] == [1, 2, 1, 2]'
figure stdout 'all(p["least_ms"] <= p["makespan_ms"] <= p["most_ms"] for p in s["policies"])'
expect 0 stdout 'fifo' "$FASTGPU" sim --policy list
while read -r policy _; do
    expect 0 stdout "$policy" "${sim[@]}" -G chain:tasks=4,size=10 -p "$policy" --check
done < <("$FASTGPU" sim --policy list)
expect 0 stdout 'makespan' "${sim[@]}" -G chain:tasks=4,size=10

# Objectives and power caps: a device of 10 W, 110 W when busy, which a task keeps for 0.1 ms.
one=("$FASTGPU" sim -m "$golden/one.fgm" -G "chain:tasks=4,size=10")
expect 0 stdout 'objective  energy' "${one[@]}" -o energy
expect 0 stdout 'the cap is 11 W' "${one[@]}" --power-cap 11
expect 0 stdout '"bound_kind"' "${one[@]}" --power-cap 110 --json
figure stdout 's["power_cap_watt"] == 110 and s["peak_watt"] <= 110 and s["power_ms"] > 0'
expect 2 stderr 'draws 10 when idle' "${one[@]}" --power-cap 9
expect 2 stderr 'with less than 10.101 some task' "${one[@]}" --power-cap 10.05
expect 2 stderr 'want makespan, latency, energy or edp' "${one[@]}" -o speed
expect 2 stderr 'the policy eft decides without one' "${one[@]}" -o energy -p eft
expect 2 stderr 'want watts' "${one[@]}" --power-cap 0
expect 2 stderr 'idle_watt and busy_watt' "${sim[@]}" -G chain:tasks=4,size=10 --power-cap 100
expect 0 stdout 'response' "${one[@]}" --power-cap 11 --report power.html
grep -q 'most power in any 100 ms' power.html
grep -q 'power cap' power.html

# A machine that is made up, the examples, costs by class, kernels that stand in.
expect 0 stdout 'on synthetic: ' "$FASTGPU" sim -m gpu:2x8GiB,cpu:2 -G wavefront:n=4 -p eft
expect 0 stdout 'two photographs on synthetic: 8 tasks' \
    "$FASTGPU" sim -m gpu:1x8GiB,cpu:2 -g "$top/examples/graphs/photos.json" -p eft
expect 0 stdout 'harvest on two: 4 tasks' "${sim[@]}" -g "$top/examples/graphs/workflow.json" -p eft
grep -qF '6.50 s' stdout # 4.25 beside 3.5, then 1.5, then 0.75
cat >classes.json <<'JSON'
{"fastgpu_graph": 1, "tasks": [
  {"kernel": "k", "cost_us": {"slow": 50}}, {"kernel": "k", "cost_us": {"slow": 50}},
  {"kernel": "k", "cost_us": {"slow": 70, "fast": 400}}]}
JSON
expect 0 stdout '"tasks"' "${sim[@]}" -g classes.json -p eft --json
figure stdout 'abs(s["makespan_ms"] - 0.12) < 0.02 and s["busy"]["fast"] == 0'
figure stdout 's["gflops"] is None'
sed '/flops_per_ns/d' two.fgm >listed.fgm
expect 3 stderr "task 1 (trsm of 10): no device of 'two' has a cost for kernel 'trsm'" \
    "$FASTGPU" sim -m listed.fgm -G lu:tiles=2,tile=10 -p eft
{ cat listed.fgm; echo 'cost trsm on slow size 10 mean_ns 1000'; } >lu.fgm
"$FASTGPU" sim -m lu.fgm -G lu:tiles=2,tile=10 -p eft --json >stdout 2>stderr
grep -q 'two has no cost for getrf, so it takes as long as potrf' stderr
figure stdout '"takes as long as potrf" in s["note"] and s["tasks"] == 5'

# Files: a page without anything from outside, a trace that explain reads.
expect 0 stdout makespan "${sim[@]}" -G cholesky:tiles=1,tile=10 -p eft --report page.html -t t.json
grep -q 'FastGPU simulation' page.html
grep -q "default-src 'none'" page.html
expect 0 stdout "task 0 'potrf 0'" "$FASTGPU" explain 0 -t t.json
expect 0 stdout 'makespan ms' \
    "${sim[@]}" -G chain:tasks=3,size=10 -p fifo,eft --report "page 2.html"
grep -q 'The policy <b>' "page 2.html"
"${sim[@]}" -G chain:tasks=3,size=10 -p eft -q --report page.html >stdout 2>stderr
if [[ -s stdout || -s stderr ]]; then
    echo "--quiet is not"
    exit 1
fi
code=0
"${sim[@]}" -G chain:tasks=3,size=10 -p eft -q --trace none/t.json >stdout 2>stderr || code=$?
[[ $code == 1 ]] && grep -qF 'none/t.json' stderr

# Mistakes.
expect 2 stderr '--machine M is missing' "$FASTGPU" sim
expect 2 stderr 'want --graph FILE or --generate TEXT' "${sim[@]}"
expect 2 stderr 'want --graph or --generate, not both' "${sim[@]}" -g a -G chain
expect 2 stderr '--generate chian: there is no such generator; there are cholesky, lu, gemm,' \
    "${sim[@]}" -G chian
expect 2 stderr 'chain: tasks=0: want a whole number from 1 to 16777216' \
    "${sim[@]}" -G chain:tasks=0
expect 2 stderr '--policy eff: want one of ' "${sim[@]}" -G chain -p eff
expect 2 stderr '--noise 2: want a number from 0 to 1, or table' "${sim[@]}" -G chain --noise 2
expect 2 stderr '--cost-error 1: want a number from 0 to 0.99' "${sim[@]}" -G chain --cost-error 1
expect 2 stderr '--memory 10mb: want bytes' "${sim[@]}" -G chain --memory 10mb
expect 2 stderr '--repeat 0: want a whole number from 1 to' "${sim[@]}" -G chain --repeat 0
expect 4 stderr 'none.fgm: cannot be opened' "$FASTGPU" sim -m none.fgm -G chain
echo 'fgm 2' >bad.fgm
expect 4 stderr 'bad.fgm:1: ' "$FASTGPU" sim -m bad.fgm -G chain
expect 4 stderr 'none.json: cannot be opened' "${sim[@]}" -g none.json
echo '{"fastgpu_graph": 1, "tasks": [{"kernel": 1}]}' >bad.json
expect 4 stderr 'bad.json: $.tasks[0].kernel: 1: want a text of 1 to 63 bytes' \
    "${sim[@]}" -g bad.json
expect 3 stderr "no device of 'two' has a cost for kernel 'syrk'" \
    "${sim[@]}" -G chain:kernel=syrk,size=7 -p eft -m listed.fgm

# Without a word about policies the library's choice is asked for, and named.
expect 0 stdout 'policy     auto, which took ' "${sim[@]}" -G chain:cost_us=1

# Ctrl-C: soon, with a word about what was done.
code=0
timeout -s INT 1 "$FASTGPU" sim -m gpu:4x8GiB -G layers:layers=400,width=1000 -p eft -r 500 \
    >stdout 2>stderr || code=$?
if [[ $code != 124 && $code != 130 ]] || ! grep -q 'stopped before' stderr; then
    echo "stopped: exit code $code"
    cat stderr
    exit 1
fi

# The schema takes what the command takes, and what stands on the page is one.
if ! python3 -c 'import jsonschema' 2>/dev/null; then
    echo "sim: all checks passed, but the schema was not tried without python3-jsonschema"
    exit 0
fi
python3 -W ignore - "$top" "$FASTGPU" <<'PYTHON'
import json
import re
import subprocess
import sys

import jsonschema

top, fastgpu = sys.argv[1:]
schema = json.load(open(top + "/docs/graph.schema.json"))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
page = open(top + "/docs/graph.md").read()
texts = re.findall(r"(?s)```json\n(.*?)```", page) + [open("classes.json").read()]
texts.append(open(top + "/examples/graphs/photos.json").read())
assert len(texts) == 3, "the page has no example"
good = json.loads(texts[0])
for text in texts:
    validator.validate(json.loads(text))
open("page.json", "w").write(texts[0])
subprocess.run([fastgpu, "sim", "-m", "gpu:1x8GiB,cpu:2", "-g", "page.json", "-p", "eft", "-q"],
               check=True)


def both_refuse(change):
    """A change for the worse is one for the schema and for the command."""
    graph = json.loads(texts[0])
    change(graph)
    assert not validator.is_valid(graph), graph
    open("worse.json", "w").write(json.dumps(graph))
    done = subprocess.run([fastgpu, "sim", "-m", "gpu:1x8GiB,cpu:2", "-g", "worse.json"],
                          capture_output=True, text=True)
    assert done.returncode == 4 and "worse.json: $" in done.stderr, done


both_refuse(lambda graph: graph.update(fastgpu_graph=2))
both_refuse(lambda graph: graph.update(tasks=[]))
both_refuse(lambda graph: graph.update(task=[]))
both_refuse(lambda graph: graph["data"][0].pop("bytes"))
both_refuse(lambda graph: graph["data"][0].update(bytes=0))
both_refuse(lambda graph: graph["tasks"][0].update(size=0))
both_refuse(lambda graph: graph["tasks"][0].update(cost_us={}))
both_refuse(lambda graph: graph["tasks"][0].update(cost_us=-1))
both_refuse(lambda graph: graph["tasks"][0].update(flops="many"))
both_refuse(lambda graph: graph["tasks"][0].update(priority=1.5))
both_refuse(lambda graph: graph["tasks"][0].update(reads="photo"))
both_refuse(lambda graph: graph["tasks"][2].pop("cost_us"))
PYTHON
