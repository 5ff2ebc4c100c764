"""A writer process that dies at every place of the write path, and a database that dies under it: short forms."""
