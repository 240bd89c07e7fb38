#!/usr/bin/env bash
# Does `fastgpu check` answer as its manual says? Good files and bad ones, both forms of the output,
# the exit codes, what the library says of kernels; and do the examples and the schema agree?
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"

# The examples, from here and from their own folder. The photograph is that of a Debian package.
photo=/usr/lib/python3/dist-packages/sklearn/datasets/images/flower.jpg
examples=$top/examples/workloads
count=0
for file in "$examples"/*.json; do
    if grep -q sklearn "$file" && [[ ! -r $photo ]]; then
        echo "not checked without $photo: $file"
        continue
    fi
    expect 0 stdout "$file is good; buffers: " "$FASTGPU" check "$file"
    (cd "$examples" && "$FASTGPU" check "${file##*/}" >/dev/null)
    count=$((count + 1))
done
if ((count < 2)); then
    echo "only $count examples were found: this test is wrong"
    exit 1
fi
expect 0 stdout 'kernels: 2, tasks: 101, outputs: 1' "$FASTGPU" check "$examples/chain.json"
expect 0 stdout '"mistakes"' "$FASTGPU" check --json "$examples/chain.json"
python3 - stdout <<'PYTHON'
import json
import sys

said = json.load(open(sys.argv[1]))
assert said["good"] is True and said["mistakes"] == [], said
assert (said["buffers"], said["kernels"], said["tasks"], said["outputs"]) == (2, 2, 101, 1), said
assert said["buffer_bytes"] == 5 * 65536 * 4, said
PYTHON

# Constants from outside.
expect 0 stdout 'kernels: 2, tasks: 101, outputs: 1' \
    "$FASTGPU" check --set quarter=256 "$examples/chain.json"
expect 0 stdout '(5120 bytes)' "$FASTGPU" check -s 'quarter=2 * 128' "$examples/chain.json"
expect 2 stderr '$.constants: quarte=2: there is no constant quarte; the nearest is quarter' \
    "$FASTGPU" check --set quarte=2 "$examples/chain.json"
expect 2 stderr '$.constants.quarter: 65536: quarter is given twice; it is no list' \
    "$FASTGPU" check --set quarter=2 --set quarter=3 "$examples/chain.json"
expect 2 stderr '$.constants.quarter: 65536: quarter=2 +: this is no expression for a number' \
    "$FASTGPU" check --set 'quarter=2 +' "$examples/chain.json"
expect 2 stderr 'quarte=2: there is no constant quarte' \
    "$FASTGPU" run --set quarte=2 "$examples/chain.json"
expect 2 stdout 'there is no constant quarte' \
    "$FASTGPU" run --json --set quarte=2 "$examples/chain.json"
expect 2 stderr 'quarter: want NAME=VALUE' "$FASTGPU" check --set quarter "$examples/chain.json"
expect 2 stderr '--set: its value (NAME=VALUE) is missing' "$FASTGPU" check --set

# Wrong usage, and files that are not there or no workload.
expect 2 stderr 'want one workload file, not 0' "$FASTGPU" check
expect 2 stderr 'want one workload file, not 2' "$FASTGPU" check a b
expect 2 stderr '--jsn: no such option; the nearest is --json' "$FASTGPU" check --jsn a
expect 4 stderr 'none.json: cannot be opened' "$FASTGPU" check none.json
if grep -q 'none.json.*none.json' stderr; then
    echo "the name of a missing file is said twice: $(<stderr)"
    exit 1
fi
: >empty.json
expect 4 stderr 'line 1, column 1: the file is empty' "$FASTGPU" check empty.json
echo '{"fastgpu":' >half.json
expect 4 stderr 'line 2, column 1: it ends where a value is wanted' "$FASTGPU" check half.json
expect 4 stderr "$work" "$FASTGPU" check "$work"
printf '{"fastgpu": 1,\n "tasks": [}' >broken.json
expect 4 stderr 'broken.json: $: line 2, column 12: a value is wanted' "$FASTGPU" check broken.json
truncate -s 17M large.json
expect 4 stderr 'large.json' "$FASTGPU" check large.json

# One line for each mistake, and the same as JSON; nothing else is said.
cp -r "$examples/kernels" "$examples/data" .
sed -e 's/"table"}/"tabel"}/' -e 's/"shape"/"shpe"/' "$examples/scale.json" >typo.json
expect 4 stderr 'typo.json: $.buffers.twice.like: "tabel": there is no buffer' \
    "$FASTGPU" check typo.json
expect 4 stdout '"$.buffers.twice.like"' "$FASTGPU" check --json typo.json
python3 - stdout <<'PYTHON'
import json
import sys

said = json.load(open(sys.argv[1]))
assert said["good"] is False and said["tasks"] is None, said
assert [(m["path"], m["value"]) for m in said["mistakes"]] == \
    [("$.buffers.twice.like", '"tabel"')], said
assert 'nearest is "table"' in said["mistakes"][0]["text"], said
PYTHON

# What only the library knows: the entry, and what its parameters are.
sed 's/"kernels\/scale.cl",/& "entry": "scael",/' "$examples/scale.json" >entry.json
expect 4 stderr 'entry.json: $.kernels.scale: "scael": ' "$FASTGPU" check entry.json
sed 's/{"read": "src"}/{"scalar": "src", "type": "int32"}/; s/"src": "table"/"src": 1/' \
    "$examples/scale.json" >kind.json
expect 4 stderr 'kind.json: $.kernels.scale: "scale": ' "$FASTGPU" check kind.json

# Files that are damaged: a table that is cut, a picture that is none.
head -c 100 "$examples/data/table.npy" >data/table.npy
cp "$examples/scale.json" cut.json
expect 4 stderr '$.buffers.table.npy: "data/table.npy": want a .npy file' "$FASTGPU" check cut.json
echo text >photo.png
echo '{"fastgpu": 1, "buffers": {"p": {"image": "photo.png"}}, "tasks": []}' >picture.json
expect 4 stderr '$.buffers.p.image: "photo.png": want a PNG or JPEG' "$FASTGPU" check picture.json

# The schema takes the examples and those of the page, and refuses files that are refused for their
# form.
if ! python3 -c 'import jsonschema' 2>/dev/null; then
    echo "check: all checks passed, but the schema was not tried without python3-jsonschema"
    exit 0
fi
python3 -W ignore - "$top" <<'PYTHON'
import glob
import json
import re
import sys

import jsonschema

top = sys.argv[1]
schema = json.load(open(top + "/docs/workload.schema.json"))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
page = open(top + "/docs/workload.md").read()
good = [json.load(open(path)) for path in glob.glob(top + "/examples/workloads/*.json")]
good += [json.loads(text) for text in re.findall(r"```json\n(.*?)```", page, re.S)]
assert len(good) >= 9, len(good)
for document in good:
    validator.validate(document)
for name in ("head-key", "head-version", "head-tasks-missing", "head-tasks-empty", "buffer-type",
             "buffer-axes", "kernel-both", "kernel-arg-key", "kernel-arg-lanes", "task-key",
             "task-kernel-missing", "task-arg-access", "task-arg-range-form", "output-none",
             "output-two", "repeat-object", "buffer-nothing", "constant-list",
             "constant-list-empty", "constant-true", "repeat-is-missing", "repeat-is-key"):
    path = f"{top}/tests/golden/data/workload/{name}.json"
    assert not validator.is_valid(json.load(open(path))), name
PYTHON
echo "check: all checks passed"
