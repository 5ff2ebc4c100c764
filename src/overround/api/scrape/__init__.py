"""Scrape runs: started, watched, scheduled."""
