"""The comparison of cache and history with the market model."""

import runpy

runpy.run_module("tools.oracle_check", run_name="__main__")
