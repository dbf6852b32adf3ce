relyd_fuzz(config USES base config)
