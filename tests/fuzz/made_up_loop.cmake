# relyd_made_up_loop(TARGET): its connections have the loop of made_up_loop.c in place of a real one.
function(relyd_made_up_loop target)
    target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/made_up_loop.c)
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src/http ${CMAKE_SOURCE_DIR}/tests/fuzz)
    foreach(function
            rely_connection_receive rely_connection_peek rely_connection_send rely_connection_want_input
            rely_connection_want_output rely_connection_want_turn rely_connection_end_output rely_connection_close
            rely_connection_enter rely_connection_hold rely_connection_count_cut rely_loop_shared rely_loop_scratch
            rely_loop_is_draining rely_loop_get_options rely_clock_coarse_s rely_clock_coarse_ms rely_clock_monotonic_us)
        target_link_options(${target} PRIVATE -Wl,--wrap=${function})
    endforeach()
endfunction()
