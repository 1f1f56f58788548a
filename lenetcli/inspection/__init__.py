"""Storey 6: what the product shows, as plain data, not yet drawn."""
