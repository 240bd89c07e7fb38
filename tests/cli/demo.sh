#!/usr/bin/env bash
# Does `fastgpu demo` work as its help says? Pictures, table, JSON, exit codes, Ctrl-C, bad input.
# What the pictures hold is compared with a reference in tests/conform/test_pool_filters.c.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"

expect 0 stdout 'usage: fastgpu demo' "$FASTGPU" demo --help
expect 2 stderr '--bogus: no such option' "$FASTGPU" demo --bogus
expect 2 stderr '--output: its value (DIR) is missing' "$FASTGPU" demo --output
expect 2 stderr '--tiles 0: want a whole number from 1 to 4096' "$FASTGPU" demo --tiles 0
expect 2 stderr '--rounds 100: want a whole number from 0 to 99' "$FASTGPU" demo --rounds 100
expect 4 stderr 'missing.png: cannot be opened' "$FASTGPU" demo missing.png

expect 2 stderr 'PHOTO 2: its name is empty' "$FASTGPU" demo missing.png ''
expect 2 stderr '--output: its value (DIR) is empty' "$FASTGPU" demo --output ''
# No orders to the terminal.
expect 4 stderr 'x?[31m.png: cannot be opened' "$FASTGPU" demo $'x\e[31m.png'

# Ctrl-C after so many seconds; timeout(1) sends it to the process and again to its group.
interrupt() {
    timeout --preserve-status --signal INT "$@"
}

# Photographs are read more than once: a pipe would be empty then.
mkfifo pipe
expect 4 stderr 'fastgpu demo: pipe: is no plain file' "$FASTGPU" demo pipe

photos=(/usr/lib/python3/dist-packages/sklearn/datasets/images/{china,flower}.jpg)
if [[ ! -r ${photos[0]} || ! -r ${photos[1]} ]]; then
    expect 4 stderr 'apt-get install --no-install-recommends python3-sklearn' "$FASTGPU" demo
    echo "skipped: the photographs are not installed"
    exit 77
fi

expect 3 stderr 'no-such-device' "$FASTGPU" demo --devices no-such-device
expect 2 stderr 'an item of the list is empty' "$FASTGPU" demo --devices cpu,,cpu
head -c 5000 "${photos[0]}" >cut.jpg
expect 4 stderr 'cut.jpg: the JPEG file ends too early' "$FASTGPU" demo "${photos[1]}" cut.jpg
: >file
expect 1 stderr 'file: is not a folder' "$FASTGPU" demo --output file

results=(grey blur soft sobel median emboss sepia sharpen equalised half quarter eighth sixteenth)
expect 0 stdout '26 of 26 outputs written to a/b' "$FASTGPU" demo --rounds 2 --output a/b \
    --report report.html --trace trace.json --log info --log-file log.txt
for section in Assess Schedule Memory Balance Evaluate; do
    grep -q "^$section" stdout || { echo "no section $section:"; cat stdout; exit 1; }
done
grep -q 'one by one on' stdout
grep -q 'one queue on' stdout
grep -q 'info: pool: pool [0-9]* is open' log.txt
[[ $(head -c 15 report.html) == '<!doctype html>' ]]
python3 -c 'import json; json.load(open("trace.json"))'
for photo in china flower; do
    for result in "${results[@]}"; do
        [[ $(head -c 8 "a/b/$photo-$result.png" | od -An -tx1 | tr -d ' ') == 89504e470d0a1a0a ]]
    done
done
[[ $(find a/b -type f | wc -l) == 26 ]]
tasks=$(grep -oE '[0-9]+ tasks' stdout | head -1 | cut -d' ' -f1)
((tasks >= 200))

# Every way of running the work gave the same pictures.
"$FASTGPU" demo --json --rounds 1 --output c "${photos[0]}" "${photos[0]}" >json 2>errors
python3 -c 'import json
said = json.load(open("json"))
assert said["schedule"]["done"] == said["schedule"]["tasks"] >= 200, said
assert all(side["outputs_equal"] for side in said["evaluate"]["baselines"]), said
assert said["outputs_written"] == 26 and said["interrupted"] is False, said'
cmp c/china-blur.png c/china-2-blur.png
cmp a/b/china-blur.png c/china-blur.png

# A name that is no UTF-8 spoils no JSON.
cp "${photos[0]}" $'odd\xff.jpg'
"$FASTGPU" demo --json --rounds 0 --devices cpu --output d $'odd\xff.jpg' >json
python3 -c 'import json; json.load(open("json", encoding="utf-8"))'
cmp $'d/odd\xff-grey.png' a/b/china-grey.png

# As many bands as are asked for, and none empty where a picture has few rows.
expect 0 stdout '; 32 tasks of 13 kernels' \
    "$FASTGPU" demo --tiles 1 --rounds 0 --devices cpu --output c
expect 0 stdout '13 of 13 outputs written' "$FASTGPU" demo --tiles 4096 --rounds 0 --devices cpu \
    --output c a/b/flower-sixteenth.png

# The workload is that of the examples.
demo=$top/examples/workloads/demo.json
expect 0 stdout '26 of 26 outputs written' "$FASTGPU" run --devices cpu --output-dir h "$demo"
cmp h/china-sepia.png a/b/china-sepia.png
cmp h/flower-sixteenth.png a/b/flower-sixteenth.png

# Nothing but what is ours on the standard error output: no count of a compiler's warnings; what
# cannot be kept between runs is said once. Sanitizers have nothing to add to a compiler's work.
if [[ -z ${FASTGPU_SANITIZE-} ]]; then
    mkdir cold
    code=0
    XDG_CACHE_HOME=$work/file/none POCL_CACHE_DIR=$work/cold "$FASTGPU" demo --rounds 0 \
        --output e >printed 2>errors || code=$?
    if [[ $code != 0 || $(wc -l <errors) != 1 ]] || ! grep -q 'nothing is kept' errors; then
        echo "with a cold cache and none of our own: exit code $code, and on stderr:"
        cat errors
        exit 1
    fi
fi

# An end that the user asks for while kernels are compiled: no further one is begun, and nothing is
# run. With more kernels than can be compiled in that time (a cold cache) there is no other end.
mkdir -p colder
code=0
XDG_CACHE_HOME=$work/colder POCL_CACHE_DIR=$work/colder interrupt 0.4 \
    "$FASTGPU" demo --output f >printed 2>&1 || code=$?
built=$(find colder -name 'kernel-*.bin' | wc -l)
if [[ $code != 130 ]] || ! grep -q 'stopped before' printed; then
    echo "after Ctrl-C while kernels are compiled: exit code $code"
    cat printed
    exit 1
fi
if "$FASTGPU" devices --devices opencl >stdout 2>&1 && ((built > 4)); then
    echo "after Ctrl-C $built kernels were compiled all the same"
    exit 1
fi

# An end that the user asks for: soon, with a code of its own, and saying what was done.
code=0
interrupt 2 \
    "$FASTGPU" demo --rounds 99 --tiles 100 --output d >printed 2>&1 || code=$?
if [[ $code != 130 ]] || ! grep -q 'stopped before' printed; then
    echo "after Ctrl-C: exit code $code"
    cat printed
    exit 1
fi

# More than one while a picture is written: the process ends at once, and nothing half stays behind.
# They come where the picture is complete but not in its place: a library takes fsync() over. One a
# second, for on a busy machine the first may be noticed late and the next be taken for its echo.
if [[ -z ${FASTGPU_SANITIZE-} ]] && command -v cc >/dev/null; then
    printf '%s\n' '#include <signal.h>' '#include <unistd.h>' \
        'int fsync(int fd) { for (int i = 0; i < 30; i++) { kill(getpid(), SIGINT); sleep(1); }' \
        'return fd < 0; }' \
        >twice.c
    cc -shared -fPIC -o twice.so twice.c
    code=0
    LD_PRELOAD=$work/twice.so "$FASTGPU" demo --devices cpu --rounds 0 --output g \
        "${photos[1]}" >printed 2>&1 || code=$?
    if [[ $code != 130 || ! -d g || -n $(find g -type f) ]]; then
        echo "after Ctrl-C more than once while a picture is written: exit code $code"
        cat printed
        find g
        exit 1
    fi
fi
echo "demo: $tasks tasks, all checks passed"
