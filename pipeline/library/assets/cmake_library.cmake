# @title@, as the library ddx7::ddx7. @made@
#
#   add_subdirectory(ddx7)
#   target_link_libraries(mine PRIVATE ddx7::ddx7)
#
# Configured on its own, it also builds the example that plays on a computer.
cmake_minimum_required(VERSION 3.13)
project(ddx7 VERSION @version@ LANGUAGES C)
set(DDX7_VOICES "" CACHE STRING "Voices of each synthesizer; @voices@ if empty")

add_library(ddx7 STATIC
@sources@)
add_library(ddx7::ddx7 ALIAS ddx7)
target_include_directories(ddx7 PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/src)
set_target_properties(ddx7 PROPERTIES C_STANDARD 99 C_EXTENSIONS ON)
if(DDX7_VOICES)
  target_compile_definitions(ddx7 PUBLIC DDX7_VOICES=${DDX7_VOICES})
endif()

if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
  add_executable(render examples/render.c)
  target_link_libraries(render PRIVATE ddx7::ddx7)
endif()
