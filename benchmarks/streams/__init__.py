"""The parts of `benchmark_streams`."""
