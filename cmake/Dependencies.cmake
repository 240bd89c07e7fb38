# What FastGPU needs from the machine; docs/decisions/001-dependencies.md says why.

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(HWLOC REQUIRED IMPORTED_TARGET hwloc>=2.0)

# Headers only: the OpenCL loader is opened at run time, and FastGPU starts without one.
find_path(FGPU_OPENCL_INCLUDE CL/cl.h REQUIRED)

# The command alone reads pictures and prints JSON; the tests alone use cmocka.
pkg_check_modules(PNG REQUIRED IMPORTED_TARGET libpng)
pkg_check_modules(JPEG REQUIRED IMPORTED_TARGET libjpeg)
pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson)
if(FGPU_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
