#!/usr/bin/env bash
# Do the benchmarks run, with tiny counts, give all their fields, count their tasks right, and end
# when the user wants? How fast things are is not asked here.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"

# Closed forms: tasks and buffers of a graph with N = 7.
while read -r shape tasks buffers; do
    for device in null cpu; do
        "$FASTGPU" bench tasks --shape "$shape" --count 7 --device "$device" --workers 2 \
            --repeat 3 --check --json >json
        python3 - json "$shape" "$device" "$tasks" "$buffers" <<'PYTHON'
import json
import sys

path, shape, device, tasks, buffers = sys.argv[1:]
result = json.load(open(path))
assert result["shape"] == shape and result["device"] == device and result["count"] == 7
assert result["tasks"] == int(tasks), result["tasks"]
assert result["buffers"] == int(buffers), result["buffers"]
assert result["workers"] == 2 and result["repetitions"] == 3
for name in ("ns_cpu_per_task", "ns_wall_per_task", "ns_submit_per_task"):
    assert result[name] > 0, name
for name in ("rss_bytes_per_pending_task", "allocations", "allocations_per_task"):
    assert result[name] is not None and result[name] >= 0, (name, result[name])
assert "bytes_per_pending_task" in result
assert result["tasks_done"] == 5 * int(tasks), result["tasks_done"]
assert result["tasks_ran"] == (5 * int(tasks) if device == "cpu" else None)
PYTHON
    done
done <<'SHAPES'
independent 7 7
chain 7 1
wavefront 49 49
cholesky 84 49
SHAPES

# Launches of a recorded graph: 5 that are not measured beside 3 that are; a few more tasks join
# the ends.
for device in null cpu; do
    "$FASTGPU" bench tasks --shape wavefront --count 7 --device "$device" --workers 1 --recorded \
        --repeat 3 --check --json >json
    python3 - json "$device" <<'PYTHON'
import json
import sys

result = json.load(open(sys.argv[1]))
assert result["recorded"] is True and result["tasks"] == 49
assert result["tasks_done"] >= 8 * 49, result["tasks_done"]
assert result["tasks_ran"] == (8 * 49 if sys.argv[2] == "cpu" else None)
assert result["ns_cpu_per_task"] > 0
PYTHON
done

# What is said of memory is about memory: 20,000 pending tasks cannot do with less than their
# arguments (a handle and an access each), nor will they take a page each. Without the check of all
# invariants after each turn, which takes a minute for so many and is no question here.
env -u FASTGPU_CHECK "$FASTGPU" bench tasks --count 20000 --device null --repeat 1 --json >json
python3 - json "${FASTGPU_SANITIZE-}" <<'PYTHON'
import json
import sys

bytes_each = json.load(open(sys.argv[1]))["bytes_per_pending_task"]
if sys.argv[2]:
    assert bytes_each is None, bytes_each  # the sanitizers bring an allocator of their own
else:
    assert 16 < bytes_each < 4096, bytes_each
PYTHON
"$FASTGPU" bench tasks --count 100 --repeat 2 >text
grep -qE '^  CPU time +[0-9.]+ ns$' text

fields=(raw_ns pool_ns rate_ratio raw_cpu_ns pool_cpu_ns raw_latency_p50_ns raw_latency_p99_ns
    pool_latency_p50_ns pool_latency_p99_ns latency_difference_ns)
launch_fields() { # null or number for the side by hand
    python3 - json "$1" "${fields[@]}" <<'PYTHON'
import json
import sys

result, by_hand = json.load(open(sys.argv[1])), sys.argv[2]
for name in sys.argv[3:]:
    if by_hand == "null" and not name.startswith("pool"):
        assert result[name] is None, (name, result[name])
    else:
        assert isinstance(result[name], (int, float)), (name, result[name])
    assert name == "latency_difference_ns" or result[name] is None or result[name] > 0, name
PYTHON
}
few=(--count 50 --trips 10 --rounds 3 --json)
"$FASTGPU" bench launch --device cpu "${few[@]}" >json
launch_fields null
code=0
"$FASTGPU" bench launch --device opencl "${few[@]}" >json 2>stderr || code=$?
case $code in
0) launch_fields number ;;
3) echo "bench launch: no OpenCL device here: $(cat stderr)" ;;
*)
    cat stderr
    exit 1
    ;;
esac

# Divided, the same bytes come out (it fails otherwise). Whether it pays is for it to say.
"$FASTGPU" bench split --devices cpu --workers 2 --items 65536 --steps 300 --rounds 2 --json >json
python3 -c 'import json
result = json.load(open("json"))
assert len(result["alone_ns"]) == 1 and len(result["busy"]) == 1, result
assert result["divided_ns"] > 0 and result["share"] > 0 and result["pieces"] >= 0, result'

"$FASTGPU" bench idle --seconds 1 --devices cpu --json >json
python3 -c 'import json
result = json.load(open("json"))
assert 0 <= result["cpu_share"] < 0.5 and result["wall_ns"] > 9e8, result'

# Tasks that compute: results are checked, and figures are there. Without OpenCL the native side
# alone.
"$FASTGPU" bench mix --devices cpu --each 2 --rounds 3 --json >json
python3 - json <<'PYTHON'
import json
import sys

result = json.load(open(sys.argv[1]))
assert result["benchmark"] == "mix" and result["tasks"] == 10 and result["results_checked"] == 9
assert 0 < result["utilisation"] <= 1.01, result["utilisation"]
for way in ("one_by_one", "one_queue"):
    side = result[way]
    assert 0 < side["utilisation"] <= 1 and side["speed_gain"] > -1, side
sides = result["evaluate"]["baselines"]
assert len(sides) == 2 and all(side["outputs_equal"] for side in sides), sides
PYTHON
# Terms, in virtual time: exact, so that what is promised can be asked for.
"$FASTGPU" bench fair --sim --count 100 --json >json
"$FASTGPU" bench deadline --sim --count 120 --json >deadline.json
cat >arrivals <<'JSON'
{"time": 1, "tasks": [
  {"id": "a_rt", "load": {"type": "periodic", "frequency": 50}},
  {"id": "vgg19_rt", "load": {"type": "trace", "trace": [0, 1.5, 400]}},
  {"id": "b_rt", "load": {"type": "poisson", "frequency": 20}},
  {"id": "c_be", "load": {"type": "continuous"}}]}
JSON
"$FASTGPU" bench preempt --sim --group 100 --launch 10 --json arrivals >preempted.json
"$FASTGPU" bench fair --count 20 --work 100 --json >real
python3 - <<'PYTHON'
import json

fair = json.load(open("json"))
assert fair["simulated"] and fair["gap_over_largest"] <= 2 and fair["idle_while_waiting"] == 0, fair
assert 9 * 0.97 < fair["weight_ratio"] < 9 * 1.03, fair
assert abs(fair["returned_over_fair"] - 1) < 0.1, fair
deadline = json.load(open("deadline.json"))
assert deadline["together_over_optimum"] >= 0.98, deadline
assert deadline["together_overloaded_over_optimum"] >= 0.95, deadline
assert deadline["missed_beyond_a_slice"] == 0 and deadline["refused"] > 0, deadline
assert 0.95 < deadline["arriving_overloaded_over_optimum"] <= 1, deadline
preempt = json.load(open("preempted.json"))
(work,) = preempt["workloads"]
assert work["idle_p50_ms"] == 5.01 and work["plain_p99_over_idle"] > 1.1, work
for way in ("slice", "guard"):
    assert work[f"{way}_p99_over_idle"] < (1.2 if way == "slice" else 1.06), work
    assert work[f"{way}_p50_ms"] < 5.5, work
assert 0.94 < work["slice_batch_ratio"] < 0.96 and work["guard_batch_ratio"] > 0.99, work
real = json.load(open("real"))
assert not real["simulated"] and real["devices"] == 1 and real["gap_over_largest"] > 0, real
PYTHON
echo '{"time": 1, "tasks": [{"id": "a_rt", "load": {"type": "rare"}}]}' >wrong
expect 4 stderr 'tasks[0].load.type: want continuous' "$FASTGPU" bench preempt --sim wrong
expect 4 stderr 'nowhere' "$FASTGPU" bench preempt --sim nowhere
expect 2 stderr 'no file of arrivals' "$FASTGPU" bench preempt --sim
expect 2 stderr 'arrivals: files of arrivals are for --sim' "$FASTGPU" bench preempt arrivals
expect 2 stderr '--each 0: want a whole number from 1 to 100' "$FASTGPU" bench mix --each 0
expect 3 stderr 'nobody' "$FASTGPU" bench mix --devices nobody
expect 2 stderr 'slow= names device 9; the pool has 1' \
    "$FASTGPU" bench split --devices cpu --faults slow=9x2
expect 2 stderr '--size 12: want a multiple of 8' "$FASTGPU" bench tiles --size 12
if "$FASTGPU" devices --devices opencl:0 >/dev/null 2>&1; then
    "$FASTGPU" bench mix --each 1 --rounds 1 --json >json # the same bits on OpenCL
    python3 -c 'import json
sides = json.load(open("json"))["evaluate"]["baselines"]
assert len(sides) >= 4 and all(side["outputs_equal"] for side in sides), sides'
    "$FASTGPU" bench tiles --tiles 4 --size 16 --rounds 1 --warm 1 --json >json
    python3 - json <<'PYTHON'
import json
import sys

product, cholesky = json.load(open(sys.argv[1]))["shapes"]
assert (product["shape"], product["tasks"]) == ("product", 64), product
assert (cholesky["shape"], cholesky["tasks"]) == ("cholesky", 20), cholesky
for shape in (product, cholesky):
    assert shape["results_right"] is True and shape["largest_error"] < 1e-5, shape
    assert sum(device["tasks"] for device in shape["devices"]) >= shape["tasks"], shape
    assert shape["bound_area_ns"] > 0 and shape["wall_ns"] > 0
PYTHON
    FASTGPU_OPENCL_MEMORY=separate "$FASTGPU" bench tiles --subdevices 1 --tiles 4 --size 16 \
        --memory 6 --rounds 1 --warm 0 --json >json
    python3 - json <<'PYTHON'
import json
import sys

for shape in json.load(open(sys.argv[1]))["shapes"]:
    assert shape["results_right"] is True and shape["bytes_least"] >= 10 * 16 * 16 * 4, shape
    assert shape["bytes_moved"] >= shape["bytes_least"], shape
PYTHON
else
    expect 3 stderr 'fastgpu bench tiles: the pool cannot be opened' "$FASTGPU" bench tiles
fi

# Bytes are counted, and results compared; without OpenCL what is on the host's memory alone.
"$FASTGPU" bench transfer --device cpu --largest 16 --rounds 1 --json >json
python3 -c 'import json
result = json.load(open("json"))
assert result["host_memory"] and not result["own_memory"] and result["results_right"], result
(copy,) = result["copies"]
assert copy["bytes"] == 1 << 24 and copy["write_over_memcpy"] > 0 and copy["in_ns"] is None, copy
assert [each["bytes"] for each in result["maps"]] == [1 << 12, 1 << 16, 1 << 20, 1 << 24], result
assert result["scattered"]["gathered_ns"] is None and result["bytes_moved"] is None, result'
if "$FASTGPU" devices --devices opencl:0 >/dev/null 2>&1; then
    "$FASTGPU" bench transfer --largest 1 --pieces 40 --chunks 5 --chunk 64 --link 1000 --rounds 2 \
        --json >json
    python3 - json <<'PYTHON'
import json
import sys

result = json.load(open(sys.argv[1]))
assert result["own_memory"] and result["results_right"] is True, result
assert result["bytes_moved"] == result["bytes_compulsory"] == 2 * 65536, result
pipeline, scattered = result["pipeline"], result["scattered"]
assert pipeline["bytes_moved"] == pipeline["bytes_compulsory"] == 2 * 5 * 65536, pipeline
assert pipeline["wall_ns"] > 0 and pipeline["in_ns"] >= 5 * 65536, pipeline  # 1000 MB/s
assert pipeline["out_ns"] >= 5 * 65536 and scattered["count"] == 40, result
assert scattered["gathered_ns"] > 0 and scattered["one_by_one_ns"] > 0, scattered
PYTHON
fi

# An end that the user asks for: within a second, with a code of its own. On a machine that is busy
# with other things one of three tries has to be in time.
stopped() { # SIGNAL CODE WORDS...
    local signal=$1 want=$2 code from took try
    shift 2
    for try in 1 2 3; do
        code=0
        "$FASTGPU" "$@" >stdout 2>stderr &
        local process=$!
        sleep 0.7
        from=$(date +%s%N)
        if ! kill -s "$signal" "$process"; then
            echo "$*: ended by itself before SIG$signal"
            cat stdout stderr
            exit 1
        fi
        sleep 0.02 # as timeout(1) does it: to the process, and again to its group
        kill -s "$signal" "$process" 2>/dev/null || true
        wait "$process" || code=$?
        took=$((($(date +%s%N) - from) / 1000000))
        if [[ $code != "$want" ]] || ! grep -q 'stopped before' stderr; then
            echo "$* after SIG$signal: exit code $code, want $want"
            cat stderr
            exit 1
        fi
        if ((took <= ${slow:-1000})); then return; fi
        echo "$*: try $try took $took ms to end after SIG$signal"
    done
    exit 1
}
if [[ -n ${FASTGPU_SANITIZE-} ]]; then slow=5000; fi
stopped INT 130 bench tasks --shape chain --count 100000 --device null --repeat 1000
stopped INT 130 bench tasks --shape wavefront --count 300 --device cpu --repeat 1000 --json
stopped INT 130 bench tasks --count 1000000 --device cpu --repeat 1000
stopped TERM 143 bench idle --seconds 60 --devices cpu
stopped INT 130 bench mix --devices cpu --rounds 99 --each 50
stopped INT 130 bench transfer --device cpu --rounds 100
stopped INT 130 bench split --devices cpu --items 1048576 --steps 100 --rounds 1000
stopped INT 130 bench launch --device cpu --rounds 1000 --trips 10000
stopped INT 130 bench preempt --device cpu --rounds 1000 --time 200
stopped INT 130 bench deadline --device cpu --count 20000
echo "bench: all checks passed"
