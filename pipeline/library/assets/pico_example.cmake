# A scale on an I2S DAC. Needs pico-sdk and pico-extras:
#   PICO_SDK_PATH=... PICO_EXTRAS_PATH=... cmake -B build -DPICO_BOARD=pico
cmake_minimum_required(VERSION 3.13)
include($ENV{PICO_SDK_PATH}/external/pico_sdk_import.cmake)
include($ENV{PICO_EXTRAS_PATH}/external/pico_extras_import.cmake)
project(scale C CXX ASM)
pico_sdk_init()
add_subdirectory(../.. ddx7)
add_executable(scale main.c)
target_link_libraries(scale pico_stdlib pico_audio_i2s ddx7)
pico_add_extra_outputs(scale)
