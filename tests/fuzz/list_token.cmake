relyd_fuzz(base64url USES base)
relyd_fuzz(token USES base token LIBRARIES PkgConfig::JANSSON)
relyd_fuzz(view USES base token LIBRARIES PkgConfig::JANSSON)
relyd_fuzz(claims USES base token claims LIBRARIES PkgConfig::JANSSON m)
