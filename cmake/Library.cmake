# The library three times from one compilation: fastgpu_internal (every symbol, for the tests),
# libfastgpu.so.0 (public symbols) and libfastgpu.a (public symbols, one object).

file(GLOB_RECURSE FGPU_SOURCES CONFIGURE_DEPENDS src/*.c)
include(cmake/CudaText.cmake)
list(APPEND FGPU_SOURCES ${FGPU_CUDA_TEXT})

add_library(fgpu_objects OBJECT ${FGPU_SOURCES})
target_include_directories(fgpu_objects PRIVATE include src)
target_include_directories(fgpu_objects SYSTEM PRIVATE ${FGPU_OPENCL_INCLUDE})
target_compile_options(fgpu_objects PRIVATE ${FGPU_LTO_COMPILE})
target_link_libraries(fgpu_objects PRIVATE fgpu_flags PkgConfig::HWLOC)

add_library(fgpu_needs INTERFACE)
target_link_libraries(fgpu_needs INTERFACE PkgConfig::HWLOC Threads::Threads ${CMAKE_DL_LIBS} m)

add_library(fastgpu_internal STATIC $<TARGET_OBJECTS:fgpu_objects>)
target_include_directories(fastgpu_internal PUBLIC include src tests)
target_include_directories(fastgpu_internal SYSTEM PUBLIC ${FGPU_OPENCL_INCLUDE})
target_link_libraries(fastgpu_internal PUBLIC fgpu_flags fgpu_needs)
target_link_options(fastgpu_internal INTERFACE ${FGPU_LTO_OFF})
set_target_properties(fastgpu_internal PROPERTIES LINKER_LANGUAGE C)

add_library(fastgpu_shared SHARED $<TARGET_OBJECTS:fgpu_objects>)
target_include_directories(fastgpu_shared INTERFACE include)
target_link_libraries(fastgpu_shared PRIVATE fgpu_flags fgpu_needs)
target_link_options(fastgpu_shared PRIVATE ${FGPU_LTO_LINK})
if(NOT FGPU_SANITIZE)
  target_link_options(fastgpu_shared PRIVATE -Wl,--no-undefined)
endif()
set_target_properties(fastgpu_shared PROPERTIES OUTPUT_NAME fastgpu LINKER_LANGUAGE C
  VERSION ${PROJECT_VERSION} SOVERSION 0)

# Hidden visibility does not hide names inside an archive, so the archive holds one object whose
# hidden symbols have been made local: a program may define any name but fgpu_*.
if(NOT FGPU_SANITIZE AND NOT FGPU_COVERAGE)
  set(archive ${CMAKE_BINARY_DIR}/libfastgpu.a)
  set(object ${CMAKE_BINARY_DIR}/fastgpu.o)
  add_custom_command(OUTPUT ${archive}
    COMMAND ${CMAKE_C_COMPILER} -r -nostdlib ${FGPU_LTO_RELOCATE} -O2 -o ${object}
      $<TARGET_OBJECTS:fgpu_objects>
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${object}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
    COMMAND ${CMAKE_AR} rcs ${archive} ${object}
    DEPENDS fgpu_objects $<TARGET_OBJECTS:fgpu_objects>
    COMMENT "Joining libfastgpu.a" COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(fastgpu_archive ALL DEPENDS ${archive})
endif()
