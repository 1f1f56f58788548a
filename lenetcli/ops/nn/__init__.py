"""Ops of neural networks: what the layers are made of."""
