"""Keeping a running service sound: partitions, retention, and the comparison of cache and database."""
