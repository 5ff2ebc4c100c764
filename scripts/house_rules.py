"""The house rules that no off-the-shelf linter holds."""

import runpy

runpy.run_module("tools.house_rules", run_name="__main__")
