"""Measurements of Overround against its budgets; each module is run by a make target."""
