#!/usr/bin/env bash
# Does `fastgpu heap` show traces and dumps as its manual says, and name what is wrong with them?
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"

# check EXPRESSION: of the JSON object `d` in stdout.
check() {
    python3 -c 'import json, sys; d = json.load(open("stdout")); assert eval(sys.argv[1]), d' "$1"
}

# A slab has 2 MiB: three quarters of it are taken at 1; at 3 the first of them is a hole.
quarter=524288
printf 'id,lower,upper,size\n7,0,3,%d\n8,1,5,%d\n9,1,5,%d\n' $quarter $quarter $quarter >lives.csv
expect 0 stdout 'lives.csv: at 1, of 0 to 5' "$FASTGPU" heap lives.csv
expect 0 stdout '3 blocks, 1.5MiB in use; 1 slabs, 2.0MiB; 1 holes, the largest 512KiB' \
    "$FASTGPU" heap lives.csv
[[ $(grep -c '|$' stdout) == 24 ]]
[[ $(grep -o '#' stdout | wc -l) == $((64 * 24 * 3 / 4)) ]]
expect 0 stdout used_bytes "$FASTGPU" heap --json --at 3 lives.csv
check 'd["used_bytes"] == 1048576 and d["holes"] == 2 and d["fragmentation"] == 0.5'
check 'd["kind"] == "trace" and d["time"] == 3 and d["peak_time"] == 1 and d["missing"] == 0'
expect 0 stdout 'missing' "$FASTGPU" heap -c 1MiB lives.csv
expect 0 stdout missing "$FASTGPU" heap -c 1MiB --json lives.csv
check 'd["missing"] == 1 and d["used_bytes"] == 1048576'

# Pictures: of all time and of a moment.
expect 0 stdout blocks "$FASTGPU" heap -o all.svg lives.csv
python3 - <<'PYTHON'
import xml.etree.ElementTree as tree
marks = tree.parse("all.svg").getroot()
boxes = [m for m in marks if m.tag.endswith("rect")]
titles = [m[0].text for m in boxes if len(m)]
assert len(boxes) == 1 + 1 + 3, len(boxes)  # the ground, the slab, the blocks
assert titles[0] == "7: 512KiB at 0, from 0 until 3", titles
widths = [float(m.get("width")) for m in boxes[2:]]
heights = [float(m.get("height")) for m in boxes[1:]]
assert abs(widths[0] - 3 / 5 * 1170) < 0.1 and abs(heights[1] - heights[0] / 4) < 0.1
PYTHON
expect 0 stdout blocks "$FASTGPU" heap --at 1 -o moment.svg lives.csv
[[ $(grep -c '<title>' moment.svg) == 39 ]] # 50 rows; a block that ends within one shares it
expect 0 stdout blocks "$FASTGPU" heap -o all.png lives.csv
[[ $(head -c 8 all.png | od -An -tx1) == ' 89 50 4e 47 0d 0a 1a 0a' ]]
expect 2 stderr 'ends in .png or .svg' "$FASTGPU" heap -o all.gif lives.csv
expect 1 stderr 'no/such' "$FASTGPU" heap -o no/such.svg lives.csv

# A dump of two memories.
cat >dump.json <<'JSON'
{"fastgpu_heap":1,"nodes":[
{"node":0,"device":"host","used_bytes":100,"slabs":[{"bytes":1000,"blocks":[[0,100,"<a&b>"]]}]},
{"node":1,"device":"sim:0","used_bytes":600,"slabs":[
{"bytes":1000,"blocks":[[0,300,"x"],[500,200,""]]},{"bytes":500,"blocks":[[400,100,"y"]]}]}]}
JSON
expect 0 stdout 'dump.json: node 1 of 2, sim:0' "$FASTGPU" heap dump.json
expect 0 stdout dump "$FASTGPU" heap --json dump.json
check 'd["kind"] == "dump" and d["blocks"] == 3 and d["slabs"] == 2 and d["holes"] == 3'
check 'd["used_bytes"] == 600 and d["held_bytes"] == 1500 and d["largest_hole_bytes"] == 400'
check 'd["time"] is None and d["node"] == 1'
expect 0 stdout 'host' "$FASTGPU" heap -n 0 -o host.svg dump.json
grep -q '<title>&#60;a&#38;b&#62;: 100B at 0</title>' host.svg
expect 4 stderr 'no such node' "$FASTGPU" heap -n 2 dump.json

# bad TEXT WHAT: a dump that is refused, and why.
bad() {
    printf '%s' "$1" >bad.json
    expect 4 stderr "$2" "$FASTGPU" heap bad.json
}
bad '{' 'bad.json: '
bad '{}' 'not what fgpu_heap_write() writes'
bad '{"fastgpu_heap":2,"nodes":[]}' 'not what fgpu_heap_write() writes'
bad '{"fastgpu_heap":1,"nodes":{}}' 'not what fgpu_heap_write() writes'
bad '{"fastgpu_heap":1,"nodes":[]}' 'no such node; it has 0'
node='{"fastgpu_heap":1,"nodes":[{"node":3,"device":"d","used_bytes":1,"slabs":['
bad "$node"'{"bytes":0,"blocks":[]}]}]}' 'a block of node 3 is none'
bad "$node"'{"bytes":10,"blocks":[[5,6,""]]}]}]}' 'leaves its place'
bad "$node"'{"bytes":10,"blocks":[[0,6,""],[5,1,""]]}]}]}' 'leaves its place'
bad "$node"'{"bytes":10,"blocks":[[-1,6,""]]}]}]}' 'leaves its place'
bad "$node"'{"bytes":10,"blocks":[[1,6]]}]}]}' 'leaves its place'
bad "$node"'{"bytes":10,"blocks":[[1,1e300,""]]}]}]}' 'leaves its place'
expect 4 stderr 'missing.csv' "$FASTGPU" heap missing.csv
expect 2 stderr 'a file is missing' "$FASTGPU" heap
expect 2 stderr '--capacity 0: bytes' "$FASTGPU" heap -c 0 lives.csv
