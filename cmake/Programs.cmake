# Guests: the command, the examples, the benchmarks. They see include/fastgpu/ only.

# The command: everything but its main() is a library, so that the tests reach it too.
file(GLOB sources CONFIGURE_DEPENDS cli/*.c cli/*/*.c)
if(sources)
  include(cli/filters/kernels.cmake)
  include(cli/report/report.cmake)
  if(FGPU_SANITIZE)
    set_source_files_properties(${CMAKE_SOURCE_DIR}/cli/filters/filters_native.c
      PROPERTIES COMPILE_OPTIONS -O1)
  endif()
  set(main ${CMAKE_SOURCE_DIR}/cli/main.c)
  list(REMOVE_ITEM sources ${main})
  add_library(fgpu_cli_parts STATIC ${sources} ${FGPU_KERNEL_TEXTS}
    ${FGPU_REPORT_TEXTS})
  target_include_directories(fgpu_cli_parts PUBLIC include PRIVATE ${CMAKE_SOURCE_DIR})
  target_include_directories(fgpu_cli_parts SYSTEM PRIVATE ${FGPU_OPENCL_INCLUDE})
  target_link_libraries(fgpu_cli_parts PUBLIC fgpu_flags PkgConfig::PNG PkgConfig::JPEG
    PkgConfig::CJSON Threads::Threads ${CMAKE_DL_LIBS} m)
  if(EXISTS ${main})
    add_executable(fastgpu_cli ${main})
    target_include_directories(fastgpu_cli PRIVATE ${CMAKE_SOURCE_DIR})
    target_link_libraries(fastgpu_cli PRIVATE fgpu_cli_parts fastgpu_shared)
    set_target_properties(fastgpu_cli PROPERTIES OUTPUT_NAME fastgpu
      INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  endif()
endif()

# One executable for each file below `folder`, linked to `library`.
function(fgpu_programs folder library)
  file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${folder}/*.c)
  foreach(source ${sources})
    cmake_path(GET source STEM name)
    string(MAKE_C_IDENTIFIER "${folder}_${name}" target)
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE fgpu_flags ${library} Threads::Threads m)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name}
      RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder})
  endforeach()
endfunction()

if(FGPU_EXAMPLES)
  fgpu_programs(examples fastgpu_shared)
endif()

# Micro benchmarks measure one part from the inside; the others stand where a user stands.
if(FGPU_BENCH)
  fgpu_programs(bench/micro fastgpu_internal)
  fgpu_programs(bench/macro fastgpu_shared)
  fgpu_programs(bench/compare fastgpu_shared)
  fgpu_programs(bench fastgpu_shared)
  # Writes reports of made-up runs, for bench/report/ and tests/cli/report.sh.
  add_executable(make_report bench/report/make_report.c tests/lib/report_cases.c)
  target_include_directories(make_report PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(make_report PRIVATE fgpu_cli_parts fastgpu_shared)
  set_target_properties(make_report PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench/report)
endif()
