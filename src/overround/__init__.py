"""Overround: odds comparison for a bookmaker's trading desk."""
