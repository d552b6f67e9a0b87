# Links TensorFlow Lite Micro to `decoder`. TFLM_DIR is a tflite-micro checkout in which libtensorflow-microlite.a
# was built as upstream documents for its generic Cortex-M target (tensorflow/lite/micro/cortex_m_generic/README.md),
# for the core below and with the kernels and of the build type that are chosen here.
set(TFLM_KERNELS cmsis_nn CACHE STRING "Kernels of TensorFlow Lite Micro: cmsis_nn or reference")
set(TFLM_BUILD_TYPE default CACHE STRING "Its BUILD_TYPE: default, release or release_with_logs")

set(tflm_arch_qemu_m4 cortex-m4+fp)
set(tflm_arch_qemu_m7 cortex-m7+fp)
set(tflm_arch_qemu_m33 cortex-m33)
set(tflm_arch_qemu_m0 cortex-m0plus)
if(NOT DEFINED tflm_arch_${BOARD})
  message(FATAL_ERROR " error: the tflm engine does not run on ${BOARD}: choose an emulated board or the aot engine")
endif()

set(tflm_kernels "")
if(TFLM_KERNELS STREQUAL cmsis_nn)
  set(tflm_kernels _cmsis_nn)
  target_compile_definitions(decoder PRIVATE CMSIS_NN) # declares its registrations for one type
endif()
set(tflm_build cortex_m_generic_${tflm_arch_${BOARD}}_${TFLM_BUILD_TYPE}${tflm_kernels}_gcc)
set(tflm_library ${TFLM_DIR}/gen/${tflm_build}/lib/libtensorflow-microlite.a)
if(NOT EXISTS ${tflm_library})
  message(FATAL_ERROR " error: ${tflm_library} is missing: build tflite-micro there for ${tflm_arch_${BOARD}} with ${TFLM_KERNELS} kernels")
endif()

set(tflm_downloads ${TFLM_DIR}/tensorflow/lite/micro/tools/make/downloads)
target_include_directories(decoder SYSTEM PRIVATE
  ${TFLM_DIR} ${tflm_downloads}/flatbuffers/include ${tflm_downloads}/gemmlowp ${tflm_downloads}/ruy)
target_compile_definitions(decoder PRIVATE
  TF_LITE_STATIC_MEMORY          # as in the library: it changes structures
  TF_LITE_STRIP_ERROR_STRINGS)   # nobody reads them, and a release library has no function to print them
target_compile_options(decoder PRIVATE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti -fno-threadsafe-statics>)
target_link_libraries(decoder PUBLIC ${tflm_library})
