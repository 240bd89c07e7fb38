#!/usr/bin/env bash
# Does completion in bash offer what the command takes at that place, and nothing else? File names
# only where a command takes files, folders where an option takes one.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/cli.sh
source "$top/tests/lib/cli.sh"
mkdir folder
touch photo.png devices.txt

# shellcheck source=/dev/null
source "$top/tools/completion.bash"

# offers WANTED WORD...: what is offered for the last word, sorted, with blanks between.
offers() {
    local wanted=$1 offered
    shift
    COMP_WORDS=("$FASTGPU" "$@")
    COMP_CWORD=$#
    COMPREPLY=()
    _fastgpu
    offered=$(printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort -u | paste -sd ' ')
    if [[ $offered != "$wanted" ]]; then
        echo "fastgpu $*: offered \"$offered\", want \"$wanted\""
        exit 1
    fi
}

commands='bench check demo devices explain heap help kernel machine optimize'
offers "$commands replay-alloc replay-cache run sim" ''
offers 'demo devices' de
offers 'devices' devi
offers '--help --version -h' -
offers 'deadline fair help idle launch mix preempt split tasks tiles transfer' bench ''
offers 'preempt' bench p
offers 'capture help import show synth' machine ''
offers '--help --json -h' machine show -
offers 'devices.txt folder photo.png' machine show ''
offers '' machine synth ''
offers 'devices.txt folder photo.png' machine import --costs ''
offers '--device' bench launch --de
offers '--devices --help --json --log --log-file --log-format --subdevices -d -h' devices -
offers '--help --json --trace -h -t' explain -
offers 'devices.txt folder photo.png' explain -t ''
offers 'devices.txt' devices --log-file dev
offers '' explain ''
offers '--output' demo --ou
offers 'devices.txt folder latency photo.png' demo ''
offers 'latency' demo la
offers '--seconds --seed' demo latency --s
offers '' demo latency ''
offers '--device' bench preempt --dev
offers 'photo.png' demo photo.png pho
offers 'devices.txt folder photo.png' check ''
offers '--help --json --set -h -s' check -
offers '--json' demo photo.png --js
offers '--output' optimize --ou
offers 'devices.txt folder photo.png' optimize ''
offers 'devices.txt folder photo.png' optimize -o ''
offers '--profile' run --prof
offers 'devices.txt folder photo.png' run --profile ''
offers '--report --rounds' run --r
offers '--log --log-file --log-format' run --lo
offers '--log --log-file --log-format' demo --lo
offers 'devices.txt' run --log-file dev
offers 'devices.txt folder photo.png' run ''
offers 'devices.txt folder photo.png' run --report ''
offers 'folder' run --output-dir ''
offers 'folder' demo --output ''
offers 'folder' demo -o fo
offers '' demo --rounds ''
offers '' bench tasks -n ''
offers '' devices ''
offers '--fail-rate' sim --f
offers '--generate --graph' sim --g
offers 'devices.txt folder photo.png' sim -m ''
offers 'devices.txt' sim --graph dev
offers '' sim --policy ''
offers '' nonsense ''
echo "completion: all checks passed"
