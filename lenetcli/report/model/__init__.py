"""A model, drawn: layers, parameters, weights."""
