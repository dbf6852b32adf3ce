"""What bench/run, bench/scale and bench/latency share."""
