relyd_fuzz(review USES base observe registry token keys signature claims rules decide mint LIBRARIES PkgConfig::SQLITE
               OpenSSL::Crypto)
