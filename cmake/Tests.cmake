# One executable and one ctest for every tests/<folder>/test_*.c; the folder is the label.

# The environment that every test may count on; docs/env.md describes it.
set(tsan "ignore_noninstrumented_modules=1:suppressions=${CMAKE_SOURCE_DIR}/tools/tsan.supp")
set(kernel_cache ${FGPU_TEST_KERNEL_CACHE})
if(NOT kernel_cache)
  set(kernel_cache ${CMAKE_BINARY_DIR}/cache)
endif()
set(FGPU_TEST_ENV
  "FASTGPU=${CMAKE_BINARY_DIR}/fastgpu"
  "FASTGPU_SOURCE_DIR=${CMAKE_SOURCE_DIR}"
  "FASTGPU_BUILD_DIR=${CMAKE_BINARY_DIR}"
  "FASTGPU_SANITIZE=${FGPU_SANITIZE}"
  "POCL_CACHE_DIR=${kernel_cache}/pocl"
  "FAKECL_CACHE=${kernel_cache}/fakecl"
  "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1"
  "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tools/lsan.supp:print_suppressions=0"
  "TSAN_OPTIONS=halt_on_error=1:${tsan}"
  "UBSAN_OPTIONS=print_stacktrace=1")
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/cache ${kernel_cache})
if(FGPU_DEBUG_CHECKS)
  list(APPEND FGPU_TEST_ENV "FASTGPU_CHECK=1")
endif()
cmake_path(GET CMAKE_SOURCE_DIR PARENT_PATH parent)
if(EXISTS ${parent}/shared)
  list(APPEND FGPU_TEST_ENV "FASTGPU_SHARED=${parent}/shared")
endif()

# The OpenCL driver of our own that does what a good driver never shows.
file(GLOB sources CONFIGURE_DEPENDS tests/fakeicd/*.c)
if(sources)
  add_library(fakeicd MODULE ${sources})
  target_include_directories(fakeicd PRIVATE tests)
  target_include_directories(fakeicd SYSTEM PRIVATE ${FGPU_OPENCL_INCLUDE})
  target_link_libraries(fakeicd PRIVATE fgpu_flags Threads::Threads m)
  list(APPEND FGPU_TEST_ENV "FAKEICD_LIB=$<TARGET_FILE:fakeicd>")
endif()

# NVIDIA's driver, NVRTC and NVML of our own, in one library.
file(GLOB sources CONFIGURE_DEPENDS tests/fakecuda/*.c)
if(sources)
  add_library(fakecuda MODULE ${sources})
  target_include_directories(fakecuda PRIVATE src include tests)
  target_link_libraries(fakecuda PRIVATE fgpu_flags Threads::Threads)
  list(APPEND FGPU_TEST_ENV "FAKECUDA_LIB=$<TARGET_FILE:fakecuda>")
endif()

# What a test is linked with: tests/lib/, the library with all its names, and of the command's
# parts those that it calls.
add_library(fgpu_test INTERFACE)
target_include_directories(fgpu_test INTERFACE ${CMAKE_SOURCE_DIR})
target_include_directories(fgpu_test SYSTEM INTERFACE ${FGPU_OPENCL_INCLUDE})
if(TARGET fgpu_cli_parts)
  target_link_libraries(fgpu_test INTERFACE fgpu_cli_parts)
endif()
target_link_libraries(fgpu_test INTERFACE fastgpu_internal PkgConfig::CMOCKA)
file(GLOB sources CONFIGURE_DEPENDS tests/lib/*.c)
if(sources)
  add_library(fgpu_testlib STATIC ${sources})
  target_link_libraries(fgpu_testlib PUBLIC fgpu_test)
endif()

# Long tests first, so that none of them runs alone at the end.
set(FGPU_COST_cli 4)
set(FGPU_COST_prop 3)
set(FGPU_COST_conform 3)
set(FGPU_COST_sim 2)

# Register a command as test `name`. Each test has a cache folder of its own, so that what one
# measured or built does not decide what another does; PoCL's own cache is shared.
function(fgpu_register name label)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/cache/${name})
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77
    TIMEOUT ${FGPU_TEST_TIMEOUT} COST "0${FGPU_COST_${label}}"
    ENVIRONMENT "${FGPU_TEST_ENV};XDG_CACHE_HOME=${CMAKE_BINARY_DIR}/cache/${name}")
endfunction()

foreach(folder unit prop plan golden stress sim conform)
  file(GLOB sources CONFIGURE_DEPENDS tests/${folder}/test_*.c)
  add_custom_target(tests_${folder})
  foreach(source ${sources})
    cmake_path(GET source STEM stem)
    string(REGEX REPLACE "^test_" "" name ${stem})
    set(target ${folder}_${name})
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE $<TARGET_NAME_IF_EXISTS:fgpu_testlib> fgpu_test)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${stem}
      RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/${folder})
    if(TARGET fakeicd)
      add_dependencies(${target} fakeicd)
    endif()
    if(TARGET fakecuda)
      add_dependencies(${target} fakecuda)
    endif()
    add_dependencies(tests_${folder} ${target})
    fgpu_register(${folder}.${name} ${folder} ${target})
  endforeach()
endforeach()

# What ThreadSanitizer is for.
add_custom_target(tests_threaded DEPENDS tests_stress)

# A fuzzer is a function over bytes. With libFuzzer it explores from its corpus for a fixed number
# of runs and a fixed seed; without, every file of the corpus goes through it.
file(GLOB sources CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
add_custom_target(tests_fuzz)
foreach(source ${sources})
  cmake_path(GET source STEM stem)
  string(REGEX REPLACE "^fuzz_" "" name ${stem})
  set(corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set(target fuzz_${name})
  if(FGPU_FUZZ)
    add_executable(${target} ${source})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    set(found ${CMAKE_BINARY_DIR}/corpus/${name})
    file(MAKE_DIRECTORY ${found})
    set(arguments -runs=20000 -seed=1 -max_total_time=20 ${found} ${corpus})
  else()
    add_executable(${target} ${source} tests/fuzz/replay_main.c)
    set(arguments ${corpus})
  endif()
  target_link_libraries(${target} PRIVATE $<TARGET_NAME_IF_EXISTS:fgpu_testlib> fgpu_test)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${stem}
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/fuzz)
  add_dependencies(tests_fuzz ${target})
  fgpu_register(fuzz.${name} fuzz ${target} ${arguments})
endforeach()

# Tests of the command, and (label tree) of the repository itself; the latter need one build only.
file(GLOB sources CONFIGURE_DEPENDS tests/cli/*.sh)
foreach(source ${sources})
  cmake_path(GET source STEM name)
  file(STRINGS ${source} tree REGEX "^# label: tree")
  if(tree AND FGPU_TREE_TESTS)
    fgpu_register(tree.${name} tree bash ${source})
    set_tests_properties(tree.${name} PROPERTIES TIMEOUT 900)
    if(name STREQUAL "readme") # it leaves a built release for the other
      set_tests_properties(tree.readme PROPERTIES FIXTURES_SETUP release)
    elseif(name STREQUAL "install")
      set_tests_properties(tree.install PROPERTIES FIXTURES_REQUIRED release)
    endif()
  elseif(NOT tree)
    fgpu_register(cli.${name} cli bash ${source})
  endif()
endforeach()
