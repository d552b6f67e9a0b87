# Cross-compilation with Debian's gcc-arm-none-eabi. The flags of the core come from boards.cmake.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_ASM_COMPILER arm-none-eabi-gcc)
# Without a linker script, the toolchain cannot link the test program of CMake.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
