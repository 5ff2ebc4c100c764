"""The live stream: the log of changes, its clients, and the text of its messages."""
