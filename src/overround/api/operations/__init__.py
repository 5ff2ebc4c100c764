"""Health, metrics and diagnosis for operators."""
