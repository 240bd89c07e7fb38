#!/usr/bin/env bash
# Do reports look and behave in a browser as docs/report.md says? Each made-up run of
# tests/lib/report_cases.h is opened in headless Chromium: no error, nothing fetched, all drawn,
# nothing wider than a phone; mouse, fingers, keys, search, legend, graph, slider and print work.
# What the file holds is compared with the run in tests/unit/test_report.c.
set -euo pipefail

: "${FASTGPU:?}" "${FASTGPU_BUILD_DIR:?}" "${FASTGPU_SOURCE_DIR:?}"
maker=$FASTGPU_BUILD_DIR/bench/report/make_report
if [[ ! -x $FASTGPU || ! -x $maker ]]; then
    echo "skipped: $FASTGPU or $maker is not built"
    exit 77
fi
if ! command -v python3 >/dev/null; then
    echo "skipped: python3 is not installed"
    exit 77
fi
if ! command -v chromium chromium-browser google-chrome >/dev/null; then
    echo "skipped: Chromium is not installed (tools/deps check)"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for name in empty one unknown failed demo large hostile; do
    "$maker" "$name" "$work/$name.html" >/dev/null
done

# And one of a run that took place, with a name that tries to be markup.
cat >"$work/workload.json" <<'JSON'
{"fastgpu": 1,
 "buffers": {
   "photo": {"picture": {"width": 96, "height": 64, "channels": 3}, "random": {"seed": 1}},
   "grey": {"like": "photo", "channels": 1}},
 "kernels": {"to_grey": {"filter": "grey"}},
 "tasks": [
   {"name": "</script><b>-{i}", "kernel": "to_grey", "repeat": {"i": 8},
    "args": {"src": "photo", "dst": {"buffer": "grey", "rows": ["i * 8", "i * 8 + 8"]}}}],
 "outputs": [{"buffer": "grey", "image": "grey.png"}]}
JSON
"$FASTGPU" run --devices cpu --quiet --output-dir "$work" --report "$work/run.html" \
    "$work/workload.json"

# And one of a simulation of two policies.
cat >"$work/graph.json" <<'JSON'
{"fastgpu_graph": 1, "name": "</title><b>both",
 "data": [{"name": "</script><b>", "bytes": 1000000}],
 "tasks": [{"name": "</script><b>one", "kernel": "<b>k</b>", "flops": 1e9, "writes": [0]},
           {"name": "two", "kernel": "<b>k</b>", "flops": 1e10, "reads": [0]}]}
JSON
"$FASTGPU" sim -m gpu:2x1GiB,cpu:2 -g "$work/graph.json" -p eft,fifo -q --report "$work/sim.html"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$FASTGPU_SOURCE_DIR/tests/lib \
    python3 "$FASTGPU_SOURCE_DIR/tests/lib/report_checks.py" "$work"
