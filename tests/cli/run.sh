#!/usr/bin/env bash
# Does `fastgpu run` work as its manual says? The examples and what they compute, tables and JSON,
# exit codes and sentences for bad input, outputs that are whole or absent whatever happens
# meanwhile, and a workload of 100,000 tasks.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"
examples=$top/examples/workloads

# A Python with NumPy, to read what is written; without one the values are not looked at.
python=''
for each in python3 /usr/bin/python3; do
    if [[ -z $python ]] && "$each" -c 'import numpy' 2>/dev/null; then python=$each; fi
done

# ---- usage

expect 0 stdout 'usage: fastgpu run' "$FASTGPU" run --help
expect 2 stderr 'want one workload file, not 0' "$FASTGPU" run
expect 2 stderr 'want one workload file, not 2' "$FASTGPU" run a b
expect 2 stderr 'the name of the workload file is empty' "$FASTGPU" run ''
expect 2 stderr '--bogus: no such option' "$FASTGPU" run --bogus
expect 2 stderr '--rounds: only --baseline has rounds' "$FASTGPU" run --rounds 3 a.json
expect 2 stderr '--rounds 100: want a whole number from 1 to 99' \
    "$FASTGPU" run --baseline --rounds 100 a.json

# ---- a workload that needs no OpenCL: a built-in filter on pictures and random numbers

cat >grey.json <<'JSON'
{"fastgpu": 1,
 "constants": {"bands": 6},
 "buffers": {
   "photo": {"picture": {"width": 300, "height": 200}, "random": {"seed": 3}},
   "grey": {"like": "photo", "channels": 1}},
 "kernels": {"to_grey": {"filter": "grey"}},
 "tasks": [{"name": "band-{i}", "kernel": "to_grey",
            "args": {"src": "photo", "dst": {"buffer": "grey",
                     "rows": ["200 * i // bands", "200 * (i + 1) // bands"]}},
            "repeat": {"i": "bands"}}],
 "outputs": [{"buffer": "grey", "image": "grey.png"}, {"buffer": "grey", "npy": "deep/er/grey.npy"},
             {"buffer": "photo", "raw": "photo.raw"}]}
JSON
expect 0 stdout '3 of 3 outputs written to out' "$FASTGPU" run --devices cpu -o out grey.json
for word in Assess Schedule Memory Balance Evaluate 'policy auto; 6 tasks of 1 kernel' \
    'done 6, failed 0, cancelled 0; placed: cpu 6' 'task latency: unknown'; do
    grep -qF -- "$word" stdout || { echo "no $word in:"; cat stdout; exit 1; }
done
# What the pool says: what --log asks for, also with --quiet, and to a file.
expect 2 stderr '--log loud: want one of off' "$FASTGPU" run --log loud grey.json
expect 0 stderr 'fastgpu: info: pool: pool 0 is open' \
    "$FASTGPU" run --devices cpu --quiet --log info -o out grey.json
expect 0 stdout '3 of 3 outputs written to out' "$FASTGPU" run --devices cpu --log debug \
    --log-format json --log-file lines.json -o out grey.json
python3 - <<'PYTHON'
import json
assert {json.loads(line)["level"] for line in open("lines.json")} == {"info", "debug"}
PYTHON
[[ $(stat -c %s out/photo.raw) == $((300 * 200 * 3)) ]]
# With too little host memory, and a folder for the rest: the same picture.
expect 2 stderr "there is no key 'spil'" "$FASTGPU" run --pool 'spil=.' grey.json
expect 0 stdout '3 of 3 outputs written to spilt' "$FASTGPU" run --devices cpu \
    --pool 'host-memory=1MiB; spill=.' -o spilt grey.json
cmp out/grey.png spilt/grey.png
if [[ -n $python ]]; then
    "$python" - <<'PYTHON'
import numpy as np

# SplitMix64 as cli/workload/workload_data.h describes it, the grey filter as docs/workload.md.
n = 300 * 200 * 3
with np.errstate(over="ignore"):
    z = np.uint64(3) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
wanted = np.array([int(x) * 255 >> 64 for x in z], dtype=np.uint8)
photo = np.fromfile("out/photo.raw", dtype=np.uint8)
assert (photo == wanted).all()
rgb = wanted.reshape(200, 300, 3).astype(int)
grey = (77 * rgb[..., 0] + 150 * rgb[..., 1] + 29 * rgb[..., 2] + 128) // 256
found = np.load("out/deep/er/grey.npy")
assert found.shape == (200, 300, 1) and found.dtype == np.uint8, (found.shape, found.dtype)
assert (found[..., 0] == grey).all()
PYTHON
fi

# Where it runs without --output-dir, and what an earlier run has left is replaced.
mkdir here
for _ in first second; do
    (cd here && "$FASTGPU" run -q -d cpu ../grey.json) >>silence 2>&1
done
[[ ! -s silence ]] || { cat silence; exit 1; }
cmp here/grey.png out/grey.png
[[ $(find here -type f | wc -l) == 3 ]]

# ---- energy: of counters made for it, one that stands still; none; no number

zone=sys/class/powercap/intel-rapl:0
mkdir -p $zone
echo package-0 >$zone/name
echo 1000000 >$zone/energy_uj
echo 9000000 >$zone/max_energy_range_uj
FASTGPU_SYSFS=$PWD/sys "$FASTGPU" run --json -d cpu -o out grey.json >json
python3 - <<'PYTHON'
import json
said = json.load(open("json"))["evaluate"]
assert said["energy_joule"] == 0 and said["energy_joule_per_task"] == 0, said
assert said["energy_counters"] == "package-0" and said["energy_unknown"] is None, said
PYTHON
expect 0 stdout 'energy of the whole machine (package-0): 0 J, 0 J a task' \
    env FASTGPU_SYSFS="$PWD/sys" "$FASTGPU" run -d cpu -o out grey.json
echo much >$zone/energy_uj
expect 0 stdout 'intel-rapl:0/energy_uj: what it says is no number' \
    env FASTGPU_SYSFS="$PWD/sys" "$FASTGPU" run -d cpu -o out grey.json
FASTGPU_SYSFS=$PWD/none "$FASTGPU" run --json -d cpu -o out grey.json >json
python3 - <<'PYTHON'
import json
said = json.load(open("json"))["evaluate"]
assert said["energy_joule"] is None and said["energy_joule_per_task"] is None, said
assert said["energy_counters"] is None and "no energy counters" in said["energy_unknown"], said
PYTHON

# ---- JSON

"$FASTGPU" run --json -d cpu -o out grey.json >json 2>errors
[[ ! -s errors ]] || { cat errors; exit 1; }
python3 - "$top" <<'PYTHON'
import json
import re
import sys

# The manual names every key.
manual = set(re.findall(r"[a-z_0-9]+", open(sys.argv[1] + "/docs/man/fastgpu-run.1").read()))
for name in ("known", "unknown"):
    text = open(f"{sys.argv[1]}/tests/golden/data/run/{name}.json").read()
    keys = set(re.findall(r'"([a-z_0-9]+)":', text))
    assert len(keys) > 40 and keys <= manual, keys - manual
said = json.load(open("json"))
assert list(said) == ["workload", "assess", "schedule", "memory", "balance", "evaluate",
                      "profile", "outputs_written", "interrupted", "error"], list(said)
assert said["workload"] == "grey.json" and said["outputs_written"] == 3
assert said["error"] is None and said["interrupted"] is False
assert [device["id"] for device in said["assess"]["devices"]] == ["cpu"]
schedule = said["schedule"]
assert (schedule["tasks"], schedule["done"], schedule["failed"]) == (6, 6, 0), schedule
assert schedule["devices"] == [{"id": "cpu", "tasks": 6}], schedule
assert schedule["dependencies"] is None  # nothing was traced
evaluate = said["evaluate"]
assert evaluate["wall_ns"] > 0 and evaluate["baselines"] == [] and evaluate["bound_ns"] is None
assert len(evaluate["rounds_ns"]) == 1
PYTHON

# ---- trace and report

expect 0 stdout 'Evaluate (one run, traced)' \
    "$FASTGPU" run -d cpu -o out --trace t.json --report r.html \
    grey.json
python3 - <<'PYTHON'
import json

events = json.load(open("t.json"))
events = events["traceEvents"] if isinstance(events, dict) else events
assert len(events) >= 6
assert open("r.html", encoding="utf-8").read(15).lower().startswith("<!doctype html")
PYTHON
grep -q 'task latency, submitted to done: mean' stdout
grep -q 'lower bound .* ms (area .*, critical path .*):$' stdout
grep -q '^    the run took .* times that$' stdout

# ---- bad input

expect 4 stderr 'missing.json: cannot be opened' "$FASTGPU" run missing.json
echo '{"fastgpu": 1,' >broken.json
expect 4 stderr 'broken.json: ' "$FASTGPU" run broken.json
# edit OLD NEW: a variant of the workload in bad.json
edit() {
    python3 -c 'import sys
text = open("grey.json").read()
assert sys.argv[1] in text, sys.argv[1]
open("bad.json", "w").write(text.replace(sys.argv[1], sys.argv[2], 1))' "$1" "$2"
}
edit '"kernel": "to_grey"' '"kernel": "to_gray"'
nearest='there is no kernel to_gray; the nearest is "to_grey"'
expect 4 stderr "bad.json: \$.tasks[0].kernel: \"to_gray\": $nearest" \
    "$FASTGPU" run bad.json
expect 4 stdout '"mistakes"' "$FASTGPU" run --json bad.json
edit '"like": "photo", "channels": 1' '"like": "photo"'
expect 4 stderr '$.tasks[0].args.dst' "$FASTGPU" run bad.json
edit '"picture": {"width": 300, "height": 200}, "random": {"seed": 3}' '"image": "none.png"'
expect 4 stderr 'none.png' "$FASTGPU" run bad.json
edit '"repeat": {"i": "bands"}' '"repeat": {"i": 2}, "after": "band-{(i + 1) % 2}"'
expect 4 stderr '$.tasks[0]' "$FASTGPU" run bad.json
cut=/usr/lib/python3/dist-packages/sklearn/datasets/images/flower.jpg
if [[ -r $cut ]]; then
    head -c 9000 "$cut" >cut.jpg
    edit '"picture": {"width": 300, "height": 200}, "random": {"seed": 3}' '"image": "cut.jpg"'
    sed -i 's/200/photo.height/g' bad.json
    expect 4 stderr 'cut.jpg: the JPEG file ends too early' "$FASTGPU" run -d cpu bad.json
fi
expect 3 stderr 'the pool cannot be opened' "$FASTGPU" run -o out --devices no-such-device grey.json
expect 3 stderr 'computes nothing, so it cannot make the outputs' \
    "$FASTGPU" run -o out -d null grey.json
expect 3 stderr 'it is OpenCL C, and none of the chosen devices takes that' \
    "$FASTGPU" run -o out -d cpu "$examples/chain.json"
expect 2 stderr 'the pool cannot be opened' "$FASTGPU" run -o out --policy best grey.json

# Kernels that the library refuses, and those that do not compile.
cat >own.json <<'JSON'
{"fastgpu": 1,
 "buffers": {"x": {"fill": 3, "shape": 4096, "type": "int32"}},
 "kernels": {"twice": {"file": "own.cl", "args": [{"read-write": "x"}]}},
 "tasks": [{"kernel": "twice", "args": {"x": "x"}, "grid": 4096}],
 "outputs": [{"buffer": "x", "npy": "x.npy"}]}
JSON
echo 'kernel void thrice(global int *x) { x[get_global_id(0)] *= 3; }' >own.cl
expect 4 stderr 'own.json: $.kernels.twice: ' "$FASTGPU" run -o out own.json
opencl=''
if "$FASTGPU" devices --devices opencl >printed 2>&1; then opencl=1; fi
if [[ -n $opencl ]]; then
    echo 'kernel void twice(global int *x) { x[get_global_id(0)] *= two; }' >own.cl
    expect 1 stderr 'own.json: $.kernels.twice: ' "$FASTGPU" run -o out own.json
    [[ ! -e out/x.npy ]]
fi
echo 'kernel void twice(global int *x) { x[get_global_id(0)] *= 2; }' >own.cl
# It is no native code.
expect 3 stderr 'own.json: $.kernels.twice: it is OpenCL C' "$FASTGPU" run -d cpu -o out own.json

# ---- outputs that cannot be: said before anything runs

: >file
expect 1 stderr 'file: is not a folder' "$FASTGPU" run -d cpu -o file grey.json
expect 1 stderr 'file/deeper: the folder cannot be made' \
    "$FASTGPU" run -d cpu -o file/deeper grey.json
expect 1 stderr 'the folder cannot be made' "$FASTGPU" run -d cpu -o /proc grey.json
expect 1 stderr '/proc: nothing can be written there' "$FASTGPU" run -d cpu -o /proc own.json
edit '"raw": "photo.raw"' '"raw": "deep/../grey.png"'
expect 1 stderr 'grey.png are the same file, and each would be written' \
    "$FASTGPU" run -d cpu -o out bad.json
mkdir -p linked
echo old >linked/photo.raw
ln -s photo.raw linked/grey.png
expect 1 stderr 'are the same file, and each would be written' \
    "$FASTGPU" run -d cpu -o linked grey.json
expect 1 stderr 'are the same file' "$FASTGPU" run -d cpu -o out --report out/grey.png grey.json
expect 1 stderr 'the workload reads it' "$FASTGPU" run -d cpu -o out --trace grey.json grey.json
edit '"raw": "photo.raw"' '"raw": "bad.json"'
expect 1 stderr 'the workload reads it' "$FASTGPU" run -d cpu bad.json
mkdir -p taken/grey.png
expect 1 stderr 'grey.png: is not a plain file' "$FASTGPU" run -d cpu -o taken grey.json
[[ -z $(find taken -type f) && $(cat linked/photo.raw) == old ]]
if [[ $(id -u) != 0 ]]; then
    mkdir closed
    chmod 555 closed
    expect 1 stderr 'closed: nothing can be written there' "$FASTGPU" run -d cpu -o closed grey.json
    chmod 755 closed
fi

# ---- a disk that gets full: the outputs before are there, the one that does not fit is absent

if [[ -z ${FASTGPU_SANITIZE-} ]] && command -v cc >/dev/null; then
    cat >full.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <dlfcn.h>
#include <unistd.h>
ssize_t write(int fd, const void *data, size_t bytes)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (fd > 2 && bytes > 100000) {
        static int written;
        if (written++)
            return errno = ENOSPC, -1;
        return real(fd, data, 50000);
    }
    return real(fd, data, bytes);
}
C
    cc -shared -fPIC -o full.so full.c -ldl
    mkdir full
    expect 1 stderr 'full/photo.raw: cannot be written (180000 bytes): No space left on device' \
        env LD_PRELOAD="$work/full.so" "$FASTGPU" run -q -d cpu -o full grey.json
    [[ -e full/grey.png && ! -e full/photo.raw && $(find full -type f | wc -l) == 2 ]]
fi

# ---- kill -9 at any moment: outputs are whole or absent

wanted=$(sha256sum <out/photo.raw)
whole=0
for delay in 0.01 0.02 0.03 0.05 0.08 0.1 0.15 0.2 0.3 0.5; do
    rm -rf killed
    "$FASTGPU" run -q -d cpu -o killed grey.json >/dev/null 2>&1 &
    pid=$!
    sleep "$delay"
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    for name in grey.png deep/er/grey.npy photo.raw; do
        if [[ -e killed/$name ]]; then
            whole=$((whole + 1))
            cmp "killed/$name" "out/$name"
        fi
    done
done
[[ $(sha256sum <out/photo.raw) == "$wanted" ]]

# ---- 100,000 tasks, and an end that the user asks for meanwhile

cat >many.json <<'JSON'
{"fastgpu": 1,
 "buffers": {"a": {"picture": {"width": 8, "height": 1000}, "random": {"seed": 1}},
             "b": {"like": "a", "channels": 1}},
 "kernels": {"k": {"filter": "grey"}},
 "tasks": [{"kernel": "k", "args": {"src": "a", "dst": {"buffer": "b", "rows": ["i", "i + 1"]}},
            "repeat": {"round": 100, "i": 1000}}],
 "outputs": [{"buffer": "b", "npy": "many.npy"}]}
JSON
rounds=100 # of 1000 tasks
if [[ -n ${FASTGPU_SANITIZE-} ]]; then rounds=10; fi
sed -i "s/\"round\": 100,/\"round\": $rounds,/" many.json
expect 0 stdout "done ${rounds}000, failed 0, cancelled 0" "$FASTGPU" run -d cpu -o out many.json
sed -i "s/\"round\": $rounds,/\"round\": $((4 * rounds)),/" many.json
stopped=0
for delay in 0.5 2 5; do
    code=0
    rm -f out/many.npy
    timeout --preserve-status --signal INT --kill-after 60 "$delay" \
        "$FASTGPU" run -d cpu -o out many.json >printed 2>&1 || code=$?
    if [[ $code == 130 && ! -e out/many.npy ]] && grep -q 'stopped before' printed; then
        stopped=$((stopped + 1))
    elif [[ $code != 0 ]]; then
        echo "after Ctrl-C: exit code $code"
        cat printed
        exit 1
    fi
done
if ((stopped == 0)); then
    echo "$((4 * rounds)),000 tasks were done in half a second each time: Ctrl-C was not tried"
    exit 1
fi

# ---- progress on a terminal: the line is gone before anything else is printed

if command -v script >/dev/null; then
    sed -i 's/"round": [0-9]*,/"round": 20,/' many.json
    script -qec "'$FASTGPU' run -d cpu -o out many.json" /dev/null >typed
    if ! grep -qE 'compiling \[ *\] 0 of 1 kernels' typed ||
        ! grep -qE 'writing \[ *\] 0 of 1 outputs' typed ||
        ! tr '\r' '\n' <typed | grep -B 1 '^Assess' | head -n 1 | grep -qE '^ {78}$'; then
        echo "progress on a terminal:"
        cat -v typed
        exit 1
    fi
fi

# ---- kernels of one's own, on all devices, and beside them without the pool

if [[ -z $opencl ]]; then
    echo "run: no OpenCL device; what needs one was not tried ($whole whole files after kill -9)"
    exit 0
fi
expect 0 stdout '1 of 1 outputs written' "$FASTGPU" run -o out own.json

# A task that fails while it runs (groups of 2^20 work items are beyond every device) is named with
# its repetition; what does not need it is written.
cat >large.json <<'JSON'
{"fastgpu": 1,
 "buffers": {"x{g}": {"fill": 3, "shape": 1048576, "type": "int32",
                       "repeat": {"g": [64, 1048576]}}},
 "kernels": {"twice": {"file": "own.cl", "args": [{"read-write": "x"}]}},
 "tasks": [{"kernel": "twice", "args": {"x": "x{g}"}, "grid": 1048576, "local": "g",
            "repeat": {"g": [64, 1048576]}}],
 "outputs": [{"buffer": "x64", "raw": "good.raw"}, {"buffer": "x1048576", "raw": "bad.raw"}]}
JSON
expect 1 stderr 'large.json: $.tasks[0], g = 1048576: ' "$FASTGPU" run -q -o out large.json
grep -q 'of 2 tasks 1 failed, .* outputs not written: 1' stderr
[[ $(stat -c %s out/good.raw) == 4194304 && ! -e out/bad.raw ]]
for name in chain scale; do
    expect 0 stdout '1 of 1 outputs written' "$FASTGPU" run -o out "$examples/$name.json"
done
if [[ -n $python ]]; then
    "$python" - "$examples" <<'PYTHON'
import sys

import numpy as np

assert (np.load("out/x.npy") == 6).all()
table = np.load(sys.argv[1] + "/data/table.npy")
assert (np.load("out/table-twice.npy") == 2 * table).all()
# chain.json: x = x * factor + 0.5 for 25 factors, each rounded to float32, then four quarters
# summed; a device may join multiplication and addition, which moves each step by half a unit.
n = 4 * 65536
with np.errstate(over="ignore"):
    z = np.uint64(7) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
u = (z >> np.uint64(11)).astype(np.float64) / 2.0**53
x = (-1.0 * (1.0 - u) + 1.0 * u).astype(np.float32)
for i in range(25):
    x = x * np.float32(1 + (i + 1) / 1000) + np.float32(0.5)
wanted = x.astype(np.float64).reshape(4, -1).sum(axis=0)
found = np.load("out/chain-sum.npy")
assert found.shape == (65536,) and found.dtype == np.float32
# 25 steps and 3 sums of values below 128, half a unit of 2^-17 each, grown by at most 1.4.
assert np.abs(found - wanted).max() < (4 * 25 * 1.4 + 3) * 2.0**-17, np.abs(found - wanted).max()
PYTHON
fi
before=$(sha256sum <out/chain-sum.npy)
expect 0 stdout "Evaluate (median of 2 rounds; the speed-up is the pool's)" \
    "$FASTGPU" run --baseline --rounds 2 -o out "$examples/chain.json"
for word in 'through the pool' 'one by one on opencl:0' 'one queue on opencl:0' 'lower bound'; do
    grep -qF -- "$word" stdout || { echo "no $word in:"; cat stdout; exit 1; }
done
# The tables fit a terminal; names of machines and devices, and what went wrong, may be long.
if sed '1,/^Schedule/d; / on .*: /d' stdout | grep -E '.{81}'; then
    echo 'these lines are longer than 80 columns'
    exit 1
fi
[[ $(sha256sum <out/chain-sum.npy) == "$before" ]] # each round begins with the inputs of the file
code=0
timeout --preserve-status --signal INT --kill-after 60 3 \
    "$FASTGPU" run --baseline --rounds 99 -o out "$examples/chain.json" >printed 2>&1 || code=$?
if [[ $code != 0 && $code != 130 ]] || ! grep -q '1 of 1 outputs written' printed; then
    echo "after Ctrl-C between rounds: exit code $code"
    cat printed
    exit 1
fi
"$FASTGPU" run --json --baseline --rounds 2 -o out grey.json >json
python3 - <<'PYTHON'
import json

said = json.load(open("json"))
evaluate = said["evaluate"]
assert len(evaluate["rounds_ns"]) == 2, evaluate
sides = {(side["device"], side["way"]): side for side in evaluate["baselines"]}
assert ("cpu", "by_hand") in sides and ("cpu", "queue") in sides, sides.keys()
for key, side in sides.items():
    assert side["outputs_equal"] is True and side["wall_ns"] > 0 and side["speed_up"] > 0, side
    assert key[1] != "by_hand" or side["bytes_copied"] > 0, side
assert evaluate["latency_mean_ns"] > 0
assert evaluate["latency_p50_ns"] <= evaluate["latency_p99_ns"] <= evaluate["latency_max_ns"]
assert 0 < evaluate["bound_ns"] and evaluate["bound_ratio"] > 0
assert said["schedule"]["dependencies"] == 0, said["schedule"]
PYTHON
echo "run: all checks passed ($whole whole files after kill -9)"
