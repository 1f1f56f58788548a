"""Ops that read, write, order and find elements by index or mask."""
