"""Storey 6: training as a stream of events, evaluation, and the run directory."""
