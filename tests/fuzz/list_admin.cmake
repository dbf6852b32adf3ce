relyd_fuzz(admin_json USES base model registry LIBRARIES PkgConfig::SQLITE)
