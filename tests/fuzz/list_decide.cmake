relyd_fuzz(review USES base observe model snapshot registry token keys signature claims credentials decide mint LIBRARIES PkgConfig::SQLITE
               OpenSSL::Crypto)
