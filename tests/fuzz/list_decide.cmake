relyd_fuzz(review USES base expression observe model snapshot registry token keys signature claims credentials decide mint LIBRARIES PkgConfig::SQLITE
               OpenSSL::Crypto)
target_sources(fuzz_review PRIVATE review_rules.c ${CMAKE_SOURCE_DIR}/tests/unit/expression/oracle.c)
target_include_directories(fuzz_review PRIVATE ${CMAKE_SOURCE_DIR}/tests/unit/expression)
