"""Storey 7: the commands. Each file parses, calls the library, draws, and gives the exit code."""
