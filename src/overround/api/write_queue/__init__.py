"""The write queue, its dead letters, and the integrity check."""
