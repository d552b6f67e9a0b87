# What the MPS2 boards of QEMU share. A board's CMakeLists calls this with its core's flags.
include(${PROJECT_SOURCE_DIR}/boards/ports/cortex_m/cortex_m.cmake)

function(add_mps2_board)
  cmake_parse_arguments(ARG "" "SYSTICK_HZ" "CORE" ${ARGN})
  set(shared ${PROJECT_SOURCE_DIR}/boards/ports/mps2)
  target_sources(board PRIVATE ${shared}/startup.c ${shared}/board.c
    ${PROJECT_SOURCE_DIR}/boards/ports/hosted/play_board.c)
  target_include_directories(board PRIVATE ${shared})
  target_compile_definitions(board PRIVATE BOARD_SYSTICK_HZ=${ARG_SYSTICK_HZ})
  add_cortex_m_board(${ARG_CORE})
endfunction()
