"""The bookmakers' state, and their unmatched listings."""
