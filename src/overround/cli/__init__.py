"""The command line: one module a command group; heavy imports wait until a command runs."""
