"""The settings that may change while the service runs."""
