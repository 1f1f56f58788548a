"""Differences, drawn."""
