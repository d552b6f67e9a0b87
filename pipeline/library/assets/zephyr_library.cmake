# @title@, as a module of Zephyr. @made@
if(CONFIG_DDX7)
  set(DDX7_DIR ${CMAKE_CURRENT_LIST_DIR}/..)
  zephyr_library_named(ddx7)
  zephyr_library_sources(
@sources@)
  zephyr_include_directories(${DDX7_DIR}/src)
  zephyr_compile_definitions(DDX7_VOICES=${CONFIG_DDX7_VOICES})
endif()
