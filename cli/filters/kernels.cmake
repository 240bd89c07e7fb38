# The OpenCL C files of kernels/ and the workloads of demo and bench mix as C strings: sets
# FGPU_KERNEL_TEXTS to a generated C file that belongs to the sources of the command. As a script
# (cmake -DOUT=... -DDIR=... -DDEMO=... -DMIX=... -P) it writes it.
# Also what the native filters want from the compiler.

if(CMAKE_SCRIPT_MODE_FILE)
  # The text of a file as what stands between the quotes of a C string.
  function(read_c_string file result)
    file(READ ${file} text)
    string(REPLACE "\\" "\\\\" text "${text}")
    string(REPLACE "\"" "\\\"" text "${text}")
    string(REPLACE "\n" "\\n\"\n     \"" text "${text}")
    set(${result} "${text}" PARENT_SCOPE)
  endfunction()
  file(GLOB files ${DIR}/*.cl)
  list(SORT files)
  set(entries "")
  foreach(file ${files})
    cmake_path(GET file STEM name)
    read_c_string(${file} text)
    string(APPEND entries "    {\"${name}\",\n     \"${text}\"},\n")
  endforeach()
  read_c_string(${DEMO} demo)
  read_c_string(${MIX} mix)
  file(WRITE ${OUT} "/* Made from kernels/ and the demo's workload by kernels.cmake. */\n"
    "#include \"cli/filters/kernels.h\"\n\n"
    "const struct kernel_text kernel_texts[] = {\n${entries}};\n\n"
    "const size_t kernel_text_count = sizeof kernel_texts / sizeof kernel_texts[0];\n\n"
    "const char kernels_demo_workload[] =\n     \"${demo}\";\n\n"
    "const char kernels_mix_workload[] =\n     \"${mix}\";\n")
  return()
endif()

file(GLOB kernel_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/kernels/*.cl)
set(demo_workload ${CMAKE_SOURCE_DIR}/examples/workloads/demo.json)
set(mix_workload ${CMAKE_SOURCE_DIR}/examples/workloads/mix.json)
set(FGPU_KERNEL_TEXTS ${CMAKE_BINARY_DIR}/cli/kernels_text.c)
add_custom_command(OUTPUT ${FGPU_KERNEL_TEXTS}
  COMMAND ${CMAKE_COMMAND} -DOUT=${FGPU_KERNEL_TEXTS} -DDIR=${CMAKE_CURRENT_LIST_DIR}/kernels
    -DDEMO=${demo_workload} -DMIX=${mix_workload} -P ${CMAKE_CURRENT_LIST_DIR}/kernels.cmake
  DEPENDS ${kernel_files} ${demo_workload} ${mix_workload} ${CMAKE_CURRENT_LIST_DIR}/kernels.cmake
  COMMENT "Embedding the kernels of the command" VERBATIM)

# The native filters, and the functions of bench mix, promise the same bits as the kernels: no
# product and sum become one operation. Their loops over rows are written for the vectoriser, which
# gcc 12 uses in full at -O3 only, and for comparisons of floats only where nobody asks for their
# exceptions.
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/filters_native.c
  ${CMAKE_CURRENT_LIST_DIR}/filters_native_window.c
  ${CMAKE_CURRENT_LIST_DIR}/filters_native_tables.c
  ${CMAKE_SOURCE_DIR}/cli/bench/bench_mix_native.c PROPERTIES
  COMPILE_OPTIONS "-ffp-contract=off;-fno-trapping-math;$<$<CONFIG:Release>:-O3>")
