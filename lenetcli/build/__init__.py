"""Storey 5: the only place where configuration and objects meet."""
