# What all boards with a Cortex-M share. A family or a board calls this with its core's flags; the board's folder
# holds link.ld.
function(add_cortex_m_board)
  set(shared ${PROJECT_SOURCE_DIR}/boards/ports/cortex_m)
  target_sources(board PRIVATE ${shared}/reset.c)
  target_include_directories(board PRIVATE ${shared})
  target_compile_options(board PUBLIC -mthumb ${ARGN})
  # The C library serves memcpy and its like alone; start-up and files are ours.
  target_link_options(board PUBLIC -mthumb ${ARGN} -specs=nano.specs -nostartfiles
    -L${shared} -T${CMAKE_CURRENT_SOURCE_DIR}/link.ld)
  set_property(TARGET board APPEND PROPERTY INTERFACE_LINK_DEPENDS
    ${CMAKE_CURRENT_SOURCE_DIR}/link.ld ${shared}/sections.ld)
endfunction()
