"""The market model: fixtures, chances, prices, and how they move."""
