relyd_fuzz(review USES base observe model registry token keys signature claims rules decide mint LIBRARIES PkgConfig::SQLITE
               OpenSSL::Crypto)
