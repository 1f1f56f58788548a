"""The gradient graph as plain data: its nodes, their figures, whether each is right."""
