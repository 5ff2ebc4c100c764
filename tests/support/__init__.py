"""What several test modules build upon."""
