# The rooms of GENERATED_DIR and what plays them, with CMSIS-DSP's real FFT of float32.
if(NOT TARGET cmsis_dsp)
  message(FATAL_ERROR " error: rooms need CMSIS-DSP: set CMSIS_DSP_DIR to its root")
endif()
if(BOARD MATCHES "^(qemu_m0|pico)$")
  message(FATAL_ERROR " error: ${BOARD} has no FPU to play rooms with: generate the code without them")
endif()

add_library(reverb STATIC reverb/reverb.c)
add_library(room STATIC ${room_sources} ${GENERATED_DIR}/rooms.c)
target_link_libraries(reverb PUBLIC interfaces board cmsis_dsp m)
target_link_libraries(room PUBLIC interfaces board)
