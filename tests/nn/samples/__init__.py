"""Samples of layers: one file per family, each with a list SAMPLES (and REFUSED, where torch refuses)."""
