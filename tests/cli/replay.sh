#!/usr/bin/env bash
# Do `fastgpu replay-alloc` and `replay-cache` answer as their manuals say, and name what is wrong
# with a trace? The figures of the issue's traces, where those are.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"

# check EXPRESSION: of the JSON object `d` in stdout.
check() {
    python3 -c 'import json, sys; d = json.load(open("stdout")); assert eval(sys.argv[1]), d' "$1"
}

# Three blocks that need 30 bytes at a time; by size alone they would need 40.
printf 'id,lower,upper,size\n0,0,2,10\n1,1,4,20\n2,3,6,10\n' >small.csv
expect 0 stdout 'small.csv: 3 blocks' "$FASTGPU" replay-alloc small.csv
expect 0 stdout '"op_ns_p99"' "$FASTGPU" replay-alloc --json small.csv
check 'd["peak_live_bytes"] == d["planned_bytes"] == 30 and d["online_bytes"] >= 256'
check 'd["blocks"] == 3 and d["peak_time"] == 1 and d["failed_id"] is None'
printf 'size,upper,lower,id\r\n5,9,1,77\r\n\r\n' >other.csv
expect 0 stdout $'\"peak_live_bytes\":\t5,' "$FASTGPU" replay-alloc --json other.csv
printf 'id,lower,upper,size\n5,0,9,1000000\n6,1,9,1000000\n' >large.csv
expect 0 stdout 'online, block 6 does not fit' "$FASTGPU" replay-alloc -c 1MiB large.csv
expect 0 stdout $'\"failed_id\":\t6' "$FASTGPU" replay-alloc -c 1MiB --json large.csv
check 'd["online_bytes"] is d["compact_bytes"] is d["moved_bytes"] is None'
check 'd["online_bytes"] is None and d["op_ns_p50"] is None and d["planned_bytes"] == 2000000'

# bad LINES WHAT: a trace that is refused, and why.
bad() {
    printf '%b' "$1" >bad.csv
    expect 4 stderr "$2" "$FASTGPU" replay-alloc bad.csv
}
bad '' 'bad.csv:1: column 1 is ""'
bad 'id,lower,upper\n' 'bad.csv:1: there are 3 columns'
bad 'id,lower,upper,size,size\n' 'bad.csv:1: column 5 is "size"'
bad 'id,lower,upper,bytes\n' 'bad.csv:1: column 4 is "bytes"'
bad 'id,lower,upper,size\n' 'there are 0 blocks'
bad 'id,lower,upper,size\n1,2,3\n' 'bad.csv:2: size is missing'
bad 'id,lower,upper,size\n1,2,3,\n' 'bad.csv:2: size is missing'
bad 'id,lower,upper,size\n1,2,3,4,5\n' 'bad.csv:2: "5" follows the last of 4 columns'
bad 'id,lower,upper,size\n1,-2,3,4\n' 'bad.csv:2: lower is "-2"; it must be a whole number'
bad 'id,lower,upper,size\n1,2,x,4\n' 'bad.csv:2: upper is "x"'
bad 'id,lower,upper,size\n1,2,3,4\n2,3,3,4\n' 'bad.csv:3: lower is 3; it must be less than upper, 3'
bad 'id,lower,upper,size\n1,2,3,0\n' 'bad.csv:2: size is 0; it must be at least 1'
bad 'id,lower,upper,size\n1,2,3,18446744073709551615\n' 'all together at most 1152921504606846976'
bad 'id,lower,upper,size\n1,2,3,18446744073709551616\n' 'the limit is 18446744073709551615'
bad 'id,lower,upper,size\n1,2,3,4\n1,4,5,6\n' 'bad.csv: id 1 stands there twice'
expect 4 stderr 'missing.csv' "$FASTGPU" replay-alloc missing.csv
expect 2 stderr 'a file is missing' "$FASTGPU" replay-alloc
expect 2 stderr '--capacity 0: bytes' "$FASTGPU" replay-alloc -c 0 small.csv
expect 2 stderr '--capacity x: bytes' "$FASTGPU" replay-alloc -c x small.csv

# A loop over 4 blocks with room for 2: who knows nothing has no hit, who knows all has six
# (each third from the fourth on).
for _ in 1 2 3 4 5; do echo '{"hash_ids": [1, 2, 3, 4]}'; done >loop.jsonl
expect 0 stdout 'optimum' "$FASTGPU" replay-cache -c 0.5 loop.jsonl
expect 0 stdout $'\"hits_optimum\":\t6' "$FASTGPU" replay-cache -c 0.5 --json loop.jsonl
check 'd["references"] == 20 and d["capacity"] == 2 and d["hits_lru"] == d["hits_fifo"] == 0'
expect 0 stdout $'\"lookahead\":\tnull' "$FASTGPU" replay-cache -c 0.5 -l all --json loop.jsonl
check 'd["hits"] == d["hits_lookahead"] == d["hits_optimum"] == 6'
expect 0 stdout $'\"lookahead\":\t3,' "$FASTGPU" replay-cache -c 0.5 -l 3 --json loop.jsonl
check '0 < d["hits"] <= d["hits_optimum"]'

# wrong LINES WHAT: references that are refused, and why.
wrong() {
    printf '%b' "$1" >bad.jsonl
    expect 4 stderr "$2" "$FASTGPU" replay-cache -c 0.5 bad.jsonl
}
wrong '' 'bad.jsonl: there are no references in it'
wrong '{"hash_ids": [1, 2]}\n{"hash_ids": [1,' 'bad.jsonl:2: '
wrong '{"hash_id": [1, 2]}\n' 'bad.jsonl:1: there is no "hash_ids"'
wrong '{"hash_ids": 1}\n' 'bad.jsonl:1: "hash_ids" is no list of numbers'
wrong '{"hash_ids": [1, "2"]}\n' 'bad.jsonl:1: hash_ids[1] is no number'
wrong '{"hash_ids": [-1]}\n' 'bad.jsonl:1: hash_ids[0] is -1; it must be whole, from 0'
wrong '{"hash_ids": [1.5]}\n' 'bad.jsonl:1: hash_ids[0] is 1.5'
wrong '{"hash_ids": [1e300]}\n' 'bad.jsonl:1: hash_ids[0] is 1.'
expect 2 stderr '--capacity is missing' "$FASTGPU" replay-cache loop.jsonl
expect 2 stderr '--capacity 2: a share' "$FASTGPU" replay-cache -c 2 loop.jsonl
expect 2 stderr 'no whole one of the 4 blocks' "$FASTGPU" replay-cache -c 0.1 loop.jsonl
expect 2 stderr '--lookahead 1.5: references' "$FASTGPU" replay-cache -c 1 -l 1.5 loop.jsonl

data=${FASTGPU_SHARED-}/data
if [[ ! -d $data/alloc || -n ${FASTGPU_SANITIZE-} ]]; then
    echo "the traces are not there, or take too long here: their figures are not checked"
    exit 0
fi
expect 0 stdout online "$FASTGPU" replay-alloc --json --steps 1 --rounds 1 \
    "$data/alloc/pangu_2.6B.csv"
check 'd["online_bytes"] <= 1.03 * d["peak_live_bytes"]'
check 'd["compact_bytes"] <= 1.03 * d["peak_live_bytes"] and d["moved_bytes"] > 0'
check 'd["planned_bytes"] <= 1.01 * d["peak_live_bytes"]'
expect 0 stdout online "$FASTGPU" replay-alloc --json --steps 1 --rounds 1 \
    "$data/alloc/resnet50.csv"
check 'max(d["online_bytes"], d["planned_bytes"]) <= 1.02 * d["peak_live_bytes"]'
expect 0 stdout online "$FASTGPU" replay-alloc --json --rounds 1 --steps 100000000 \
    "$data/alloc/minimalloc_E.1048576.csv"
check 'd["planned_bytes"] <= 1.05 * 1048576'
for share in 0.01 0.03 0.1 0.3; do
    expect 0 stdout hits "$FASTGPU" replay-cache -c $share --json \
        "$data/cache/mooncake_synthetic.jsonl"
    check 'd["hits"] >= max(d["hits_lru"], d["hits_fifo"], d["hits_s3fifo"])'
done
