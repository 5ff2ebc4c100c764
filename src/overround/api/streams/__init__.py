"""The live streams over HTTP."""
