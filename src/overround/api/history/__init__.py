"""How an event's prices have moved."""
