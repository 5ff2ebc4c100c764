"""The parts that a bookmaker's plug-in is built from."""
