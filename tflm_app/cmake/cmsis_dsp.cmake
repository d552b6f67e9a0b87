# What the firmware takes from CMSIS-DSP, of which the linker keeps what a program calls.
add_library(cmsis_dsp STATIC EXCLUDE_FROM_ALL
  ${CMSIS_DSP_DIR}/Source/FilteringFunctions/arm_biquad_cascade_df2T_f32.c
  ${CMSIS_DSP_DIR}/Source/FilteringFunctions/arm_fir_q15.c
  ${CMSIS_DSP_DIR}/Source/TransformFunctions/arm_rfft_fast_f32.c
  ${CMSIS_DSP_DIR}/Source/TransformFunctions/arm_cfft_f32.c
  ${CMSIS_DSP_DIR}/Source/TransformFunctions/arm_cfft_radix8_f32.c
  ${CMSIS_DSP_DIR}/Source/TransformFunctions/arm_bitreversal2.c
  ${CMSIS_DSP_DIR}/Source/CommonTables/arm_common_tables.c)
target_include_directories(cmsis_dsp SYSTEM PUBLIC ${CMSIS_DSP_DIR}/Include ${CMSIS_DSP_DIR}/PrivateInclude)
target_compile_options(cmsis_dsp PRIVATE -w -fno-sanitize=all) # its warnings are not ours
if(BOARD STREQUAL host)
  target_compile_definitions(cmsis_dsp PUBLIC __GNUC_PYTHON__) # CMSIS-DSP's name for a host without CMSIS-Core
endif()
# Four samples at a time in a third of the instructions; its sums are exact, so the bits stay the same.
set_source_files_properties(${CMSIS_DSP_DIR}/Source/FilteringFunctions/arm_fir_q15.c
  PROPERTIES COMPILE_DEFINITIONS ARM_MATH_LOOPUNROLL)
target_link_libraries(cmsis_dsp PUBLIC cmsis board) # the core's flags
