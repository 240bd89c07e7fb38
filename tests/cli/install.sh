#!/usr/bin/env bash
# label: tree
# Can a program outside the tree be built with what `make install` puts down? In C and in C++,
# through pkg-config and through CMake, with the shared library and with the archive; and does the
# installed command run from where it lies?
set -euo pipefail

top=${FASTGPU_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
# tree.readme has built the release in a copy of the tree.
if [[ -d ${FASTGPU_BUILD_DIR-}/readme/FastGPU/build/release ]]; then
    top=$FASTGPU_BUILD_DIR/readme/FastGPU
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/stage
mkdir -p "$work/user"

cat >"$work/user/user.c" <<'C'
#include <fastgpu/fastgpu.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    fgpu_pool pool;
    fgpu_status status = fgpu_pool_open_text("devices=null; cache=", &pool);
    if (status != FGPU_OK) {
        fprintf(stderr, "open: %s\n", fgpu_last_error());
        return 1;
    }
    status = fgpu_pool_close(pool);
    if (status != FGPU_OK || strcmp(fgpu_version_text(), FGPU_VERSION_STRING) != 0)
        return 1;
    printf("opened a pool of FastGPU %s\n", fgpu_version_text());
    return 0;
}
C
cp "$work/user/user.c" "$work/user/user.cpp"
cat >"$work/user/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(user C CXX)
find_package(FastGPU 0.1 REQUIRED)
foreach(language c cpp)
  add_executable(shared_${language} user.${language})
  target_link_libraries(shared_${language} PRIVATE FastGPU::fastgpu)
  add_executable(static_${language} user.${language})
  target_link_libraries(static_${language} PRIVATE FastGPU::fastgpu_static)
endforeach()
CMAKE

echo "== make install"
if ! make -C "$top" install DESTDIR="$stage" PREFIX=/usr/local >"$work/log" 2>&1; then
    tail -n 30 "$work/log"
    exit 1
fi
# Another place than the one it was configured for: nothing may point back.
mv "$stage/usr/local" "$work/moved"
prefix=$work/moved
lib=$(dirname "$(find "$prefix" -name libfastgpu.a)")
export LD_LIBRARY_PATH=$lib
if grep -rIlE "$stage|$top" "$prefix"; then
    echo "the files above name the folder that they were built in"
    exit 1
fi

echo "== pkg-config"
export PKG_CONFIG_PATH=$lib/pkgconfig
read -ra flags < <(pkg-config --cflags --libs fastgpu)
gcc -std=c17 -Wall -Wextra -Werror -o "$work/c" "$work/user/user.c" "${flags[@]}"
"$work/c"
g++ -std=c++11 -Wall -Wextra -Werror -o "$work/cpp" "$work/user/user.cpp" "${flags[@]}"
"$work/cpp"
read -ra flags < <(pkg-config --static --cflags --libs fastgpu)
gcc -o "$work/static" "$work/user/user.c" "${flags[@]/-lfastgpu/-l:libfastgpu.a}"
LD_LIBRARY_PATH='' "$work/static"

echo "== CMake"
build_user() {
    cmake -S "$work/user" -B "$work/user/build" -DCMAKE_PREFIX_PATH="$prefix" &&
        cmake --build "$work/user/build"
}
if ! build_user >"$work/log" 2>&1; then
    cat "$work/log"
    exit 1
fi
for program in shared_c shared_cpp; do
    "$work/user/build/$program"
done
for program in static_c static_cpp; do
    LD_LIBRARY_PATH='' "$work/user/build/$program"
done

echo "== the command"
LD_LIBRARY_PATH='' "$prefix/bin/fastgpu" --help >"$work/log"
grep -q demo "$work/log"
for file in share/bash-completion/completions/fastgpu share/doc/FastGPU/LICENSE; do
    test -s "$prefix/$file"
done
