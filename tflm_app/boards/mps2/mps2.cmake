# What the MPS2 boards of QEMU share. A board's CMakeLists calls this with its core's flags.
function(add_mps2_board)
  cmake_parse_arguments(ARG "" "SYSTICK_HZ" "CORE" ${ARGN})
  set(shared ${PROJECT_SOURCE_DIR}/boards/mps2)
  target_sources(board PRIVATE ${shared}/startup.c ${shared}/board.c
    ${PROJECT_SOURCE_DIR}/boards/emulated/play_board.c)
  target_include_directories(board PRIVATE ${shared})
  target_compile_definitions(board PRIVATE BOARD_SYSTICK_HZ=${ARG_SYSTICK_HZ})
  target_compile_options(board PUBLIC -mthumb ${ARG_CORE})
  # The C library serves memcpy and its like alone; start-up and files are ours.
  target_link_options(board PUBLIC -mthumb ${ARG_CORE} -specs=nano.specs -nostartfiles
    -L${shared} -T${CMAKE_CURRENT_SOURCE_DIR}/link.ld)
  set_property(TARGET board APPEND PROPERTY INTERFACE_LINK_DEPENDS
    ${CMAKE_CURRENT_SOURCE_DIR}/link.ld ${shared}/sections.ld)
endfunction()
