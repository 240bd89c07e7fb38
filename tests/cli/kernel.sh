#!/usr/bin/env bash
# Does `fastgpu kernel` answer as its manual says? The classes with their reasons, both forms of the
# output, build options, files that cannot be read.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"

kernels=$top/tests/data/kernels
expect 0 stdout ': vector_add: free; slices: yes, guard: yes' \
    "$FASTGPU" kernel "$kernels/vector_add.cl"
expect 0 stdout 'scan.cl:5: scan_block: rewrite; slices: yes, guard: yes' \
    "$FASTGPU" kernel "$kernels/scan.cl"
grep -qF 'line 17: it uses get_group_id' stdout
expect 0 stdout 'sum_last: never; slices: no, guard: no' "$FASTGPU" kernel "$kernels/last_block.cl"
grep -qF 'line 16: it orders global memory with a fence' stdout
expect 0 stdout 'fill_int: free; slices: no, guard: no' \
    "$FASTGPU" kernel "$kernels/macro_kernels.cl"
grep -qF 'line 21: this comes out of a macro' stdout

# Build options decide what is read.
cat >choice.cl <<'CL'
#ifdef SUM
kernel void k(global int *a) { atomic_inc(a); }
#else
kernel void k(global int *a) { a[get_global_id(0)] = 1; }
#endif
CL
expect 0 stdout 'choice.cl:4: k: free' "$FASTGPU" kernel choice.cl
expect 0 stdout 'choice.cl:2: k: never' "$FASTGPU" kernel --options -DSUM choice.cl
expect 0 stdout 'choice.cl:2: k: never' "$FASTGPU" kernel -o '-DSUM=1' choice.cl

expect 0 stdout '"kernels"' "$FASTGPU" kernel --json choice.cl "$kernels/last_block.cl"
python3 - stdout <<'PYTHON'
import json
import sys

first, last = json.load(open(sys.argv[1]))["kernels"]
assert (first["file"], first["name"], first["line"], first["args"]) == ("choice.cl", "k", 4, 1)
assert first["class"] == "free" and first["class_why"] is None and first["slices_why"] is None
assert first["slices"] is True and first["guard"] is True
assert last["class"] == "never" and last["class_why"].startswith("line 16: it orders"), last
assert last["slices"] is False and last["guard"] is False and last["slices_why"], last
PYTHON

# A file without kernels is none that is wrong; of the others each is told of.
echo 'int f(int x) { return x; }' >none.cl
echo 'kernel void k(global int *a) { /* a comment without its end' >bad.cl
expect 0 stdout 'none.cl: no kernel' "$FASTGPU" kernel none.cl
expect 4 stderr 'bad.cl' "$FASTGPU" kernel bad.cl
code=0
"$FASTGPU" kernel bad.cl choice.cl >stdout 2>stderr || code=$?
if [[ $code != 4 ]] || ! grep -q 'choice.cl:4: k: free' stdout; then
    echo "a bad file and a good one: exit code $code"
    cat stdout stderr
    exit 1
fi
expect 4 stderr 'missing.cl' "$FASTGPU" kernel missing.cl
: >empty.cl
printf 'kernel\0void' >zero.cl
expect 4 stderr 'empty.cl: the file is empty (0 bytes)' "$FASTGPU" kernel empty.cl
expect 4 stderr 'zero.cl: this is no text: byte 7 of 11 is zero' "$FASTGPU" kernel zero.cl
expect 2 stderr 'a file is missing' "$FASTGPU" kernel
echo "kernel: all checks passed"
