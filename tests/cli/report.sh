#!/usr/bin/env bash
# Do reports look and behave in a browser as docs/report.md says? Each made-up run of
# tests/lib/report_cases.h is opened in headless Chromium: no error, nothing fetched, all drawn,
# nothing wider than a phone; mouse, fingers, keys, search, legend, graph, slider and print work.
# What the file holds is compared with the run in tests/unit/test_report.c.
set -euo pipefail

: "${FASTGPU_BUILD_DIR:?}" "${FASTGPU_SOURCE_DIR:?}"
maker=$FASTGPU_BUILD_DIR/bench/report/make_report
if [[ ! -x $maker ]]; then
    echo "skipped: $maker is not built"
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
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$FASTGPU_SOURCE_DIR/tests/lib \
    python3 "$FASTGPU_SOURCE_DIR/tests/lib/report_checks.py" "$work"
