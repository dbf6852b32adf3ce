relyd_fuzz(admin_json USES base model snapshot registry LIBRARIES PkgConfig::SQLITE)
