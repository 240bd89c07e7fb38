# What can be chosen at configure time, and the flags that follow from it.

option(FGPU_TESTS "Build the tests" ON)
option(FGPU_TREE_TESTS "Also test the headers one by one, the install and the README" OFF)
option(FGPU_BENCH "Build the benchmarks" ON)
option(FGPU_EXAMPLES "Build the examples" ON)
option(FGPU_WERROR "Treat warnings as errors" OFF)
option(FGPU_DEBUG_CHECKS "Check invariants after every turn of the engine" OFF)
option(FGPU_LTO "Optimise across files" OFF)
option(FGPU_COVERAGE "Count executed lines (gcov)" OFF)
option(FGPU_FUZZ "Build fuzzers with libFuzzer instead of replaying their corpora" OFF)
set(FGPU_SANITIZE "" CACHE STRING "Argument of -fsanitize=, empty for none")
set(FGPU_TEST_KERNEL_CACHE "" CACHE PATH
  "Where OpenCL drivers keep the kernels that tests compile; empty: in the build folder")
set(FGPU_TEST_TIMEOUT 240 CACHE STRING "Seconds after which a test counts as hung")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Debug)
endif()
# -DNDEBUG stays away: assertions about our own bugs are part of the product.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-Og -g")

find_program(FGPU_CCACHE ccache)
if(FGPU_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${FGPU_CCACHE})
endif()

add_library(fgpu_flags INTERFACE)
target_compile_definitions(fgpu_flags INTERFACE _GNU_SOURCE)
target_compile_options(fgpu_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  # An atomic field read or written without its order in the name.
  target_compile_options(fgpu_flags INTERFACE -Watomic-implicit-seq-cst)
endif()
if(FGPU_WERROR)
  target_compile_options(fgpu_flags INTERFACE -Werror)
endif()
if(FGPU_DEBUG_CHECKS)
  target_compile_definitions(fgpu_flags INTERFACE FGPU_DEBUG_CHECKS)
endif()
if(FGPU_SANITIZE)
  target_compile_options(fgpu_flags INTERFACE -fsanitize=${FGPU_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(fgpu_flags INTERFACE -fsanitize=${FGPU_SANITIZE})
endif()
if(FGPU_FUZZ)
  # Which edges were taken, and no more: with the operands of each comparison, which libFuzzer can
  # use too, all other tests of this build take three times as long.
  target_compile_options(fgpu_flags INTERFACE -fsanitize-coverage=inline-8bit-counters,pc-table)
endif()
if(FGPU_COVERAGE)
  target_compile_options(fgpu_flags INTERFACE --coverage)
  target_link_options(fgpu_flags INTERFACE --coverage)
endif()

# Link-time optimisation is for gcc, which can also finish it inside the one object of libfastgpu.a.
# The objects stay fat, so that the tests link them as they are.
if(FGPU_LTO AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  set(FGPU_LTO_COMPILE -flto=auto -ffat-lto-objects)
  set(FGPU_LTO_LINK -flto=auto)
  set(FGPU_LTO_RELOCATE -flto=auto -flinker-output=nolto-rel)
  set(FGPU_LTO_OFF -fno-lto)
endif()
