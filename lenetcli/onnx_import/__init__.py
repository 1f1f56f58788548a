"""Nets of other tools as configurations and weights: an ONNX graph becomes layers.

imported    the way of a file: simplify, patterns, lowering, nesting
simplify    sizes worked out, constants folded, what does nothing left out
sequences   recurrent operators with one result
patterns    layers that are spelt out as several operators
lowering    each operator as a layer (affine, arranging, normalizing, pointwise, pooling, recurrent)
nesting     layers in blocks, under their modules' names
"""
