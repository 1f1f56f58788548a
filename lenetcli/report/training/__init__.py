"""The course of a training, drawn: progress, curves, tables of runs, the page of a run."""
