# WebAssembly with Debian's clang, lld, wasi-libc and the built-in functions of compiler-rt.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(CMAKE_C_COMPILER clang)
set(CMAKE_C_COMPILER_TARGET wasm32-wasi)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

# Without this check, a missing package would show as a header or an object that the compiler does not find.
foreach(part IN ITEMS crt1-command.o=wasi-libc libclang_rt.builtins-wasm32.a=libclang-rt-14-dev-wasm32)
  string(REGEX MATCH "(.*)=(.*)" part ${part})
  execute_process(COMMAND clang --target=wasm32-wasi -print-file-name=${CMAKE_MATCH_1}
    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT EXISTS "${found}")
    message(FATAL_ERROR " error: clang has no ${CMAKE_MATCH_1} for WebAssembly: apt-get install ${CMAKE_MATCH_2}")
  endif()
endforeach()
