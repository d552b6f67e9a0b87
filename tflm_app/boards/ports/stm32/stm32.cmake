# What the STM32 boards share. A board's CMakeLists calls this with its core's flags; its folder holds chip.h,
# clocks.c, pins.c, i2s.c, adc.c, and link.ld, and what else it has is named with SOURCES.
include(${PROJECT_SOURCE_DIR}/boards/ports/cortex_m/cortex_m.cmake)

function(add_stm32_board)
  cmake_parse_arguments(ARG "" "" "CORE;SOURCES" ${ARGN})
  set(shared ${PROJECT_SOURCE_DIR}/boards/ports/stm32)
  target_sources(board PRIVATE clocks.c pins.c i2s.c adc.c ${ARG_SOURCES}
    ${shared}/startup.c ${shared}/board.c ${shared}/audio.c ${shared}/input.c ${shared}/button.c ${shared}/uart.c
    ${shared}/errors.c)
  target_include_directories(board PRIVATE ${shared})
  add_cortex_m_board(${ARG_CORE})
endfunction()
