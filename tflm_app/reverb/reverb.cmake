# The rooms of GENERATED_DIR and what plays them: CMSIS-DSP's real FFT of float32, of which the linker keeps the
# functions and the tables of two lengths.
if(NOT EXISTS ${CMSIS_DSP_DIR}/Source/TransformFunctions/arm_rfft_fast_f32.c)
  message(FATAL_ERROR " error: rooms need CMSIS-DSP: set CMSIS_DSP_DIR to its root")
endif()
if(BOARD STREQUAL qemu_m0)
  message(FATAL_ERROR " error: ${BOARD} has no FPU to play rooms with: generate the code without them")
endif()

add_library(cmsis_dsp STATIC
  ${CMSIS_DSP_DIR}/Source/TransformFunctions/arm_rfft_fast_f32.c
  ${CMSIS_DSP_DIR}/Source/TransformFunctions/arm_cfft_f32.c
  ${CMSIS_DSP_DIR}/Source/TransformFunctions/arm_cfft_radix8_f32.c
  ${CMSIS_DSP_DIR}/Source/TransformFunctions/arm_bitreversal2.c
  ${CMSIS_DSP_DIR}/Source/CommonTables/arm_common_tables.c)
target_include_directories(cmsis_dsp SYSTEM PUBLIC ${CMSIS_DSP_DIR}/Include ${CMSIS_DSP_DIR}/PrivateInclude)
target_link_libraries(cmsis_dsp PUBLIC cmsis)
target_compile_options(cmsis_dsp PRIVATE -w) # its warnings are not ours
if(BOARD STREQUAL host)
  target_compile_definitions(cmsis_dsp PUBLIC __GNUC_PYTHON__) # CMSIS-DSP's name for a host without CMSIS-Core
endif()
target_link_libraries(cmsis_dsp PUBLIC board) # the core's flags

add_library(reverb STATIC reverb/reverb.c)
add_library(room STATIC ${room_sources} ${GENERATED_DIR}/rooms.c)
target_link_libraries(reverb PUBLIC interfaces board cmsis_dsp m)
target_link_libraries(room PUBLIC interfaces board)
