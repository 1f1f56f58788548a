"""Storey 6: trained models as files that other tools read.

Layers become a graph of ONNX's operators (`graph`, and one file for each family of layers); the graph becomes an .onnx
file (`onnx_file`) or a Python file that needs NumPy only (`python_file`). Weights leave as they are in `weights`, a
folder as Hugging Face has them in `folder`.
"""
