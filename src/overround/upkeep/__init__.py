"""Looking after a running service: the rules by which it says that something is not well."""
