#!/usr/bin/env bash
# Process CPU time of an empty task: FastGPU's cpu device against StarPU, both in turn in one run.
#
# usage: bench/compare/starpu.sh [ROUNDS]     (default: 5)
#
# In each round the two sides run the same graph with the same number of workers, one directly after
# the other, and who begins changes; each side gives the median of three repetitions after a cold
# one. Printed: medians over the rounds, and the median of the ratios within a round.
# FASTGPU names the command (default: build/release/fastgpu); FASTGPU_SHARED the folder that holds
# peerbench/ with the other side's program. Exit status 77 where something is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=${1:-5}
repeat=3
fastgpu=${FASTGPU:-build/release/fastgpu}
shared=${FASTGPU_SHARED:-../shared}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

missing() {
    echo "starpu.sh: skipped: $1" >&2
    exit 77
}

[[ -x $fastgpu ]] || missing "$fastgpu is not built; run make"
[[ -r $shared/peerbench/pb_starpu.c ]] || missing "no peerbench/pb_starpu.c in FASTGPU_SHARED"
pkg-config --exists starpu-1.3 || missing "no StarPU; on Debian: apt-get install libstarpu-dev"
command -v python3 >/dev/null || missing "no python3"

read -ra flags < <(pkg-config --cflags --libs starpu-1.3)
gcc -O2 -g -D_GNU_SOURCE -o "$work/pb_starpu" "$shared/peerbench/pb_starpu.c" "${flags[@]}"
export STARPU_HOME=$work STARPU_SILENT=1

# What one side needs for a task, in ns of CPU time of the whole process.
median() {
    sort -g | awk '{ value[NR] = $1 }
        END { print NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2 }'
}
run_starpu() { # name of the graph there, its count, workers
    "$work/pb_starpu" "$1" "$3" "$2" "$repeat" 2>"$work/errors" | cut -d, -f9 | median
}
run_fastgpu() { # shape, count, workers
    "$fastgpu" bench tasks --device cpu --shape "$1" --count "$2" --workers "$3" \
        --repeat "$repeat" --json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["ns_cpu_per_task"])'
}

compare() { # shape, its name there, count, workers
    local round a b
    : >"$work/a"
    : >"$work/b"
    for ((round = 0; round < rounds; round++)); do
        if ((round % 2)); then
            a=$(run_fastgpu "$1" "$3" "$4")
            b=$(run_starpu "$2" "$3" "$4")
        else
            b=$(run_starpu "$2" "$3" "$4")
            a=$(run_fastgpu "$1" "$3" "$4")
        fi
        echo "$a" >>"$work/a"
        echo "$b" >>"$work/b"
    done
    printf '%-12s %7d %7d %10.0f %10.0f %9.3f\n' "$1" "$3" "$4" "$(median <"$work/a")" \
        "$(median <"$work/b")" "$(paste "$work/a" "$work/b" | awk '{ print $1 / $2 }' | median)"
}

echo "CPU ns per empty task on the cpu device, medians of $rounds rounds; wanted: ratio <= 0.4"
printf '%-12s %7s %7s %10s %10s %9s\n' graph count workers fastgpu starpu ratio
for workers in 1 2; do
    compare independent indep1h 100000 "$workers"
    compare chain chain 100000 "$workers"
    compare wavefront wave 200 "$workers"
    compare cholesky chol 40 "$workers"
done
