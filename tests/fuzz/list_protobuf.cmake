relyd_fuzz(tokenreview USES protobuf base)
