"""The benchmark of the whole pipeline, at the path that the phase plan names."""

import runpy

runpy.run_module("benchmarks.pipeline", run_name="__main__")
