"""The records that travel: odds, events, batches, responses, and rows read back from the database."""
