"""Prices judged: probabilities, margins, comparison, and checks that find wrong mappings. Pure."""
