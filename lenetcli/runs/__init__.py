"""Storey 6: a run directory is a room: its files, its lock, its checkpoints, its history, opening and continuing it."""
