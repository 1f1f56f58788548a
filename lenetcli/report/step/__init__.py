"""A training step, drawn."""
