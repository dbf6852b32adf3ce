relyd_fuzz(admin_json USES base registry LIBRARIES PkgConfig::SQLITE)
