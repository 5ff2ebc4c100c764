"""The loopback server that speaks every bookmaker's API, and its faults."""
