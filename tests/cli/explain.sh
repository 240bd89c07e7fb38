#!/usr/bin/env bash
# Does `fastgpu explain` answer as its manual says? On the golden trace, whose tasks are known, and
# on files that are missing, cut, damaged or no trace.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"
golden=$top/tests/golden/chrome.json

says() {
    if ! grep -qF -- "$1" stdout; then
        echo "\"$1\" is wanted in:"
        cat stdout
        exit 1
    fi
}

expect 0 stdout "task 1 'gemm \"tiled\"'" "$FASTGPU" explain 1 --trace "$golden"
says 'submitted   at 1.0 us'
says 'waited for  no task'
says 'ready       at 1.1 us, 100 ns after it was submitted'
says 'placed      at 1.3 us on opencl:0 queue 0: the earliest predicted end'
says 'opencl:0 queue 0     0 ns   600 ns    5.0 us   5.6 us  chosen'
says 'device 1 queue 0   7.0 us     0 ns  ~60.0 us  67.0 us  not measured yet'
says 'copies      copy host to card \1/, 1048576 bytes, from 1.6 us to 2.9 us (1.3 us)'
says "compiling   1 kernel for its device meanwhile, the last 'build gemm \"tiled\"' until 2.4 us"
says 'started     at 3.2 us on opencl:0 queue 0'
says '            1.9 us after nothing held it back but its queue'
if grep ' $' stdout; then
    echo 'these lines end in spaces'
    exit 1
fi
says '1 run or copy, the last for task 1'
says 'ran         for 5.1 us; 5.0 us were predicted (+2 %)'
says 'ended       at 8.5 us, well'

# By name; a control character in one is shown as '?'.
expect 0 stdout "task 1 'gemm" "$FASTGPU" explain -t "$golden" 'gemm "tiled"'
"$FASTGPU" explain -t "$golden" 'sum?of été' >stdout 2>stderr
says "task 2 'sum?of été'"
says "waited for  task 1 'gemm \"tiled\"', which ended at 8.3 us, 7.1 us after the submission"
grep -q '2 tasks have this name' stderr

# One that never ran.
expect 0 stdout 'started     never' "$FASTGPU" explain 5 -t "$golden"
says 'placed      nowhere'
says "ended       at 9.4 us, "

expect 0 stdout '"reason":' "$FASTGPU" explain 1 --json -t "$golden"
python3 - stdout <<'PYTHON'
import json
import sys

said = json.load(open(sys.argv[1]))
assert (said["task"], said["name"], said["placed"]) == ("1", 'gemm "tiled"', "policy"), said
assert [c["ends_in_ns"] for c in said["candidates"]] == [5600, 67000], said
assert [c["measured"] for c in said["candidates"]] == [True, False], said
assert [c["device"] for c in said["candidates"]] == [0, 1], said
assert [c["device_id"] for c in said["candidates"]] == ["opencl:0", ""], said
assert said["run"]["device"] == "device 0: opencl:0: a card", said
assert said["run"]["device_id"] == "opencl:0", said
assert (said["run"]["start_ns"], said["run"]["end_ns"]) == (3200, 8300), said
assert said["copies"][0]["bytes"] == 1048576 and said["status"] == 0, said
PYTHON
expect 0 stdout '3 tasks ran' "$FASTGPU" explain -t "$golden"
says '1 more did not run on a queue'
says 'ended last'
expect 0 stdout '"longest_waits":' "$FASTGPU" explain -t "$golden" --json

# Wrong usage.
expect 2 stderr '--trace FILE is missing' "$FASTGPU" explain 1
expect 2 stderr 'want one task, not 2' "$FASTGPU" explain 1 2 -t "$golden"
expect 2 stderr "77: no such task in $golden" "$FASTGPU" explain 77 -t "$golden"
expect 2 stderr "the nearest is 'gemm \"tiled\"'" "$FASTGPU" explain 'gem "tiled"' -t "$golden"

# Files.
expect 4 stderr 'fastgpu explain: nothing.json: cannot be opened' "$FASTGPU" explain -t nothing.json
: >empty.json
expect 4 stderr 'empty.json: the file is empty (0 bytes)' "$FASTGPU" explain -t empty.json
head -c 1500 "$golden" >cut.json
expect 4 stderr 'cut.json: line 12, column ' "$FASTGPU" explain -t cut.json
grep -q 'the file ends in the middle' stderr
echo '{"traceEvents":[]}' >other.json
expect 4 stderr 'no trace that FastGPU wrote: otherData.writer is not' \
    "$FASTGPU" explain -t other.json
echo '{"otherData":{"writer":"FastGPU"}}' >none.json
expect 4 stderr 'it has no traceEvents' "$FASTGPU" explain -t none.json
echo '[1, 2]' >list.json
expect 4 stderr 'line 1, column 1: an object is wanted' "$FASTGPU" explain -t list.json
sed 's/"task":1,/"task":-1,/' "$golden" >negative.json
expect 4 stderr 'a whole number from 0 to 2^64 - 1 is wanted' "$FASTGPU" explain -t negative.json
sed 's/"ts":1.600/"ts":1e99/' "$golden" >late.json
expect 4 stderr 'microseconds from 0 to 10^15 are wanted' "$FASTGPU" explain -t late.json
sed 's/"candidates":\[/"candidates":[3,/' "$golden" >odd.json
expect 4 stderr 'the record of the task is damaged' "$FASTGPU" explain 1 -t odd.json
python3 -c 'print("{\"a\":" + "[" * 100000)' >deep.json
expect 4 stderr 'nested too deeply' "$FASTGPU" explain -t deep.json
sed 's/gemm/ge\x01mm/' "$golden" >control.json
expect 4 stderr 'this does not belong in a string' "$FASTGPU" explain -t control.json
sed 's/gemm/ge\xffmm/' "$golden" >latin.json
expect 4 stderr 'this does not belong in a string' "$FASTGPU" explain -t latin.json
expect 4 stderr '/: ' "$FASTGPU" explain -t /

# Every beginning of a trace is refused, or is the whole.
small=$(head -c 2600 "$golden" | wc -c)
for ((bytes = 1; bytes < small; bytes += 37)); do
    head -c "$bytes" "$golden" >part.json
    expect 4 stderr 'part.json: line ' "$FASTGPU" explain -t part.json
done

# A trace that a run has just written; its kernels are OpenCL C.
if "$FASTGPU" run "$top/examples/workloads/chain.json" --trace real.json >/dev/null 2>said; then
    expect 0 stdout "'fold'" "$FASTGPU" explain fold -t real.json
    says 'waited for  task '
    says 'ended       at '
    # The devices' names are those of `fastgpu devices`.
    "$FASTGPU" explain fold -t real.json --json >said.json
    "$FASTGPU" devices --json >devices.json
    python3 - said.json devices.json <<'PYTHON'
import json
import sys

said, known = (json.load(open(name)) for name in sys.argv[1:])
ids = [device["id"] for device in known["devices"]]
assert said["run"]["device_id"] in ids, (said, ids)
assert all(c["device_id"] in ids for c in said["candidates"]), (said, ids)
PYTHON
elif ! grep -q 'evice' said; then
    cat said
    exit 1
fi
echo "explain: all checks passed"
