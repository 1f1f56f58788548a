"""The gradient graph, drawn: text, pictures, a page."""
