"""A server that plays the bookmakers."""
