# What finds pitch and loudness in live sound, and `analyse`, which does no more. For cores with an FPU.
add_library(analysis STATIC analysis/analysis.c analysis/analysis_tables.c)
target_include_directories(analysis PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(analysis PRIVATE warnings PUBLIC cmsis_dsp board)

add_executable(analyse EXCLUDE_FROM_ALL apps/analyse/main.c apps/report.c instrument/frame.c)
target_link_libraries(analyse PRIVATE analysis board warnings)
