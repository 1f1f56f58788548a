"""Ops that make one number of many: sums, extremes, spreads, norms, running sums."""
