"""Storey 2: every differentiable operation, one family per file, one block per op."""
