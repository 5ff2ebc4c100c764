"""Checks and generators for this repository: house rules, documents, types."""
