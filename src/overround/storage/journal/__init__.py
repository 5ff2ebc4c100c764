"""The durable journal: segments on local disk, their frames, and recovery."""
