"""When scrape runs happen by themselves."""
