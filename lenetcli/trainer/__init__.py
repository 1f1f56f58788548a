"""Storey 7: in a notebook or a script, what the commands do."""
