"""The API's answers as they were recorded: later work changes one only where it means to.

`python -m tests.golden --renew` records them again.
"""
