# Defines how targets are made. All options belong to targets, so that a project that adds this one keeps its own.

# The options for compiling and linking code for the core of BOARD; empty without a board.
add_library(neural_fm_core INTERFACE)
if(BOARD_CORE_FLAGS)
  target_compile_options(neural_fm_core INTERFACE -mthumb ${BOARD_CORE_FLAGS})
  target_link_options(neural_fm_core INTERFACE -mthumb ${BOARD_CORE_FLAGS})
endif()
if(BOARD_HAS_DATA_CACHE)
  target_compile_definitions(neural_fm_core INTERFACE DECODER_PREFETCH) # weights in flash, behind the cache
endif()

# The options for compiling: those of all code, and those of our own code. Both are always linked PRIVATE and have
# no linker options, so they do not reach the targets of another project.
add_library(neural_fm_code_generation INTERFACE)
target_compile_options(neural_fm_code_generation INTERFACE
  -O2 -g -ffunction-sections -fdata-sections
  -ffp-contract=off # a fused multiply-add would change bits on the cores that have one
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)

add_library(neural_fm_options INTERFACE)
target_link_libraries(neural_fm_options INTERFACE neural_fm_code_generation)
target_compile_options(neural_fm_options INTERFACE
  -Wall -Wextra -Wconversion -Wdouble-promotion -Wshadow
  $<$<BOOL:${NEURAL_FM_WERROR}>:-Werror>
  $<$<BOOL:${SANITIZE}>:-fsanitize=address,undefined -fno-sanitize-recover=all>)

set(neural_fm_language_properties C_STANDARD 99 C_EXTENSIONS ON CXX_STANDARD 17) # extensions: asm, attributes

# Adds the library PART, which other projects link as neural_fm::PART. Its archive must be libPART.a, because the
# pipeline reads the size of each part from the link map by that name. target_sources(neural_fm_PART ...) may add
# more sources.
function(neural_fm_add_library part)
  set(target neural_fm_${part})
  add_library(${target} STATIC ${ARGN})
  add_library(neural_fm::${part} ALIAS ${target})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${part} ${neural_fm_language_properties})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC neural_fm_core PRIVATE neural_fm_options)
endfunction()

# Compiles sources of the folder for size instead of speed, because they run rarely and memory is short: a Pico copies
# the whole firmware to RAM.
function(neural_fm_compile_for_size)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -Os) # comes after -O2
endfunction()

# Adds a program of this project. It is built at the top of the build folder, with its link map beside it.
function(neural_fm_add_program name)
  add_executable(${name} ${ARGN})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
    ${neural_fm_language_properties})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE neural_fm_options)
  target_link_options(${name} PRIVATE -Wl,--gc-sections
    $<$<BOOL:${SANITIZE}>:-fsanitize=address,undefined>
    $<$<BOOL:${CMAKE_CROSSCOMPILING}>:-Wl,-Map=${PROJECT_BINARY_DIR}/${name}.map>)
endfunction()
