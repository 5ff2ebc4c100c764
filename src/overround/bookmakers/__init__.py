"""Bookmakers: fetching, the registry of plug-ins, and a package for each bookmaker that ships."""
