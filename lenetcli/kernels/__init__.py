"""Storey 0: arrays in, arrays out. One file per family; every function here is the NumPy reference of its family."""
