"""The course of a training as plain data: curves, gradients, weights, learning rates."""
