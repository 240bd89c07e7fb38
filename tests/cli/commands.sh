#!/usr/bin/env bash
# Does the command answer as it should where no work is done? Help on every level, mistakes with the
# nearest word and exit code 2, output that cannot be written, and `fastgpu devices`.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"

# Help, three ways, on every level; each names its exit codes and every option that it takes.
levels=('' devices run optimize check kernel explain sim replay-alloc replay-cache heap demo
    'demo latency' bench 'bench tasks' 'bench launch' 'bench split' 'bench idle' 'bench mix'
    'bench tiles'
    'bench fair' 'bench deadline' 'bench preempt' machine 'machine show' 'machine synth'
    'machine import' 'machine capture')
for level in "${levels[@]}"; do
    read -ra words <<<"$level"
    for way in "${words[*]} --help" "${words[*]} -h" "help ${words[*]}"; do
        read -ra typed <<<"$way"
        expect 0 stdout "usage: fastgpu${level:+ $level}" "$FASTGPU" "${typed[@]}"
        grep -q 'Exit codes: 0 done; 1 ' stdout
        grep -q '130 stopped by Ctrl-C; 143 terminated' stdout
        grep -qE '^ +-h, --help +this text$' stdout
        if grep -E '.{81}' stdout; then
            echo "$way: these lines are longer than 80 columns"
            exit 1
        fi
    done
done

# The manual pages know every option that the help knows, and are free of mistakes.
pages=$top/docs/man
for level in "${levels[@]}"; do
    read -ra words <<<"$level"
    page=$pages/fastgpu${words[0]:+-${words[0]}}.1
    "$FASTGPU" "${words[@]}" --help >help
    while read -r option; do
        if ! grep -qE -- "$option\b" <(sed 's/\\-/-/g' "$page"); then
            echo "$page: nothing about $option"
            exit 1
        fi
    done < <(sed -nE 's/^ +(-[A-Za-z], )?(--[a-z-]+).*/\2/p' help)
    if command -v man >/dev/null; then
        LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l "$page" 2>warnings >formatted
        if [[ -s warnings || ! -s formatted ]]; then
            cat warnings
            exit 1
        fi
    fi
done

expect 0 stdout 'usage: fastgpu bench tasks' "$FASTGPU" bench help tasks
expect 0 stdout 'usage: fastgpu bench tasks' "$FASTGPU" bench tasks --count 3 --help
expect 0 stdout 'fastgpu 0.' "$FASTGPU" --version

# Mistakes: what was typed, and the nearest thing that exists.
expect 2 stderr 'usage: fastgpu COMMAND' "$FASTGPU"
expect 2 stderr 'usage: fastgpu bench COMMAND' "$FASTGPU" bench
expect 2 stderr 'devicse: no such command; the nearest is devices' "$FASTGPU" devicse
expect 2 stderr 'dev: no such command; the nearest is devices' "$FASTGPU" help dev
expect 0 stdout 'usage: fastgpu COMMAND' "$FASTGPU" help --help
expect 2 stderr 'xylophone: no such command; fastgpu --help lists them' "$FASTGPU" xylophone
expect 2 stderr '--halp: no such option; the nearest is --help' "$FASTGPU" --halp
expect 2 stderr '--versoin: no such option; the nearest is --version' "$FASTGPU" --versoin
expect 2 stderr 'tsaks: no such command; the nearest is tasks' "$FASTGPU" bench tsaks
expect 2 stderr '--cuont: no such option; the nearest is --count' "$FASTGPU" bench tasks --cuont=3
expect 2 stderr '--bogus: no such option; see fastgpu devices --help' "$FASTGPU" devices --bogus
expect 2 stderr '-x: no such option' "$FASTGPU" devices -x
expect 2 stderr 'more: no such argument' "$FASTGPU" devices more
expect 2 stderr '--devices: its value (PATTERN) is missing' "$FASTGPU" devices --devices
expect 2 stderr '--json takes no value' "$FASTGPU" devices --json=yes
for number in 0 -1 65 x 3x '' 99999999999999999999; do
    expect 2 stderr 'want a whole number from 1 to 64' "$FASTGPU" devices --subdevices "$number"
done
expect 2 stderr 'want one of independent, chain, wavefront, cholesky' \
    "$FASTGPU" bench tasks --shape square
expect 2 stderr 'choleski: want one of independent, chain, wavefront, cholesky; the nearest is' \
    "$FASTGPU" bench tasks --shape choleski
expect 2 stderr 'want one of null, cpu' "$FASTGPU" bench tasks --device=opencl
expect 2 stderr 'that is 4000000 buffers' "$FASTGPU" bench tasks --shape wavefront --count 2000
# An empty pattern is a mistake (a variable of a script that is not set), and so is a malformed one.
for command in devices demo 'bench launch' 'bench idle'; do
    read -ra words <<<"$command"
    option=--devices
    if [[ $command == 'bench launch' ]]; then option=--device; fi
    expect 2 stderr "$option: its value (PATTERN) is empty" "$FASTGPU" "${words[@]}" $option ''
done
expect 2 stderr 'an item of the list is empty' "$FASTGPU" devices --devices cpu,,cpu
expect 2 stderr 'an item of the list is empty' "$FASTGPU" bench idle --devices cpu,,cpu
expect 3 stderr 'the pool cannot be opened' "$FASTGPU" devices --devices no-such-device
expect 3 stderr 'the pool cannot be opened' "$FASTGPU" bench launch --device no-such-device

# Output that cannot be written is a failure, and said; closed descriptors are no place for files.
for words in --help --version 'bench tasks --help' 'devices --devices null --json'; do
    read -ra typed <<<"$words"
    code=0
    "$FASTGPU" "${typed[@]}" >/dev/full 2>stderr || code=$?
    if [[ $code != 1 ]] || ! grep -q 'the output cannot be written' stderr; then
        echo "$words into a full device: exit code $code"
        exit 1
    fi
done
code=0
"$FASTGPU" --help >&- 2>stderr || code=$?
if [[ $code != 1 ]] || ! grep -q 'the output cannot be written' stderr; then
    echo "--help with stdout closed: exit code $code"
    exit 1
fi
if ! "$FASTGPU" --help <&- 2>&- | grep -q usage; then
    echo "--help with stdin and stderr closed"
    exit 1
fi

# Without an OpenCL library the rest is listed, with the reason; who asks for a pattern is not told.
code=0
FASTGPU_OPENCL_LIBRARY=$work/none.so "$FASTGPU" devices >stdout 2>stderr || code=$?
if [[ $code != 0 ]] || ! grep -q '^cpu ' stdout ||
    ! grep -q "no OpenCL device is used: .*none.so cannot be opened" stderr; then
    echo "devices without an OpenCL library: exit code $code"
    cat stdout stderr
    exit 1
fi

# NVIDIA cards, of the tests' own driver: listed with what they tell, and why not where not.
if [[ -n ${FAKECUDA_LIB-} ]]; then
    export FASTGPU_CUDA_LIBRARY=$FAKECUDA_LIB FASTGPU_NVRTC_LIBRARY=$FAKECUDA_LIB
    export FASTGPU_NVML_LIBRARY=$FAKECUDA_LIB
    expect 0 stdout "Fake GPU 1" "$FASTGPU" devices --devices cuda
    expect 0 stdout "37.0 %  123.5 W       41.0 C" "$FASTGPU" devices --devices cuda:0
    FAKECUDA_SET=version=11080 \
        expect 3 stderr "CUDA 11.8, 12.0 is needed" "$FASTGPU" devices --devices cuda
    FAKECUDA_SET=retain_error=46 \
        expect 1 stderr "another process has it for itself" "$FASTGPU" devices --devices cuda
    unset FASTGPU_CUDA_LIBRARY FASTGPU_NVRTC_LIBRARY FASTGPU_NVML_LIBRARY
fi

# Devices: the table says unknown, JSON says null, and neither says zero for it.
expect 0 stdout unknown "$FASTGPU" devices --devices null,cpu
grep -qE '^cpu +shared, [0-9.]+ GB/s +[0-9.]+ us ' stdout
grep -qE '^null#0 +unknown +[0-9.]+ us +unknown +unknown +unknown ' stdout
# Who shares cores with nobody in the list is in a group of its own; the host has group 0.
grep -qE '^null#0 .* own$' stdout
# Where work can be stopped.
grep -qE '^cpu .* groups +working$' stdout
grep -qE '^null#0 .* launches +working$' stdout
grep -qE '^cpu .* 0$' stdout
expect 0 stdout '"devices"' "$FASTGPU" devices --devices null,cpu --json
python3 - stdout <<'PYTHON'
import json
import sys

devices = {device["id"]: device for device in json.load(open(sys.argv[1]))["devices"]}
assert set(devices) == {"null#0", "cpu"}, devices
null, cpu = devices["null#0"], devices["cpu"]
assert null["type"] == "null" and cpu["type"] == "cpu"
for name in ("compute_units", "copy_bytes_per_s", "utilisation", "power_watt",
             "temperature_celsius"):
    assert null[name] is None, (name, null[name])
assert null["launch_p50_ns"] > 0 and cpu["launch_p50_ns"] > 0
assert cpu["copy_shared"] is True and cpu["copy_bytes_per_s"] > 1e7
assert cpu["memory_node"] == 0 and cpu["memory_bytes"] > 1 << 20
assert cpu["live_flag"] is True and null["live_flag"] is False
assert cpu["compute_units"] >= 1 and cpu["resource_group"] == 0
for device in devices.values():
    for name, value in device.items():
        if name in ("power_watt", "temperature_celsius", "clock_mhz", "driver"):
            assert value != 0 and value != "", (name, value)
PYTHON
echo "commands: all checks passed"
