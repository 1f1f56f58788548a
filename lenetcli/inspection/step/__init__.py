"""One training step as plain data: what happened, by which rule, how long it took."""
