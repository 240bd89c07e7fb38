#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: build, run what a card has to confirm, measure each figure beside
# its peer, and print one table for docs/gpu.md. What fails is printed and does not stop the rest.
# Reads only; sets no clocks, power, persistence or compute mode.
#
# usage: tools/gpu_check.sh [--quick]      --quick: no benchmarks
# The output of each step is kept in build/gpu/ (FASTGPU_GPU_CHECK_BUILD names another folder). Exit
# status: 0 when all tests passed and all figures were measured, 1 when not, 77 without a card.
# Whether a figure is as wanted does not change it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=${FASTGPU_GPU_CHECK_BUILD-build/gpu}
quick=${1-}
if [[ -n $quick && $quick != --quick ]]; then
    echo "usage: tools/gpu_check.sh [--quick]" >&2
    exit 2
fi
mkdir -p "$build"
build=$(cd "$build" && pwd)
if command -v ninja >/dev/null; then
    export CMAKE_GENERATOR=${CMAKE_GENERATOR-Ninja}
fi
targets=(fastgpu test_devices test_cuda_card test_cuda_guard test_pool_preempt test_random_graphs
    bench_cuda_device bench_cuda_pool)
echo "building ($build/build.log)"
if ! { cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DFGPU_DEBUG_CHECKS=ON &&
    cmake --build "$build" -j "${JOBS:-2}" --target "${targets[@]}"; } \
    >"$build/build.log" 2>&1; then
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
    124)
        result="FAILED (it took too long)"
        status=1
        ;;
    *)
        result="FAILED ($code)"
        status=1
        ;;
    esac
    printf '%-24s %s\n' "$name" "$result"
    if [[ $result == FAILED* ]]; then
        tail -n 3 "$build/$name.log" | sed 's/^/    /'
    fi
}

rows=()
# row NAME OURS PEER RATIO WANTED: a line of the table.
row() {
    rows+=("$(printf '| %s | %s | %s | %s | %s |' "$@")")
}

# figures NAME WANTED COMMAND...: rows from its lines "figure NAME: pool A, by hand B, ratio R".
figures() {
    local name=$1 wanted=$2 line ours peer ratio
    shift 2
    step "$name" "$@"
    if [[ $result != passed ]]; then
        row "$name" "$result" - - "$wanted"
        return
    fi
    while IFS= read -r line; do
        ours=${line#*: pool }
        peer=${line#*, by hand }
        ratio=${line##*ratio }
        line=${line%%: pool *}
        row "${line#figure }" "${ours%%,*}" "${peer%%,*}" "$ratio" "$wanted"
    done < <(grep '^figure ' "$build/$name.log")
}

export XDG_CACHE_HOME=$build/cache
mkdir -p "$XDG_CACHE_HOME"
fastgpu=$build/fastgpu
step devices timeout 120 "$fastgpu" devices --devices cuda --json
if [[ $result != passed ]]; then
    echo "no CUDA device can be used here"
    exit 77
fi
tests=$build/tests
FASTGPU_TEST_ONLY=${FASTGPU_GPU_CHECK_ONLY-cuda:0} \
    step conformance timeout 600 "$tests/conform/test_devices"
row "conformance" "$result" - - passed
step on_card timeout 600 "$tests/conform/test_cuda_card"
row "errors of the card" "$result" - - passed
FASTGPU_TEST_CARD=1 FASTGPU_TEST_SEEDS=20 step guard timeout 600 "$tests/conform/test_cuda_guard"
row "slices and guards" "$result" - - passed
FASTGPU_TEST_CARD=1 step preemption timeout 600 "$tests/conform/test_pool_preempt"
row "preemption in the pool" "$result" - - passed
FASTGPU_TEST_SEEDS=50 step graphs timeout 600 "$tests/prop/test_random_graphs" cuda
row "random graphs" "$result" - - passed

# The table of `fastgpu bench preempt`: "alone", "whole launches", "slices", "guard" with p50, p90,
# p99, stops and batch work.
preempt_rows() {
    local way
    for way in alone "whole launches" slices guard; do
        # shellcheck disable=SC2046 # words of the line
        set -- $(grep "^$way  *[0-9]" "$build/bench_preempt.log" | head -n 1 | sed "s/^$way//")
        row "request waits, $way" "p50 ${1--} ms, p99 ${3--} ms" - "batch ${5--}" \
            "p99 <= 1.05 x alone, batch >= 0.88 (guard)"
    done
}

if [[ $quick != --quick ]]; then
    micro=$build/bench/micro
    figures bench_launch "p50 <= 5 us" timeout 300 "$micro/bench_cuda_pool" launch
    figures bench_rate ">= 0.9" timeout 300 "$micro/bench_cuda_pool" rate
    figures bench_graph "<= 1.1" timeout 300 "$micro/bench_cuda_pool" graph
    figures bench_copy ">= 0.97" timeout 300 "$micro/bench_cuda_pool" copy
    figures bench_scatter ">= 10" timeout 300 "$micro/bench_cuda_pool" scatter
    figures bench_alloc "<= 0.5 us, <= 0.2" timeout 300 "$micro/bench_cuda_pool" alloc
    figures bench_cuda_device "launch <= 5 us; rate >= 0.9; pinned >= 0.97; pageable >= 0.85" \
        timeout 900 "$micro/bench_cuda_device"
    step bench_preempt timeout 300 "$fastgpu" bench preempt -d cuda:0 -r 3
    preempt_rows
    if "$fastgpu" bench transfer --help >/dev/null 2>&1; then
        step bench_transfer timeout 600 "$fastgpu" bench transfer -d cuda:0
        row "transfers, overlap" "$result, see bench_transfer.log" - - "overlap <= 1.05"
    else
        row "three-stage overlap" "no benchmark yet" - - "<= 1.05"
    fi
    step bench_mix timeout 600 "$fastgpu" bench mix -d cuda:0 -r 5
    against=$(grep -m 1 '^against one by one' "$build/bench_mix.log")
    row "fifty tasks" "${against:-$result}" - - ">= 1.5 x one by one"
    step bench_tiles timeout 600 "$fastgpu" bench tiles -d cuda:0 --subdevices 1 --slow 1 \
        --shape cholesky -t 24 -r 3
    over=$(grep -o -m 1 'time over lower bound [0-9.]*' "$build/bench_tiles.log")
    row "Cholesky, card alone" "${over:-$result}" - - "<= 1.10 (cores and card: no benchmark yet)"
    row "memory capped at 16 GiB" "no benchmark yet" - - ">= 0.90 of the uncapped speed"
fi

card=$(sed -n 's/.*"name":[[:space:]]*"\(.*\)".*/\1/p' "$build/devices.log" | head -n 1)
cuda=$(sed -n 's/.*"driver":[[:space:]]*"\(.*\)".*/\1/p' "$build/devices.log" | head -n 1)
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1)
echo
printf '### %s, %s, driver %s (%s), %s\n\n' "$(date -u +%Y-%m-%d)" "${card:-?}" "${driver:-?}" \
    "${cuda:-?}" "$(git describe --always --dirty 2>/dev/null || echo "no revision")"
echo '| figure | FastGPU | by hand | ratio | wanted |'
echo '|---|---|---|---|---|'
printf '%s\n' "${rows[@]}"
exit "$status"
