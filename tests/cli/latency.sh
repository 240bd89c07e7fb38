#!/usr/bin/env bash
# Interactive requests beside a batch, with tiny work: `fastgpu bench preempt` and `deadline` on
# devices and `fastgpu demo latency` give all their fields, their results are checked, sums agree,
# mistakes are named, and the chart is drawn as the terminal wants it. How long anything takes is
# not asked here.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"

devices=(cpu)
if "$FASTGPU" devices --devices opencl:0 >/dev/null 2>&1; then devices+=(opencl:0); fi

small=(--groups 48 --group 50 --pause 8)
for device in "${devices[@]}"; do
    "$FASTGPU" bench preempt --device "$device" "${small[@]}" --time 60 --rounds 2 --json >json
    python3 - json "$device" <<'PYTHON'
import json
import sys

result, device = json.load(open(sys.argv[1])), sys.argv[2]
assert result["benchmark"] == "preempt" and result["simulated"] is False, result
assert result["device"] == device and result["rounds"] == 2 and result["groups"] == 48, result
assert result["work_per"] == "cpu_second" and result["device_slices"] is True, result
ways = ["idle", "plain", "slice", "guard"] + (["raw"] if device != "cpu" else [])
requests = 0
for way in ways:
    assert result[f"{way}_requests"] >= 2, (way, result)
    requests += result[f"{way}_requests"]
    assert 0 < result[f"{way}_p90_ms"] <= result[f"{way}_p99_ms"], (way, result)
    assert result[f"{way}_p50_ms"] > 0, (way, result)
    if way != "idle":
        assert result[f"{way}_batch_ratio"] > 0, (way, result)
        assert 0 <= result[f"{way}_delay_p50_groups"], (way, result)
assert result["checked_requests"] == requests, result
# The same moments in each way, but for those that end it.
assert abs(result["idle_requests"] - result["guard_requests"]) <= 2, result
assert result["plain_batch_ratio"] == 1 and result["plain_preemptions"] == 0, result
assert result["guard_idle_cost_ratio"] > 0 and result["plain_launches_per_second"] > 0, result
assert result["checked_launches"] >= 2 * 3 * (len(ways) + 1), result
if device == "cpu":
    assert result["raw_p50_ms"] is None and result["raw_batch_ratio"] is None, result
PYTHON
    "$FASTGPU" bench deadline --device "$device" --count 30 --json >json
    python3 - json "$device" <<'PYTHON'
import json
import sys

result = json.load(open(sys.argv[1]))
assert result["simulated"] is False and result["device"] == sys.argv[2], result
assert result["tasks"] == 30 and result["load"] == 0.8 and result["over"] == 2, result
assert result["on_time"] + result["missed"] + result["refused"] == 30, result
assert result["missed_beyond_a_group"] <= result["missed"], result
assert result["together_over_optimum"] >= 0 and result["mean_task_us"] > 0, result
assert result["together_overloaded_over_optimum"] >= 0, result
PYTHON
done

expect 0 stdout 'All results are right' \
    "$FASTGPU" bench preempt --device cpu "${small[@]}" --time 30 --rounds 1
grep -qE '^alone +[0-9.]+ +[0-9.]+ +[0-9.]+$' stdout
grep -qE '^guard +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9]+ +[0-9.]+$' stdout
expect 0 stdout 'all at once, load 2.00' "$FASTGPU" bench deadline --device cpu --count 10
expect 2 stderr '--rounds 0: want a whole number from 1 to 1000' "$FASTGPU" bench preempt --rounds 0
expect 2 stderr '--groups 1: want a whole number from 2 to 65536' \
    "$FASTGPU" demo latency --groups 1
expect 2 stderr '--seconds x: want a whole number from 1 to 600' \
    "$FASTGPU" demo latency --seconds x
expect 2 stderr 'more: no such argument' "$FASTGPU" demo latency more
for command in 'bench preempt' 'bench deadline' 'demo latency'; do
    read -ra words <<<"$command"
    expect 3 stderr "fastgpu $command: the pool cannot be opened" \
        "$FASTGPU" "${words[@]}" --device nobody
    expect 2 stderr 'an item of the list is empty' "$FASTGPU" "${words[@]}" --device cpu,,cpu
done

# The demonstration: once at the end where there is no terminal, no colour, nothing wider than 80.
if [[ -z ${FASTGPU_SANITIZE-} ]]; then # there the next one is enough
    "$FASTGPU" demo latency --device cpu "${small[@]}" --seconds 1 >text
    for word in 'a request waits' 'off: whole launches' 'on: the batch makes way' p50 p99 batch; do
        grep -qF -- "$word" text || { cat text; exit 1; }
    done
    if grep -q $'\e' text || LC_ALL=C.UTF-8 grep -E '.{81}' text; then
        cat text
        exit 1
    fi
fi
"$FASTGPU" demo latency --device "${devices[-1]}" "${small[@]}" --seconds 1 --json >json
python3 - json "${devices[-1]}" <<'PYTHON'
import json
import sys

result = json.load(open(sys.argv[1]))
assert result["demo"] == "latency" and result["device"] == sys.argv[2], result
assert result["way"] in ("guard", "slices") and result["results_right"] is True, result
for half in ("off", "on"):
    assert result[half]["requests"] > 10 and result[half]["batch_launches"] >= 3, result
    assert 0 < result[half]["p50_ms"] <= result[half]["p99_ms"], result
    assert result[half]["batch_groups_per_second"] > 0, result
assert result["batch_ratio"] > 0, result
PYTHON

# On a terminal it is drawn over itself, in its width, with colours unless they are not wanted, and
# ends soon after Ctrl-C.
cat >terminal.py <<'PYTHON'
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios

rows, columns, color = (int(word) for word in sys.argv[1:4])
stop = True
process, terminal = pty.fork()
if process == 0:
    os.environ.update(TERM="xterm", NO_COLOR="" if color else "1", LC_ALL="C.UTF-8")
    select.select([], [], [], 0.2)  # until it has its size
    os.execv(sys.argv[4], sys.argv[4:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
text = ""
while True:
    if not select.select([terminal], [], [], 60)[0]:
        os.kill(process, signal.SIGKILL)
        raise SystemExit("it hangs:\n" + text)
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    text += data.decode(errors="replace")
    if stop and text.count("\x1b[J") == 2:  # drawn twice
        os.kill(process, signal.SIGINT)
        stop = False
status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
drawn = text.count("\x1b[J")
assert drawn >= 2, (drawn, text)
assert re.search(r"\x1b\[\d+A", text), "it is not drawn over itself"
assert ("\x1b[3" in text) == bool(color), text
lines = [line for line in text.split("\r\n") if line.endswith("\x1b[K")]  # of the charts
for line in lines:
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line.split("\r")[-1])
    assert len(plain) <= columns, (columns, plain)
assert len(lines) > 8 * drawn, (drawn, lines)
assert status == 130 and "stopped before everything was shown" in text, (status, text)
PYTHON
run=("$FASTGPU" demo latency --device cpu "${small[@]}")
python3 terminal.py 24 60 1 "${run[@]}" --seconds 30
python3 terminal.py 12 34 0 "${run[@]}" --seconds 30
echo "latency: all checks passed"
