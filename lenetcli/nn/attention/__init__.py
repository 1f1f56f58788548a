"""Layers that attend: MultiheadAttention, the layers of a transformer, and what makes sequences of pictures."""
