"""Ops that make each element from the elements at its place."""
