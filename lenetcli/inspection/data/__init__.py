"""Samples and what a model says of them, as plain data."""
