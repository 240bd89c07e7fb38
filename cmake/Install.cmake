# What `cmake --install` puts where. The pkg-config file and the CMake package find the rest
# relative to themselves, so that an installed tree may be moved.

install(DIRECTORY include/fastgpu DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN *.h)
install(TARGETS fastgpu_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET fastgpu_archive)
  install(FILES ${CMAKE_BINARY_DIR}/libfastgpu.a DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET fastgpu_cli)
  install(TARGETS fastgpu_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

file(RELATIVE_PATH FGPU_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/fastgpu.pc.in fastgpu.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/fastgpu.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/FastGPU)
set(include_dir ${CMAKE_INSTALL_INCLUDEDIR})
set(lib_dir ${CMAKE_INSTALL_LIBDIR})
configure_package_config_file(cmake/FastGPUConfig.cmake.in FastGPUConfig.cmake
  INSTALL_DESTINATION ${package} PATH_VARS include_dir lib_dir NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(FastGPUConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/FastGPUConfig.cmake ${CMAKE_BINARY_DIR}/FastGPUConfigVersion.cmake
  DESTINATION ${package})

file(GLOB pages CONFIGURE_DEPENDS docs/man/*.[1-9])
foreach(page ${pages})
  string(REGEX MATCH "[1-9]$" section ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
install(FILES tools/completion.bash RENAME fastgpu
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
