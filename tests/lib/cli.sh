# shellcheck shell=bash
# What the tests of the command share. They source this first; then they are in an empty folder,
# $work, which is removed at their end. A test is skipped where the command is not built.

: "${FASTGPU:?}"
if [[ ! -x $FASTGPU ]]; then
    echo "skipped: $FASTGPU is not built"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# expect CODE STREAM WORD COMMAND...: the exit code, and a word of what is printed to stdout or
# stderr; what is not expected to speak stays silent. Both streams stay in files of these names.
expect() {
    local want=$1 stream=$2 word=$3 code=0 other=stdout
    shift 3
    "$@" >stdout 2>stderr || code=$?
    if [[ $stream == stdout ]]; then other=stderr; fi
    if [[ $code != "$want" ]] || ! grep -qF -- "$word" "$stream" || [[ -s $other ]]; then
        echo "$*: exit code $code, want $want; \"$word\" is wanted in $stream, nothing in $other:"
        head -n 30 stdout stderr
        exit 1
    fi
}
