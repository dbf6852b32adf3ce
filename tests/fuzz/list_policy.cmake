relyd_fuzz(preset USES base json policy)
