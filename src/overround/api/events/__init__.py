"""Events with their prices: lists, single events, CSV."""
