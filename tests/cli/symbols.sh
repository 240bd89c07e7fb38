#!/usr/bin/env bash
# Does the library export what its headers declare, and nothing else? Both the shared one and the
# archive: a name of ours that leaks from the archive would collide with a user's.
set -euo pipefail

: "${FASTGPU_SOURCE_DIR:?}" "${FASTGPU_BUILD_DIR:?}"
if [[ -n ${FASTGPU_SANITIZE-} ]]; then
    echo "skipped: sanitizers add names of their own"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Functions marked FGPU_API, after the comments are gone and lines are joined.
cat "$FASTGPU_SOURCE_DIR"/include/fastgpu/*.h | tr '\n' ' ' | sed 's,/\*,\n&,g; s,\*/,&\n,g' |
    grep -v '^/\*' | tr '\n' ' ' | grep -oE 'FGPU_API[^;(]*\(' | grep -oE 'fgpu_[a-z0-9_]+ *\($' |
    tr -d ' (' | sort -u >"$work/declared"

status=0
compare() {
    sort -u >"$work/exported"
    if ! diff "$work/declared" "$work/exported" >"$work/diff"; then
        echo "$1: < declared but not exported, > exported but not declared"
        grep '^[<>]' "$work/diff"
        status=1
    fi
}

if [[ $(wc -l <"$work/declared") -lt 20 ]]; then
    echo "only $(wc -l <"$work/declared") functions found in the headers: this test is wrong"
    exit 1
fi
nm -D --defined-only "$FASTGPU_BUILD_DIR/libfastgpu.so" | awk '{ print $3 }' |
    compare libfastgpu.so
if [[ -f $FASTGPU_BUILD_DIR/libfastgpu.a ]]; then
    nm --defined-only --extern-only "$FASTGPU_BUILD_DIR/libfastgpu.a" | awk 'NF == 3 { print $3 }' |
        compare libfastgpu.a
fi
echo "$(wc -l <"$work/declared") functions compared"
exit "$status"
