"""Products and norms of vectors and matrices."""
