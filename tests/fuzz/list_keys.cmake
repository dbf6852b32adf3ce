relyd_fuzz(jwks USES base token keys LIBRARIES OpenSSL::Crypto)
relyd_fuzz(signature USES base token keys signature LIBRARIES OpenSSL::Crypto)
relyd_fuzz(ecdsa USES base token keys signature LIBRARIES OpenSSL::Crypto)
relyd_fuzz(rsa USES base token keys signature LIBRARIES OpenSSL::Crypto)
