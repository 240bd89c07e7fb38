#!/usr/bin/env bash
# Does `fastgpu optimize` do what its manual says, and does `fastgpu run` take what it wrote?
# Nothing here depends on what is found to be fast: the profile and what is printed of it must
# agree, results stay the same byte for byte, and profiles for something else are not used.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"
export XDG_CACHE_HOME=$work/cache

cat >grey.json <<'JSON'
{"fastgpu": 1,
 "constants": {"bands": 40, "wide": 300},
 "buffers": {
   "photo": {"picture": {"width": "wide", "height": 200}, "random": {"seed": 3}},
   "grey": {"like": "photo", "channels": 1},
   "edges": {"like": "grey"}},
 "kernels": {"to_grey": {"filter": "grey"}, "find": {"filter": "sobel"}},
 "tasks": [{"kernel": "to_grey",
            "args": {"src": "photo", "dst": {"buffer": "grey",
                     "rows": ["200 * i // bands", "200 * (i + 1) // bands"]}},
            "repeat": {"i": "bands"}},
           {"kernel": "find", "args": {"src": "grey", "dst": "edges"}}],
 "outputs": [{"buffer": "edges", "raw": "edges.raw"}]}
JSON

# ---- usage, and what cannot be done

expect 0 stdout 'usage: fastgpu optimize' "$FASTGPU" optimize --help
expect 2 stderr 'want one workload file, not 0' "$FASTGPU" optimize
expect 2 stderr 'want one workload file, not 2' "$FASTGPU" optimize a b
expect 2 stderr 'the name of the workload file is empty' "$FASTGPU" optimize ''
expect 2 stderr '--bugdet: no such option; the nearest is --budget' "$FASTGPU" optimize --bugdet 1 a
for budget in 0 -1s 5x s 1d 999h ' 3s' 0.0ms nan; do
    expect 2 stderr "--budget $budget: want a time up to a day" \
        "$FASTGPU" optimize --budget "$budget" grey.json
done
expect 4 stderr 'missing.json' "$FASTGPU" optimize missing.json
echo '{"fastgpu": 1,' >broken.json
expect 4 stderr 'broken.json: ' "$FASTGPU" optimize broken.json
sed 's/"outputs": .*/"outputs": []}/' grey.json >silent.json
expect 4 stderr 'it has no outputs' "$FASTGPU" optimize silent.json
expect 1 stderr 'the profile cannot be written' \
    "$FASTGPU" optimize -d cpu -o no/such/p.json grey.json
expect 2 stderr 'is too short' "$FASTGPU" optimize -d cpu --budget 1ms grey.json
expect 2 stderr '--pieces nobody: the workload has no constant' \
    "$FASTGPU" optimize -d cpu --pieces nobody grey.json
expect 2 stderr 'there is no constant nobody' "$FASTGPU" optimize -s nobody=3 grey.json
expect 3 stderr 'the pool cannot be opened' "$FASTGPU" optimize -d nobody grey.json
expect 2 stderr 'the pool cannot be opened' "$FASTGPU" optimize -d cpu -p nobody grey.json
expect 1 stderr 'give --output FILE' env -u HOME -u XDG_CACHE_HOME \
    "$FASTGPU" optimize -d cpu grey.json
[[ ! -e cache/fastgpu/profiles ]]

# ---- what could be chosen

expect 0 stdout 'constant bands: 1 2 3 4 6 8 12 16 24 32 64' \
    "$FASTGPU" optimize -d cpu --dry-run grey.json
grep -q '^  policy: eft fifo steal' stdout
grep -q '^  local find: ' stdout
if grep -q 'wide\|variant\|devices' stdout; then cat stdout; exit 1; fi # one device, not a piece
expect 0 stdout 'constant wide' "$FASTGPU" optimize -d cpu -n --pieces wide -s bands=4 grey.json
if grep -q 'constant bands' stdout; then exit 1; fi
"$FASTGPU" optimize -d cpu -n --policy eft --json grey.json >json
python3 -c 'import json
said = json.load(open("json"))
kinds = [each["what"] for each in said["dimensions"]]
assert said["devices"] == ["cpu"] and "policy" not in kinds and "constant" in kinds, said
assert all(len(each["values"]) > 0 for each in said["dimensions"])'
[[ ! -e cache/fastgpu/profiles ]]

# ---- tuning, and what it leaves

"$FASTGPU" optimize -d cpu --budget 6s --pieces wide --json grey.json >json 2>errors
grep -qv 'as it stands$' errors || [[ ! -s errors ]]
python3 - "$top" <<'PYTHON'
import json
import os
import re
import sys

said = json.load(open("json"))
manual = set(re.findall(r"[a-z_0-9]+", open(sys.argv[1] + "/docs/man/fastgpu-optimize.1").read()))
keys = set()


def walk(value):
    if isinstance(value, dict):
        keys.update(value)
        for each in value.values():
            walk(each)
    elif isinstance(value, list):
        for each in value:
            walk(each)


walk(said)
assert len(keys) > 30 and keys <= manual, keys - manual
assert said["refused"] > 0  # another "wide" is another picture
assert not any(each.get("name") == "wide" for each in said["choices"]), said["choices"]
assert said["improved"] == (len(said["choices"]) > 0), said
for side in (said["before"], said["after"]):
    assert len(side["rounds_ns"]) >= 7 and 0 < side["cores_share"] <= 1
    assert side["wall_low_ns"] <= side["wall_ns"] <= side["wall_high_ns"]
assert said["before"]["tasks_done"] == 41
assert (said["speed_up_low"] or 0) <= (said["speed_up_high"] or 9)
profile = json.load(open(said["profile"]))
assert profile["choices"] == said["choices"] and profile["pattern"] == "cpu"
cache = os.environ["XDG_CACHE_HOME"]
assert said["profile"].startswith(cache + "/fastgpu/profiles/"), said["profile"]
# From here on choices that are known.
profile["choices"] = [
    {"what": "constant", "name": "bands", "value": "3"},
    {"what": "policy", "value": "fifo"},
    {"what": "local", "name": "find", "value": "16x1"},
    {"what": "order", "value": "critical"},
    {"what": "variant", "name": "*", "value": "native"}]
json.dump(profile, open(said["profile"], "w"))
json.dump(profile, open("known.json", "w"))
for name, key, value in (("version", "version", "0.0.1"), ("other", "workload", "00"),
                         ("machine", "processor", "Z80"), ("choice", "choices", [
                             {"what": "local", "name": "find", "value": "7"}])):
    json.dump({**profile, key: value}, open(name + ".json", "w"))
PYTHON

# ---- the profile in a run: taken by itself, or by name; results stay the same

expect 0 stdout 'done 41,' "$FASTGPU" run -d cpu --no-profile -o plain grey.json
if grep -q 'profile' stdout; then exit 1; fi
expect 0 stdout 'done 4,' "$FASTGPU" run -d cpu -o tuned grey.json
expect 0 stdout 'done 4,' "$FASTGPU" run --pool devices=cpu -o tuned grey.json # that of -d cpu
grep -q 'policy fifo; 4 tasks' stdout
grep -qF 'bands = 3; policy fifo; find: local 16x1; order critical;' stdout
grep -qF '; all kernels: variant native' stdout
cmp plain/edges.raw tuned/edges.raw
expect 0 stdout 'done 4,' "$FASTGPU" run -d cpu -o tuned --profile known.json grey.json
expect 0 stdout 'policy eft; 4 tasks' "$FASTGPU" run -d cpu -o tuned --policy eft grey.json
"$FASTGPU" run -d cpu -o tuned --json --report r.html grey.json >json
python3 -c 'import json
said = json.load(open("json"))
assert said["profile"]["path"].endswith(".json") and len(said["profile"]["choices"]) == 5, said
assert "all kernels: variant native" in open("r.html").read()'
cmp plain/edges.raw tuned/edges.raw

# Other constants, devices or no cache: another workload, or another machine; no profile.
expect 0 stdout 'done 6,' "$FASTGPU" run -d cpu -s bands=5 -o tuned grey.json
expect 0 stdout 'done 41,' env -u HOME -u XDG_CACHE_HOME "$FASTGPU" run -d cpu -o tuned grey.json

# ---- profiles that are not for this, or damaged

noticed() { # FILE WORD: it is not used, which is said, and the run goes on without
    code=0
    "$FASTGPU" run -d cpu -o tuned --profile "$1" grey.json >stdout 2>stderr || code=$?
    if [[ $code != 0 ]] || ! grep -q "is not used: .*$2" stderr || ! grep -q 'done 41,' stdout; then
        echo "--profile $1: exit code $code"
        cat stdout stderr
        exit 1
    fi
}
noticed version.json 'made for version 0.0.1'
noticed other.json 'made for workload 00'
noticed machine.json 'made for processor Z80'
noticed choice.json 'does not divide'
expect 4 stderr 'there is no such file' "$FASTGPU" run --profile nobody.json grey.json
expect 4 stderr 'it is no profile' "$FASTGPU" run -d cpu --profile broken.json grey.json
expect 2 stderr 'contradict each other' "$FASTGPU" run --profile a --no-profile grey.json
cp version.json cache/fastgpu/profiles/"$(ls cache/fastgpu/profiles)"
noticed cache/fastgpu/profiles/"$(ls cache/fastgpu/profiles)" 'made for version'
"$FASTGPU" run -q -d cpu -o tuned grey.json 2>stderr # --quiet: without a word
[[ ! -s stderr ]]

# ---- an end that the user asks for

code=0
"$FASTGPU" optimize -d cpu --budget 600s -o early.json grey.json >stdout 2>stderr &
process=$!
sleep 2
kill -INT "$process"
wait "$process" || code=$?
if [[ $code != 130 ]] || ! grep -q 'stopped before' stderr; then
    cat stdout stderr
    exit 1
fi
if [[ -e early.json ]]; then python3 -c 'import json; json.load(open("early.json"))'; fi
echo "optimize: all checks passed"
