#!/usr/bin/env bash
# label: tree
# Does tools/tidy find what it is for? One violation of each rule is planted in a small tree, and
# each must be found where it was planted; the tree without them must pass.
set -euo pipefail

top=${FASTGPU_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

# A tree that keeps every rule.
clean_tree() {
    rm -rf "$tree"
    mkdir -p "$tree"/{tools,docs,src/base,src/model,src/core,src/dev/null,include/fastgpu,cli}
    mkdir -p "$tree/tests/unit"
    cp "$top/tools/tidy" "$top/tools/layers.txt" "$tree/tools"
    printf '| FASTGPU_KNOWN | documented |\n' >"$tree/docs/env.md"
    cat >"$tree/src/base/sum.h" <<'C'
/* Sums.
 * A head of two lines. "{" in a comment or '{' in a literal opens nothing. */
#ifndef FASTGPU_BASE_SUM_H
#define FASTGPU_BASE_SUM_H

#define SUM_OPEN '{'
static const char sum_text[] = "{ \" (";
struct sum {
    int (*of)(int a, int b, int c, int d, int e, int f, int g);
};
int sum_six(int a, int (*b)(int, int), int c, int d, int e, int f);

#endif
C
    cat >"$tree/src/core/walk.c" <<'C'
/* The walk.
 * It has two lines. */
#include "base/sum.h"

int walk_all(void)
{
    return getenv("FASTGPU_KNOWN") != 0;
}
C
    cat >"$tree/include/fastgpu/pool.h" <<'C'
/* The pool. */
#ifndef FASTGPU_POOL_H
#define FASTGPU_POOL_H

#include <stdint.h>

/* Two functions under one comment. */
FGPU_API int fgpu_open(void);
FGPU_API int fgpu_shut(void);

#endif
C
    printf '#include <fastgpu/pool.h>\n#include "own.h"\n' >"$tree/cli/main.c"
    printf '#ifndef FASTGPU_CLI_OWN_H\n#define FASTGPU_CLI_OWN_H\n#endif\n' >"$tree/cli/own.h"
    printf 'int main(void)\n{\n    assert_true(1);\n}\n' >"$tree/tests/unit/test_sum.c"
}

# The tree as it is now must give the rule `$1` at the place `$2`, or nothing where `$1` is "clean".
want() {
    local rule=$1 place=${2-} said status=0
    said=$("$tree/tools/tidy" --root "$tree" 2>&1) || status=$?
    if [[ $rule == clean ]]; then
        if ((status == 0)); then return; fi
    elif ((status == 1)) && grep -qF "$place: $rule: " <<<"$said"; then
        return
    fi
    echo "FAILED: wanted '$rule' at '$place', got status $status and:"
    echo "$said"
    failures=$((failures + 1))
}

# plant RULE FILE LINE: standard input is appended to a clean tree's FILE and must be found there.
# plant clean FILE: it must not.
plant() {
    clean_tree
    mkdir -p "$(dirname "$tree/$2")"
    cat >>"$tree/$2"
    want "$1" "$2:${3-}"
}

# repeat COUNT LINE
repeat() {
    local i
    for ((i = 0; i < $1; i++)); do echo "$2"; done
}

# long_function HEAD COUNT: the head, two braces and COUNT lines between them
long_function() {
    printf '%s(void)\n{\n' "$1"
    repeat "$2" '    work();'
    printf '}\n'
}

clean_tree
want clean
long_function 'int walk_long' 67 >>"$tree/src/core/walk.c"
want clean
long_function 'int walk_long' 68 | plant function-lines src/core/walk.c 9
printf 'int walk_seven(int a, int b, int c, int d, int e, int f, int g)\n{\n}\n' |
    plant parameters src/core/walk.c 9
repeat 793 '/* line */' | plant file-lines src/core/walk.c 801
printf '/* %098d */\n' 1 | plant columns src/core/walk.c 9
printf '\tint walk;\n' | plant tabs src/core/walk.c 9
printf '/* TO%s: later */\n' DO | plant words src/core/walk.c 9
printf '/* HA%s */\n' CK | plant words cli/main.c 3
printf 'a place%s for now\n' holder | plant words docs/page.md 1
printf 'see /ho%s/someone/x\n' me | plant words docs/page.md 1
printf 'int other;\n' | plant head src/core/other.c 1
printf '/* Short. */\nint other;\n' | plant head src/core/other.c 1
printf '/* A\n * B */\n#ifndef OTHER_H\n#define OTHER_H\n#endif\n' | plant guard src/core/other.h 1
printf '#include "core/walk.h"\n' | plant layer src/base/low.c 1
printf '#include "dev/null/null.h"\n' | plant layer src/core/walk.c 9
printf '#include "model/history.h"\n' | plant clean src/core/walk.c
printf '#include <time.h>\n' | plant layer src/core/walk.c 9
printf '#include "base/clock.h"\n' | plant layer src/model/history.c 1
printf '#include "walk.h"\n' | plant layer src/core/walk.c 9
printf '/* A\n * B */\n' | plant layer src/elsewhere/file.c 1
printf '#include "base/sum.h"\n' | plant guest cli/main.c 3
printf '#include <base/sum.h>\n' | plant guest cli/main.c 3
printf '#include "../src/base/sum.h"\n' | plant guest cli/main.c 3
printf '#include "base/sum.h"\n' | plant clean tests/unit/test_sum.c
printf '#include "base/sum.h"\n' | plant public include/fastgpu/pool.h 12
printf '#include <sys/time.h>\n' | plant public include/fastgpu/pool.h 12
printf '\nFGPU_API int fgpu_bare(void);\n' | plant comment include/fastgpu/pool.h 13
printf 'int f(void)\n{\n    atomic_fetch_add(&x, 1);\n}\n' | plant atomic src/core/walk.c 11
printf '#include <stdatomic.h>\n' | plant atomic src/core/walk.c 9
printf 'int f(void)\n{\n    __atomic_add_fetch(&x, 1, 0);\n}\n' | plant atomic src/core/walk.c 11
printf 'struct s {\n    _Atomic int x; /* atomic_load(x) */\n};\n' | plant clean src/core/walk.c
printf 'int f(void)\n{\n    getenv("FASTGPU_NEW");\n}\n' | plant environment src/core/walk.c 11
printf 'int main(void)\n{\n}\n' | plant assertion tests/unit/test_empty.c 1
printf 'int f(void)\n{\n    if (1) {\n}\n' | plant braces src/core/walk.c 12

# Two folders that include each other; layers alone would allow it below src/dev.
clean_tree
printf '/* A\n * B */\n#include "dev/null/null.h"\n' >"$tree/src/dev/registry.c"
printf '/* A\n * B */\n#include "dev/registry.h"\n' >"$tree/src/dev/null/null.c"
want cycle src/dev/registry.c:3
want cycle src/dev/null/null.c:3

# An exception holds for its place only, wants a reason, and is itself found when no longer needed.
clean_tree
long_function 'int walk_long' 68 >>"$tree/src/core/walk.c"
echo 'function-lines src/core/walk.c:walk_long 75 a table in the shape of code' \
    >"$tree/tools/tidy-exceptions.txt"
want clean
long_function 'int walk_other' 68 >>"$tree/src/core/walk.c"
want function-lines src/core/walk.c:80
echo 'function-lines src/core/walk.c:gone 75 no longer there' >"$tree/tools/tidy-exceptions.txt"
want function-lines tools/tidy-exceptions.txt:1
echo 'function-lines src/core/walk.c:walk_long 75' >"$tree/tools/tidy-exceptions.txt"
if "$tree/tools/tidy" --root "$tree" >/dev/null 2>&1; then
    echo "FAILED: an exception without a reason was accepted"
    failures=$((failures + 1))
fi

if ((failures > 0)); then
    echo "$failures of the planted violations were not handled"
    exit 1
fi
echo "every planted violation was found"
