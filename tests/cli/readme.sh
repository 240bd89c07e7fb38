#!/usr/bin/env bash
# label: tree
# Do the commands of the README work as they are typed? They are run one after the other in a fresh
# copy of the tree; then every C example is compiled against that build and run. One without a
# main() is the body of one. The copy stays in the build folder, for tree.install; its build is that
# of the release, and a warning of the compiler fails it.
set -euo pipefail

top=${FASTGPU_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
if [[ -n ${FASTGPU_BUILD_DIR-} ]]; then
    work=$FASTGPU_BUILD_DIR/readme
    rm -rf "$work"
    mkdir "$work"
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
export CFLAGS=-Werror # CMake takes it where it configures first
unset FASTGPU CMAKE_PREFIX_PATH

# block LANGUAGE: what stands in the fenced blocks of that language, blocks parted by a form feed
block() {
    awk -v fence="\`\`\`$1" '
        inside && /^```/ { inside = 0; printf "\f\n"; next }
        inside { print }
        $0 == fence { inside = 1 }' "$top/README.md"
}

mkdir "$work/FastGPU"
(cd "$top" && git ls-files -z -co --exclude-standard | while IFS= read -r -d '' name; do
    if [[ -f $name ]]; then printf '%s\0' "$name"; fi
done | tar -c --null -T -) | tar -x -C "$work/FastGPU"
cd "$work/FastGPU"

count=0
while IFS= read -r line; do
    line=${line%%$'\f'}
    line=${line#\$ }
    case $line in
    '' | '#'*) continue ;;
    'make check'* | 'git clone'* | 'cd '* | *'apt-get '*)
        echo "== $line (not here)"
        continue
        ;;
    esac
    echo "== $line"
    if ! bash -euo pipefail -c "$line" >"$work/log" 2>&1 </dev/null; then
        tail -n 40 "$work/log"
        echo "FAILED: the README says: $line"
        exit 1
    fi
    count=$((count + 1))
done < <(block sh | sed -e ':more' -e '/\\$/{N; s/\\\n */ /; b more' -e '}')
if ((count == 0)); then
    echo "no command was found in README.md: this test is wrong"
    exit 1
fi

examples=0
while IFS= read -r -d $'\f' example; do
    examples=$((examples + 1))
    if ! grep -q 'int main' <<<"$example"; then
        example="#include <fastgpu/fastgpu.h>
int main(void)
{
$example
    return 0;
}"
    fi
    printf '%s\n' "$example" >"$work/example.c"
    echo "== C example $examples"
    gcc -Wall -Wextra -Werror -Iinclude -o "$work/example" "$work/example.c" \
        -Lbuild/release -lfastgpu -Wl,-rpath,"$PWD/build/release" -lm
    "$work/example"
done < <(block c)
echo "$count commands and $examples examples of the README work"
