"""From bookmakers' answers to the cache and the write queue: discovery, matching, scraping, runs."""
