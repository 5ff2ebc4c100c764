"""What measures and checks Overround, run from a checkout."""
