relyd_fuzz(tokenreview USES protobuf base)
relyd_fuzz(check_request USES protobuf base)
