relyd_fuzz(http_text USES http)
target_include_directories(fuzz_http_text PRIVATE ${CMAKE_SOURCE_DIR}/src/http)
