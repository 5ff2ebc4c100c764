"""Programs for those who work on Overround: what the house looks like, and whether it keeps its rules."""
