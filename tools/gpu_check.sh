#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: build, run what a card has to confirm, measure, and print one row
# for the table of docs/gpu.md. Reads only; sets no clocks, power, persistence or compute mode.
#
# usage: tools/gpu_check.sh [--quick]      --quick: no benchmarks
# The output of each step is kept in build/gpu/. Exit status: 0 when all of it passed, 1 when not,
# 77 without a card.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=build/gpu
quick=${1-}
if [[ -n $quick && $quick != --quick ]]; then
    echo "usage: tools/gpu_check.sh [--quick]" >&2
    exit 2
fi
mkdir -p "$build"
if command -v ninja >/dev/null; then
    export CMAKE_GENERATOR=${CMAKE_GENERATOR-Ninja}
fi

echo "building (build/gpu/build.log)"
if ! { cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DFGPU_DEBUG_CHECKS=ON &&
    cmake --build "$build" -j "${JOBS:-2}"; } >"$build/build.log" 2>&1; then
    tail -n 20 "$build/build.log"
    exit 1
fi

status=0
# step NAME COMMAND...: its output goes to a file; prints how it ended and sets `result`.
step() {
    local name=$1 code=0
    shift
    "$@" >"$build/$name.log" 2>&1 || code=$?
    case $code in
    0) result=passed ;;
    77) result=skipped ;;
    *)
        result="FAILED ($code)"
        status=1
        ;;
    esac
    printf '%-28s %s (%s)\n' "$name" "$result" "$build/$name.log"
}

export XDG_CACHE_HOME=$PWD/$build/cache
mkdir -p "$XDG_CACHE_HOME"
step devices timeout 120 "$build/fastgpu" devices --devices cuda --json
if [[ $result != passed ]]; then
    tail -n 5 "$build/devices.log"
    echo "no CUDA device can be used here"
    exit 77
fi
export FASTGPU_TEST_ONLY=cuda:0
step conformance timeout 600 "$build/tests/conform/test_devices"
conformance=$result
unset FASTGPU_TEST_ONLY
step on_card timeout 600 "$build/tests/conform/test_cuda_card"
on_card=$result
card=$(sed -n 's/.*"name":[[:space:]]*"\(.*\)".*/\1/p' "$build/devices.log" | head -n 1)
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1)
cuda=$(sed -n 's/.*"driver":[[:space:]]*"\(.*\)".*/\1/p' "$build/devices.log" | head -n 1)
latency=- rate=- pinned=- pageable=-
if [[ $quick != --quick ]]; then
    step bench_cuda_device timeout 900 "$build/bench/micro/bench_cuda_device"
    log=$build/bench_cuda_device.log
    number='\([0-9.]*\)'
    latency=$(sed -n "s/^one kernel alone .*backend *$number us .*/\1 us/p" "$log")
    rate=$(sed -n "s/^a kernel in a stream.*rate $number\$/\1/p" "$log")
    pinned=$(sed -n "s/^copy .*by hand *$number GB.*pinned $number.*/\1 GB\/s x \2/p" "$log")
    pageable=$(sed -n "s/^copy .*pageable $number .*/\1/p" "$log")
    cat "$log"
fi
echo
printf '|'
printf ' %s |' date card driver conformance "on the card" "dispatch p50" "rate / raw stream" \
    "copy in, out, pinned / raw" "pageable / raw"
printf '\n|---|---|---|---|---|---|---|---|---|\n|'
printf ' %s |' "$(date -u +%Y-%m-%d)" "${card:-?}" "${driver:-?}, ${cuda:-?}" "$conformance" \
    "$on_card" "$latency" "$rate" "${pinned//$'\n'/, }" "${pageable//$'\n'/, }"
printf '\n'
exit "$status"
