"""The catalogue, its coverage, and checks of prices."""
