"""Storey 7: draws what the storeys below have found. rich lives here and in cli only."""
