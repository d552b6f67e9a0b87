# @title@, as the library ddx7 of a Pico SDK project. @made@
#
#   add_subdirectory(ddx7)
#   target_link_libraries(mine ddx7)
#
# The sources are compiled with the target that links them. Set DDX7_VOICES before, for another number of voices
# than @voices@, and DDX7_WEIGHTS_IN_FLASH if the models do not fit into RAM.
add_library(ddx7 INTERFACE)
target_sources(ddx7 INTERFACE
@sources@)
target_include_directories(ddx7 INTERFACE ${CMAKE_CURRENT_LIST_DIR}/src)
if(DDX7_VOICES)
  target_compile_definitions(ddx7 INTERFACE DDX7_VOICES=${DDX7_VOICES})
endif()
if(DDX7_WEIGHTS_IN_FLASH)
  target_compile_definitions(ddx7 INTERFACE DDX7_WEIGHTS_IN_FLASH)
endif()
