"""One bookmaker's market and outcome ids, and how they are read as catalogue markets and written back."""
