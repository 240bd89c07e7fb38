# The prelude of translated OpenCL C (src/code/cuda_*.cu) as a C string: sets FGPU_CUDA_TEXT to a
# generated C file of the library. As a script (cmake -DOUT=... -DDIR=... -P) it writes it.

if(CMAKE_SCRIPT_MODE_FILE)
  set(all "")
  foreach(part prelude functions memory)
    file(READ ${DIR}/cuda_${part}.cu text)
    string(APPEND all "${text}")
  endforeach()
  string(REGEX REPLACE "(^|\n)//[^\n]*" "" all "${all}")
  string(REPLACE "\\" "\\\\" all "${all}")
  string(REPLACE "\"" "\\\"" all "${all}")
  string(REPLACE "\n" "\\n\"\n    \"" all "${all}")
  file(WRITE ${OUT} "/* Made from src/code/cuda_*.cu by cmake/CudaText.cmake. */\n"
    "#include \"code/cuda_text.h\"\n\nconst char code_cuda_text[] =\n    \"${all}\";\n")
  return()
endif()

set(FGPU_CUDA_TEXT ${CMAKE_BINARY_DIR}/src/cuda_text.c)
set(dir ${CMAKE_SOURCE_DIR}/src/code)
set(cuda_files ${dir}/cuda_prelude.cu ${dir}/cuda_functions.cu ${dir}/cuda_memory.cu)
add_custom_command(OUTPUT ${FGPU_CUDA_TEXT}
  COMMAND ${CMAKE_COMMAND} -DOUT=${FGPU_CUDA_TEXT} -DDIR=${dir}
    -P ${CMAKE_SOURCE_DIR}/cmake/CudaText.cmake
  DEPENDS ${cuda_files} ${CMAKE_SOURCE_DIR}/cmake/CudaText.cmake
  COMMENT "Embedding the CUDA prelude" VERBATIM)
