"""Starts the measured service as `overround serve` starts the real one: its modules load without collections."""

from overround.gc_pauses import resting

with resting():
    from benchmarks.pipeline.service import main

if __name__ == "__main__":
    main()
