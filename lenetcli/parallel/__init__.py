"""Storey 6: one training by several processes over MPI. Nothing below knows of it, and nothing here is imported unless
several processes were started."""
