"""The newest prices of all bookmakers in memory, and what changed against them."""
