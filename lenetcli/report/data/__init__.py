"""Samples and downloads, drawn."""
