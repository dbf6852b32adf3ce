# What `cmake --install` puts where. --prefix and DESTDIR count; the configuration has one place, /etc/relyd, because that is
# where relyd looks for it, and one that is there already is an administrator's own: it stays.
include(GNUInstallDirs)

install(TARGETS relyd RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${CMAKE_SOURCE_DIR}/docs/relyd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/conf/gateways DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/relyd)
install(CODE "set(conf \"${CMAKE_SOURCE_DIR}/conf\")\nset(bin \"${CMAKE_INSTALL_BINDIR}\")")
install(CODE [[
    if(EXISTS "$ENV{DESTDIR}/etc/relyd/relyd.yaml")
        message(STATUS "Kept: $ENV{DESTDIR}/etc/relyd/relyd.yaml")
    else()
        file(INSTALL "${conf}/relyd.yaml" DESTINATION "/etc/relyd")
    endif()
    # The unit says where relyd is, which only now is known.
    set(unit "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/systemd/system/relyd.service")
    file(READ "${conf}/relyd.service" text)
    string(REPLACE "/usr/bin/relyd" "${CMAKE_INSTALL_PREFIX}/${bin}/relyd" text "${text}")
    file(WRITE "${unit}" "${text}")
    message(STATUS "Installing: ${unit}")
]])
