#!/usr/bin/env bash
# Does `fastgpu machine` answer as its manual says? Made up, imported, captured and shown; what is
# made is read again as the same; mistakes in files exit 4 and those in words 2; and the example of
# docs/machine.md is one.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"

# The descriptions that come with the sources.
count=0
for file in "$top"/machines/*.fgm; do
    expect 0 stdout 'devices in' "$FASTGPU" machine show "$file"
    expect 0 stdout '"classes"' "$FASTGPU" machine show --json "$file"
    count=$((count + 1))
done
if ((count < 5)); then
    echo "only $count descriptions were found: this test is wrong"
    exit 1
fi
expect 0 stdout 'cluster: 11024 devices in 2 classes, 10001 memories' \
    "$FASTGPU" machine show "$top/machines/cluster.fgm"
grep -qE '^gpu +gpu +10000 +0 +80\.00 GiB +5\.000 us +60000 +3000 +75 +700$' stdout
grep -qE '^gpu host +8 of gpu +200 +0\.000 us$' stdout
grep -qE '^gpu +gpu +8 +2 +300 +10\.000 us$' stdout
expect 0 stdout 'gemm' "$FASTGPU" machine show "$top/machines/mirage.fgm"
grep -qE '^gemm +gpu0 +960 +2805\.491 us +2\.5 % +13129$' stdout
# The host's bridge is crossed twice: half of its 6.51745 GB/s.
grep -qE '^gpu1 +gpu0 +13 +3\.25873 +25\.000 us$' stdout

# The example of the manual.
awk '/^```/ { blocks++; next } blocks == 3' "$top/docs/machine.md" >example.fgm
expect 0 stdout 'example: 12 devices in 2 classes, 5 memories' "$FASTGPU" machine show example.fgm

# Made up: to the standard output and into a file the same, and read again as the same.
"$FASTGPU" machine synth 'gpu:8x80GiB,cpu:64' >made.fgm
expect 0 stdout 'm.fgm: 72 devices in 2 classes, 3 links, 3 routes, 0 kernels with 0 costs' \
    "$FASTGPU" machine synth 'gpu:8x80GiB,cpu:64' --output m.fgm
cmp made.fgm m.fgm
expect 0 stdout '"name"' "$FASTGPU" machine show --json m.fgm
python3 - stdout <<'PYTHON'
import json
import sys

machine = json.load(open(sys.argv[1]))
assert machine["device_count"] == 72 and machine["node_count"] == 9, machine
gpu, cpu = machine["classes"]
assert gpu["count"] == 8 and gpu["memory_bytes"] == 80 << 30 and gpu["first_node"] == 1
assert cpu["memory_bytes"] is None and cpu["first_node"] is None and cpu["idle_watt"] is None
up = machine["links"][0]
assert (up["name"], up["each"], up["per"], up["bytes_per_ns"]) == ("gpu up", "gpu", 1, 25), up
routes = {(route["from"], route["to"]): route for route in machine["routes"]}
assert routes["host", "gpu"]["links"] == [{"link": "gpu host", "of": "target"},
                                          {"link": "gpu down", "of": "target"}]
assert machine["costs"] == [] and machine["notes"] == ["Made up from: gpu:8x80GiB,cpu:64"]
PYTHON
expect 2 stderr "part 2 of the machine (tpu:4): there is no kind 'tpu'" \
    "$FASTGPU" machine synth 'cpu:4,tpu:4'
expect 2 stderr 'want one machine, not 0' "$FASTGPU" machine synth
expect 2 stderr 'want one machine, not 2' "$FASTGPU" machine synth cpu:4 gpu:1
expect 1 stderr 'no-such-folder' "$FASTGPU" machine synth cpu:4 --output no-such-folder/m.fgm

# Imported, with and without links.
cat >lab.devices.csv <<'CSV'
device,kind,count,memory_bytes
cpu,cpu,4,
gpu,gpu,1,2817982464
CSV
cat >lab.costs.csv <<'CSV'
kernel,device,tile,mean_us,stddev_us,samples
gemm,cpu,960,89875.200,968.271,232
gemm,gpu,960,2817.019,150.647,3973
CSV
cat >lab.links.csv <<'CSV'
link,bandwidth_bytes_per_s,latency_s
PCI:0000:[00-13] up,6518853316,0.000011
CSV
cat >lab.routes.csv <<'CSV'
from,to,links
host,gpu,PCI:0000:[00-13] up
gpu,host,PCI:0000:[00-13] up
CSV
tables=(--costs lab.costs.csv --devices lab.devices.csv)
links=(--links lab.links.csv --routes lab.routes.csv)
expect 0 stdout 'lab.fgm: 5 devices in 2 classes, 1 links, 2 routes, 1 kernels with 2 costs' \
    "$FASTGPU" machine import "${tables[@]}" "${links[@]}" --output lab.fgm --note one --note two
grep -qxF 'machine lab' lab.fgm
grep -qxF 'note one' lab.fgm
grep -qxF 'note two' lab.fgm
grep -qxF 'cost gemm on gpu size 960 mean_ns 2817019 deviation_ns 150647 samples 3973' lab.fgm
grep -qxF '  over "PCI:0000:[00-13] up"' lab.fgm
grep -qxF '  bytes_per_ns 6.518853316' lab.fgm
expect 0 stdout 'note "No links were given: copies take no time here."' \
    "$FASTGPU" machine import "${tables[@]}" --name other
grep -qxF 'machine other' stdout
expect 2 stderr '--devices FILE is missing' "$FASTGPU" machine import --costs lab.costs.csv
expect 2 stderr '--links and --routes are given together' \
    "$FASTGPU" machine import "${tables[@]}" --links lab.links.csv
expect 4 stderr 'absent.csv' "$FASTGPU" machine import --costs absent.csv --devices lab.devices.csv
sed -i 's/2817.019/fast/' lab.costs.csv
expect 4 stderr "lab.costs.csv:3: 'fast' is no number; write something like 12.5 or 1e6" \
    "$FASTGPU" machine import "${tables[@]}" "${links[@]}"
: >lab.costs.csv
expect 4 stderr 'lab.costs.csv: the table is empty' "$FASTGPU" machine import "${tables[@]}"

# Files that are none.
expect 4 stderr 'absent.fgm' "$FASTGPU" machine show absent.fgm
sed -i 's/^  count 64/  count many/' m.fgm
expect 4 stderr 'm.fgm:15: many is no whole number up to 1048576' "$FASTGPU" machine show m.fgm
expect 2 stderr 'want one file, not 0' "$FASTGPU" machine show

# Captured: figures that a machine can have, and a description that is read again as the same.
"$FASTGPU" machine capture --devices cpu,null --name here --output here.fgm >stdout 2>stderr
grep -qF 'null#0 is left out: it computes nothing' stderr
grep -qF 'here.fgm: ' stdout
expect 0 stdout '"classes"' "$FASTGPU" machine show --json here.fgm
python3 - stdout <<'PYTHON'
import json
import sys

machine = json.load(open(sys.argv[1]))
assert machine["name"] == "here" and len(machine["classes"]) == 1, machine
cpu, = machine["classes"]
assert cpu["name"] == "cpu" and cpu["kind"] == "cpu" and cpu["count"] >= 1
assert cpu["memory_bytes"] is None and machine["links"] == [] and machine["routes"] == []
assert 10 <= cpu["launch_ns"] < 1e9, cpu
assert 1e-3 < cpu["flops_per_ns"] < 1e4, cpu
assert 1e-3 < cpu["bytes_per_ns"] < 1e4, cpu
PYTHON
# Devices with memory of their own: links both ways, with the bandwidth of a copy that was seen.
if [[ -n ${FAKEICD_LIB-} && -z ${FASTGPU_SANITIZE-} ]]; then
    FASTGPU_OPENCL_LIBRARY=$FAKEICD_LIB "$FASTGPU" machine capture --devices opencl \
        --output fake.fgm >stdout 2>stderr
    expect 0 stdout 'captured: 2 devices in 2 classes, 3 memories' "$FASTGPU" machine show fake.fgm
    for way in in out; do
        grep -A2 "^link \"opencl:1 $way\"" fake.fgm | grep -qE '^  bytes_per_ns [0-9.]+$'
    done
    grep -qxF 'route host -> "opencl:1"' fake.fgm
fi
expect 3 stderr 'no device is left to describe' "$FASTGPU" machine capture --devices null
expect 3 stderr 'the pool cannot be opened' "$FASTGPU" machine capture --devices no-such-device
echo "machine: all checks passed"
