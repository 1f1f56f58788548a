"""The page that `lenet report` writes: one self-contained HTML file without scripts."""
