# What the Picos share. A board's CMakeLists calls this with its core's flags; its folder holds chip.h, loader.c and
# link.ld.
include(${PROJECT_SOURCE_DIR}/boards/ports/cortex_m/cortex_m.cmake)

set(PICO_AUDIO i2s CACHE STRING "Sound of the Picos: i2s, to a DAC, or pwm, on a pin")

function(add_rp2_board)
  set(shared ${PROJECT_SOURCE_DIR}/boards/ports/rp2)
  target_sources(board PRIVATE loader.c ${shared}/startup.c ${shared}/board.c ${shared}/clocks.c ${shared}/uart.c
    ${shared}/audio.c ${shared}/${PICO_AUDIO}.c)
  target_include_directories(board PRIVATE ${shared})
  if(PICO_AUDIO STREQUAL pwm)
    target_compile_definitions(board PRIVATE AUDIO_PWM)
  endif()
  add_cortex_m_board(${ARGN})
  target_link_options(board BEFORE PUBLIC -L${shared}) # its sections.ld is the one to include
  target_link_options(board PUBLIC -Wl,-u,boot_load)   # or the linker leaves the loader in its library
  set_property(TARGET board APPEND PROPERTY INTERFACE_LINK_DEPENDS ${shared}/sections.ld)
endfunction()
