"""A pytest plugin in whose presence answers are recorded instead of compared; `python -m tests.golden` asks for it."""
