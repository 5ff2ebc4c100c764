"""Keys, sessions, and settings that change while the service runs."""
