# The part of CMSIS-DSP that the firmware uses; nothing without CMSIS_DSP_DIR.
if(NOT EXISTS ${CMSIS_DSP_DIR}/Source)
  return()
endif()
add_library(neural_fm_cmsis_dsp STATIC EXCLUDE_FROM_ALL
  ${CMSIS_DSP_DIR}/Source/FilteringFunctions/arm_biquad_cascade_df2T_f32.c
  ${CMSIS_DSP_DIR}/Source/FilteringFunctions/arm_fir_q15.c
  ${CMSIS_DSP_DIR}/Source/TransformFunctions/arm_rfft_fast_f32.c
  ${CMSIS_DSP_DIR}/Source/TransformFunctions/arm_cfft_f32.c
  ${CMSIS_DSP_DIR}/Source/TransformFunctions/arm_cfft_radix8_f32.c
  ${CMSIS_DSP_DIR}/Source/TransformFunctions/arm_bitreversal2.c
  ${CMSIS_DSP_DIR}/Source/CommonTables/arm_common_tables.c)
set_target_properties(neural_fm_cmsis_dsp PROPERTIES OUTPUT_NAME cmsis_dsp ${neural_fm_language_properties})
target_include_directories(neural_fm_cmsis_dsp SYSTEM PUBLIC
  ${CMSIS_CORE_DIR} ${CMSIS_DSP_DIR}/Include ${CMSIS_DSP_DIR}/PrivateInclude)
target_compile_options(neural_fm_cmsis_dsp PRIVATE -w) # not our code
if(NOT CMAKE_CROSSCOMPILING OR CMAKE_SYSTEM_PROCESSOR STREQUAL wasm32)
  target_compile_definitions(neural_fm_cmsis_dsp PUBLIC __GNUC_PYTHON__) # how CMSIS-DSP calls a host without CMSIS-Core
endif()
# Filtering four samples at a time takes a third of the instructions. The sums are exact, so the bits stay the same.
set_source_files_properties(${CMSIS_DSP_DIR}/Source/FilteringFunctions/arm_fir_q15.c
  PROPERTIES COMPILE_DEFINITIONS ARM_MATH_LOOPUNROLL)
target_link_libraries(neural_fm_cmsis_dsp PUBLIC neural_fm_core PRIVATE neural_fm_code_generation)
