#!/usr/bin/env bash
# What only an NVIDIA card can confirm: runs tests and benchmarks on it and prints one table for
# docs/gpu.md, a row as soon as it is known. What fails is told of and does not stop the rest.
# Reads only; sets no clocks, power, persistence or compute mode.
#
# usage: tools/gpu_check.sh [OPTION...]                build, pack, run: on a machine with a card
#        tools/gpu_check.sh --pack DIR [--nvrtc LIB]   build and pack only: on any machine
#        DIR/gpu_check.sh --packed DIR [OPTION...]     run what was packed: nothing is built
#   --nvrtc LIB      a folder with NVRTC (libnvrtc.so.13 or .12 and its builtins) to pack too
#   --output DIR     where table.md and logs.tar.gz go (output/ beside what was packed)
#   --budget SECONDS nothing begins after so many seconds, and nothing goes on (540)
#   --steps A,B,...  these steps only, in this order; --list prints their names
#   --quick          no benchmarks
# Exit status: 0 when all tests passed and all figures were measured, 1 when not, 77 without a card.
# Whether a figure is as wanted does not change it.
set -uo pipefail

usage() {
    sed -n '/^# usage/,/^# Exit/s/^# \{0,1\}//p' "$0" | sed '$d'
    exit "$1"
}

# The steps: name, limit in seconds, what it says. The most telling first; what leaves a card in
# the worst state last.
steps='devices 60 the card opens
conformance 90 the conformance suite
bench_device 60 kernels and copies of the backend beside raw ones
bench_launch 30 one kernel through the pool
bench_rate 30 kernels a second
bench_copy 40 copies
language 90 OpenCL C, translated
preemption 60 preemption in the pool
bench_preempt 60 requests beside batch work
bench_graph 30 recorded graphs
bench_scatter 30 scattered pieces
bench_alloc 30 allocation
guard 60 slices and guards
graphs 60 random graphs
filters 60 the demonstration, every sample compared
nvrtc 60 what NVRTC takes
bench_mix 60 fifty tasks
bench_tiles 60 a Cholesky factorisation
bench_transfer 60 transfers
on_card 90 kernels that break or never end'

mode=build folder='' nvrtc='' output='' budget=540 chosen='' quick=''
while (($# > 0)); do
    case $1 in
    --pack | --packed | --nvrtc | --output | --budget | --steps)
        [[ -n ${2-} ]] || usage 2 >&2
        case $1 in
        --nvrtc) nvrtc=$2 ;;
        --output) output=$2 ;;
        --budget) budget=$2 ;;
        --steps) chosen=${2//,/ } ;;
        *)
            mode=${1#--}
            folder=$2
            ;;
        esac
        shift
        ;;
    --quick) quick=yes ;;
    --list)
        printf '%s\n' "$steps"
        exit 0
        ;;
    --help) usage 0 ;;
    *) usage 2 >&2 ;;
    esac
    shift
done
[[ $budget =~ ^[0-9]+$ ]] || usage 2 >&2
for name in $chosen; do
    if ! grep -q "^$name " <<<"$steps"; then
        echo "gpu_check.sh: no step $name; see --list" >&2
        exit 2
    fi
done
chosen=${chosen:-$(cut -d ' ' -f 1 <<<"$steps")}

# ---- build and pack ------------------------------------------------------------------------------

# quietly LOG COMMAND...: its output is shown where it fails.
quietly() {
    local log=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        echo "gpu_check.sh: failed: $*" >&2
        tail -n 20 "$log" >&2
        exit 1
    fi
}

# Tests check the engine's invariants; what is measured is what users get.
build_all() {
    local jobs=${JOBS:-$(nproc)}
    if command -v ninja >/dev/null; then
        export CMAKE_GENERATOR=${CMAKE_GENERATOR-Ninja}
    fi
    echo "building in $build"
    quietly "$build/checks.log" cmake -S . -B "$build/checks" -DCMAKE_BUILD_TYPE=Release \
        -DFGPU_DEBUG_CHECKS=ON
    quietly "$build/checks.log" cmake --build "$build/checks" -j "$jobs" --target fakecuda \
        conform_devices conform_cuda_card conform_cuda_guard conform_cuda_language \
        conform_cuda_nvrtc conform_pool_filters conform_pool_preempt prop_random_graphs
    quietly "$build/release.log" cmake --preset release -B "$build/release"
    quietly "$build/release.log" cmake --build "$build/release" -j "$jobs" --target fastgpu_cli \
        bench_micro_bench_cuda_device bench_micro_bench_cuda_pool
}

# The shared libraries of the programs, but for those of libc and the driver, which belong together
# with the machine.
pack_libraries() {
    local path
    ldd "$pack"/bin/* | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' | sort -u | while IFS= read -r path; do
        case ${path##*/} in
        ld-linux* | libc.so* | libm.so* | libpthread.so* | libdl.so* | librt.so*) ;;
        libcuda* | libnvidia*) ;;
        *) cp -L "$path" "$pack/lib/" ;;
        esac
    done
}

# Kernels that the fake driver has built, so that the card can be compared with it where there is
# no clang: a run of the test with the fake driver in the place of the card.
pack_expected() {
    echo "computing what translated kernels are compared with"
    cp "$build/checks/libfakecuda.so" "$build/standin.so"
    if "${language[@]}" FASTGPU_CUDA_LIBRARY="$build/standin.so" "$pack/bin/test_cuda_language" \
        >"$build/expected.log" 2>&1; then
        touch "$pack/cache/complete"
    else
        echo "gpu_check.sh: translated kernels will need clang there ($build/expected.log)" >&2
    fi
}

pack_nvrtc() {
    local library found=()
    for library in "$nvrtc"/libnvrtc.so.1[23] "$nvrtc"/libnvrtc-builtins.so.1[23].*; do
        [[ -e $library && $library != *.alt.* ]] && found+=("${library##*/}")
    done
    if ((${#found[@]} < 2)); then
        echo "gpu_check.sh: no NVRTC in $nvrtc" >&2
        exit 1
    fi
    echo "packing ${found[*]}"
    # One version's files: what is a link elsewhere is a file here.
    tar -chzf "$pack/nvrtc.tar.gz" -C "$nvrtc" "${found[@]}"
}

pack_all() {
    rm -rf "${pack:?}"/{bin,lib,source,cache,nvrtc.tar.gz}
    mkdir -p "$pack"/{bin,lib,cache}
    cp "$build/release/fastgpu" "$build"/release/bench/micro/bench_cuda_{device,pool} "$pack/bin/"
    cp "$build"/checks/tests/conform/test_{devices,cuda_card,cuda_guard,cuda_language} \
        "$build"/checks/tests/conform/test_{cuda_nvrtc,pool_filters,pool_preempt} \
        "$build/checks/tests/prop/test_random_graphs" "$pack/bin/"
    pack_libraries
    cp "$build/checks/libfakecuda.so" "$pack/lib/"
    strip "$pack"/bin/* "$pack"/lib/*
    for name in tests/data/kernels cli/filters/kernels examples/workloads/kernels; do
        mkdir -p "$pack/source/$name"
        cp "$name"/*.cl "$pack/source/$name/"
    done
    cp tools/gpu_check.sh "$pack/"
    git describe --always --dirty >"$pack/revision" 2>/dev/null || echo "no revision" \
        >"$pack/revision"
    pack_expected
    if [[ -n $nvrtc ]]; then
        pack_nvrtc
    fi
    echo "packed: $pack, $(du -sm "$pack" | cut -f 1) MiB"
}

if [[ $mode == packed ]]; then
    if [[ ! -f $folder/gpu_check.sh ]]; then
        echo "gpu_check: --packed $folder: that is no folder made by --pack" >&2
        exit 2
    fi
    pack=$(cd "$folder" && pwd)
else
    [[ -n $folder ]] && mkdir -p "$folder" && folder=$(cd "$folder" && pwd)
    nvrtc=${nvrtc:+$(cd "$nvrtc" && pwd)}
    output=${output:+$(mkdir -p "$output" && cd "$output" && pwd)}
    cd "$(dirname "$0")/.." || exit 1
    build=${FASTGPU_GPU_CHECK_BUILD-build/gpu}
    mkdir -p "$build"
    build=$(cd "$build" && pwd)
    pack=${folder:-$build/pack}
fi
# The test of translated kernels, the same when packing and on the card.
language=(env FASTGPU_TEST_CARD=1 FASTGPU_TEST_SEEDS=5 "FASTGPU_SOURCE_DIR=$pack/source"
    "FAKECUDA_LIB=$pack/lib/libfakecuda.so" "FAKECL_CACHE=$pack/cache")
if [[ $mode != packed ]]; then
    build_all
    pack_all
    [[ $mode == pack ]] && exit 0
fi
SECONDS=0 # the budget is for the card

# ---- running -------------------------------------------------------------------------------------

work=$(mktemp -d) || exit 1
mkdir -p "$work/logs" "$work/cache" "$work/nvrtc" "${output:=$pack/output}" || exit 1
output=$(cd "$output" && pwd)
table=$output/table.md
running=
trap 'rm -rf "$work"' EXIT
trap '[[ -z $running ]] || kill "$running" 2>/dev/null; exit 143' TERM INT

# Where NVRTC is: the packed one, else in the usual folders outside of the loader's path.
find_nvrtc() {
    local place
    if [[ -e $pack/nvrtc.tar.gz ]] && tar -xzf "$pack/nvrtc.tar.gz" -C "$work/nvrtc"; then
        echo "$work/nvrtc"
        return
    fi
    for place in /usr/local/cuda*/lib64 /usr/local/cuda*/lib /usr/local/cuda*/targets/*/lib \
        /usr/lib/python3*/*-packages/nvidia/*/lib \
        /usr/local/lib/python3*/*-packages/nvidia/*/lib; do
        if compgen -G "$place/libnvrtc.so.1[23]*" >/dev/null; then
            echo "$place"
            return
        fi
    done
}
nvrtc_place=$(find_nvrtc)
echo "NVRTC: ${nvrtc_place:-where the loader finds it, if it is there}"
export LD_LIBRARY_PATH=$pack/lib${nvrtc_place:+:$nvrtc_place}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export XDG_CACHE_HOME=$work/cache FASTGPU_CHECK=1

tell() {
    printf '%s\n' "$1" | tee -a "$table"
}

# limited SECONDS COMMAND...: as timeout, and gives up (125) on what survives its own killing.
limited() {
    local limit=$1 end=$((SECONDS + $1 + 8)) code=0
    shift
    timeout -k 3 "$limit" "$@" &
    running=$!
    while kill -0 "$running" 2>/dev/null; do
        ((SECONDS > end)) && return 125
        sleep 0.1
    done
    wait "$running" || code=$?
    running=
    return "$code"
}

status=0
# step NAME COMMAND...: its output goes to a log; sets `result`.
step() {
    local name=$1 code=0 limit left=$((budget - SECONDS - 4))
    shift
    limit=$(sed -n "s/^$name \([0-9]*\) .*/\1/p" <<<"$steps")
    if ((left < 5)); then
        result="not run, time is up"
        status=1
        return
    fi
    limited $((left < limit ? left : limit)) "$@" >"$work/logs/$name.log" 2>&1 || code=$?
    case $code in
    0) result=passed ;;
    77) result="skipped: $(grep -m 1 -o 'skipped: .*' "$work/logs/$name.log" | cut -c 10-130)" ;;
    124 | 137) result="FAILED (took too long)" ;;
    125) result="FAILED (cannot be killed)" ;;
    *) result="FAILED ($code)" ;;
    esac
    [[ $result == passed ]] || status=1
    if [[ $result == FAILED* ]]; then
        tail -n 5 "$work/logs/$name.log" | sed 's/^/    /' >&2
    fi
    tar -czf "$output/logs.tar.gz" -C "$work" logs
}

# row FIGURE OURS PEER RATIO WANTED: a line of the table.
row() {
    tell "$(printf '| %s | %s | %s | %s | %s |' "${@//|//}")"
}

# check NAME LABEL COMMAND...: a row that says whether it passed.
check() {
    local name=$1 label=$2
    shift 2
    step "$name" "$@"
    # A test that found nothing to run has confirmed nothing.
    if [[ $result == passed ]] && ! grep -q '^\[ *OK \]' "$work/logs/$name.log"; then
        result="FAILED (it ran nothing)"
        status=1
    fi
    row "$label" "$result" - - passed
}

# figures NAME WANTED COMMAND...: rows from its lines "figure NAME: pool A, by hand B, ratio R".
figures() {
    local name=$1 wanted=$2 line ours peer ratio
    shift 2
    step "$name" "$@"
    # What was measured before a failure counts.
    while IFS= read -r line; do
        ours=${line#*: pool }
        peer=${line#*, by hand }
        ratio=${line##*ratio }
        line=${line%%: pool *}
        row "${line#figure }" "${ours%%,*}" "${peer%%,*}" "$ratio" "$wanted"
    done < <(grep -s '^figure ' "$work/logs/$name.log")
    if [[ $result != passed ]]; then
        row "$name" "$result" - - "$wanted"
    fi
}

# The table of `fastgpu bench preempt`: "alone", "whole launches", "slices", "guard" with p50, p90,
# p99, stops and batch work.
preempt_rows() {
    local way
    for way in alone "whole launches" slices guard; do
        grep -q -s "^$way  *[0-9]" "$work/logs/bench_preempt.log" || continue
        # shellcheck disable=SC2046 # words of the line
        set -- $(grep -s "^$way  *[0-9]" "$work/logs/bench_preempt.log" | head -n 1 |
            sed "s/^$way//")
        row "request waits, $way" "p50 ${1--} ms, p99 ${3--} ms" - "batch ${5--}" \
            "p99 <= 1.05 x alone, batch >= 0.88 (guard)"
    done
    [[ $result == passed ]] || row "bench_preempt" "$result" - - -
}

# taken NAME LABEL WANTED PATTERN COMMAND...: a row of what the pattern finds in the output.
taken() {
    local name=$1 label=$2 wanted=$3 pattern=$4 found
    shift 4
    step "$name" "$@"
    found=$(grep -s -o -m 1 "$pattern" "$work/logs/$name.log" | head -n 1)
    [[ $result == passed ]] && result=${found:-see its log}
    row "$label" "$result" - - "$wanted"
}

# Can the fake driver compute what a card is compared with? Else the reason.
expected_why() {
    if [[ ! -e $pack/cache/complete ]] && ! command -v clang >/dev/null; then
        echo "skipped: nothing to compare with (pack where clang is)"
    fi
}

heading() {
    local card cuda driver
    card=$(sed -n 's/.*"name":[[:space:]]*"\(.*\)".*/\1/p' "$work/logs/devices.log" | head -n 1)
    cuda=$(sed -n 's/.*"driver":[[:space:]]*"\(.*\)".*/\1/p' "$work/logs/devices.log" | head -n 1)
    driver=$(timeout 10 nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null |
        head -n 1)
    tell "### $(date -u +%Y-%m-%d), ${card:-no card}, driver ${driver:-?} (${cuda:-?}), $(
        cat "$pack/revision"
    )"
    tell ''
    tell '| figure | FastGPU | by hand | ratio | wanted |'
    tell '|---|---|---|---|---|'
}

run_step() {
    local bin=$pack/bin pool=$pack/bin/bench_cuda_pool why
    case $1 in
    conformance)
        FASTGPU_TEST_ONLY=${FASTGPU_GPU_CHECK_ONLY-cuda:0} \
            check conformance "conformance" "$bin/test_devices"
        ;;
    bench_device)
        figures bench_device "launch <= 5 us; rate >= 0.9; pinned >= 0.97; pageable >= 0.85" \
            "$bin/bench_cuda_device"
        ;;
    bench_launch) figures bench_launch "p50 <= 5 us" "$pool" launch ;;
    bench_rate) figures bench_rate ">= 0.9" "$pool" rate ;;
    bench_copy) figures bench_copy ">= 0.97" "$pool" copy ;;
    bench_graph) figures bench_graph "<= 1.1" "$pool" graph ;;
    bench_scatter) figures bench_scatter ">= 10" "$pool" scatter ;;
    bench_alloc) figures bench_alloc "<= 0.5 us, <= 0.2" "$pool" alloc ;;
    language)
        why=$(expected_why)
        if [[ -n $why ]]; then
            row "OpenCL C, translated" "$why" - - passed
            status=1
        else
            check language "OpenCL C, translated" "${language[@]}" "$bin/test_cuda_language"
        fi
        ;;
    preemption)
        FASTGPU_TEST_CARD=1 check preemption "preemption in the pool" "$bin/test_pool_preempt"
        ;;
    bench_preempt)
        step bench_preempt "$bin/fastgpu" bench preempt -d cuda:0 -r 3
        preempt_rows
        ;;
    guard)
        FASTGPU_TEST_CARD=1 FASTGPU_TEST_SEEDS=20 \
            check guard "slices and guards" "$bin/test_cuda_guard"
        ;;
    graphs)
        FASTGPU_TEST_CARD=1 FASTGPU_TEST_SEEDS=20 \
            check graphs "random graphs" "$bin/test_random_graphs" cuda
        ;;
    filters)
        FASTGPU_TEST_CARD=1 check filters "demonstration, every sample" "$bin/test_pool_filters"
        ;;
    nvrtc)
        FASTGPU_SOURCE_DIR=$pack/source \
            check nvrtc "translated kernels in NVRTC" "$bin/test_cuda_nvrtc"
        ;;
    bench_mix)
        taken bench_mix "fifty tasks" ">= 1.5 x one by one" 'against one by one.*' \
            "$bin/fastgpu" bench mix -d cuda:0 -r 5
        ;;
    bench_tiles)
        taken bench_tiles "Cholesky, card alone" "<= 1.10 (cores and card: no benchmark yet)" \
            'time over lower bound [0-9.]*' "$bin/fastgpu" bench tiles -d cuda:0 --subdevices 1 \
            --slow 1 --shape cholesky -t 24 -r 3
        ;;
    bench_transfer)
        taken bench_transfer "transfers, overlap" "overlap <= 1.05" 'overlap.*' \
            "$bin/fastgpu" bench transfer -d cuda:0
        ;;
    on_card) check on_card "errors of the card" "$bin/test_cuda_card" ;;
    esac
}

: >"$table"
step devices "$pack/bin/fastgpu" devices --devices cuda --json
heading
row "the card opens" "$result" - - passed
if [[ $result != passed ]]; then
    tail -n 5 "$work/logs/devices.log"
    echo "no CUDA device can be used here"
    exit 77
fi
for name in $chosen; do
    if [[ $name == devices || ($quick == yes && $name == bench_*) ]]; then
        continue
    fi
    run_step "$name"
done
echo "$output/table.md, $output/logs.tar.gz"
exit "$status"
