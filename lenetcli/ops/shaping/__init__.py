"""Ops that put the same values into other shapes, orders and places."""
