"""Storey 6: trained models as files that other tools read.

Two forward passes are traced (`trace`) and compared (`samples`), so that sizes which grow with the number of samples
are known; each op adds its nodes to a graph of ONNX's operators (`lowering`, `graph`, and one file for each family of
ops).
The graph becomes an .onnx file (`onnx_file`), a Python file that needs NumPy only (`python_file`), a C file (`c_file`)
or a page in which the net runs (`html_file`), and is `checked` against the engine first. Weights leave as they are in
`weights`, a folder as Hugging Face has them in `folder`.
"""
