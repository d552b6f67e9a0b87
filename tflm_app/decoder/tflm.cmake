# Links TensorFlow Lite Micro to the decoder. TFLM_DIR is a tflite-micro checkout in which libtensorflow-microlite.a
# was built as upstream documents for its generic Cortex-M target (tensorflow/lite/micro/cortex_m_generic/README.md),
# for the core of BOARD, and with the kernels and the build type that are selected here.
set(TFLM_KERNELS cmsis_nn CACHE STRING "Kernels of TensorFlow Lite Micro: cmsis_nn or reference")
set(TFLM_BUILD_TYPE default CACHE STRING "BUILD_TYPE of TensorFlow Lite Micro: default, release or release_with_logs")

if(NOT BOARD_TFLM_ARCH)
  message(FATAL_ERROR " error: the tflm engine does not run on ${BOARD}: choose an emulated board or the aot engine")
endif()

set(tflm_kernels "")
if(TFLM_KERNELS STREQUAL cmsis_nn)
  set(tflm_kernels _cmsis_nn)
  target_compile_definitions(neural_fm_decoder PRIVATE CMSIS_NN) # declares the registrations for single types
endif()
set(tflm_build cortex_m_generic_${BOARD_TFLM_ARCH}_${TFLM_BUILD_TYPE}${tflm_kernels}_gcc)
set(tflm_library ${TFLM_DIR}/gen/${tflm_build}/lib/libtensorflow-microlite.a)
if(NOT EXISTS ${tflm_library})
  message(FATAL_ERROR " error: ${tflm_library} is missing: build tflite-micro there for ${BOARD_TFLM_ARCH} with ${TFLM_KERNELS} kernels")
endif()

set(tflm_downloads ${TFLM_DIR}/tensorflow/lite/micro/tools/make/downloads)
target_include_directories(neural_fm_decoder SYSTEM PRIVATE
  ${TFLM_DIR} ${tflm_downloads}/flatbuffers/include ${tflm_downloads}/gemmlowp ${tflm_downloads}/ruy)
target_compile_definitions(neural_fm_model PUBLIC DECODER_ENGINE_TFLM) # selects what the generated models hold
target_compile_definitions(neural_fm_decoder PRIVATE
  TF_LITE_STATIC_MEMORY          # as in the library, because it changes structures
  TF_LITE_STRIP_ERROR_STRINGS)   # unused, and a release library has no function to print them
target_compile_options(neural_fm_decoder PRIVATE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti -fno-threadsafe-statics>)
target_link_libraries(neural_fm_decoder PUBLIC ${tflm_library})
