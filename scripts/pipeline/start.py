"""Starts the measured service as `overround serve` starts the real one: its modules load without collections."""

from overround.collector import resting

with resting():
    from scripts.pipeline.service import main

if __name__ == "__main__":
    main()
