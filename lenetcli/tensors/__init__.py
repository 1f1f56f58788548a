"""Storey 1: the Tensor, how it prints, how it is made, saved and loaded."""
