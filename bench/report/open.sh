#!/usr/bin/env bash
# What a report of 100,000 tasks costs: seconds to write, size, seconds until headless Chromium has
# drawn it (from navigation, in a browser that runs, and from nothing), milliseconds for one picture
# of the timeline while zooming. Limits: written in 5 s, 10 MB, open in 3 s.
#
# usage: bench/report/open.sh [BUILD]      default: build/release
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1-build/release}
if [[ ! -x $build/bench/report/make_report ]]; then
    echo "skipped: $build/bench/report/make_report is not built"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for _ in 1 2 3; do "$build/bench/report/make_report" large "$work/large.html"; done
if ! command -v python3 >/dev/null ||
    ! command -v chromium chromium-browser google-chrome >/dev/null; then
    echo "skipped: python3 or Chromium is not installed"
    exit 77
fi
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/lib python3 - "$work/large.html" <<'PYTHON'
import sys
import time

from browser import Browser

start = time.monotonic()
with Browser() as browser:
    browser.open(sys.argv[1], 1280, 900)
    print(f"opened in {time.monotonic() - start:.2f} s with the start of the browser")
    for width in (1280, 375):
        seconds = sorted(browser.open(sys.argv[1], width, 900) for _ in range(5))
        print(f"opened in {seconds[2]:.2f} s (median of 5; {seconds[0]:.2f} to {seconds[4]:.2f}), "
              f"{width} pixels wide")
    browser.open(sys.argv[1], 1280, 900)
    # Zooming in and out by the keyboard, a picture after each key.
    took = browser.evaluate("""(async () => {
        const lanes = document.getElementById('lanes'), took = [];
        const press = (key) => lanes.dispatchEvent(new KeyboardEvent('keydown', {key}));
        const next = () => new Promise(requestAnimationFrame);
        for (const key of [...Array(16).fill('+'), ...Array(8).fill('ArrowRight'),
                           ...Array(16).fill('-')]) {
            press(key);
            await next();
            await next();
            took.push(Number(document.documentElement.dataset.draw));
        }
        return took.sort((a, b) => a - b); })()""")
    print(f"a picture of the timeline: median {took[len(took) // 2]:.1f} ms, "
          f"longest {took[-1]:.1f} ms")
PYTHON
