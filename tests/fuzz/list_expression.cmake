relyd_fuzz(expression USES base expression)
target_sources(fuzz_expression PRIVATE ${CMAKE_SOURCE_DIR}/tests/unit/expression/oracle.c)
target_include_directories(fuzz_expression PRIVATE ${CMAKE_SOURCE_DIR}/tests/unit/expression)
