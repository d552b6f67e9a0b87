# From 16 to 48 kHz, with CMSIS-DSP's filter of 16 bits.
if(NOT TARGET cmsis_dsp)
  message(FATAL_ERROR " error: output at 48 kHz needs CMSIS-DSP: set CMSIS_DSP_DIR to its root")
endif()
add_library(upsampler STATIC upsampler/upsampler.c upsampler/upsampler_taps.c)
target_include_directories(upsampler PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(upsampler PRIVATE warnings PUBLIC cmsis_dsp board)
