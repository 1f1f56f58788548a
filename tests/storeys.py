"""The rooms of lenetcli from the ground up: the one table that README's table and the architecture test are made from.

A room imports from rooms above it in this list only; within a room, files import without circles.
"""

from __future__ import annotations

STOREYS = {  # room: (storey, story)
    "errors": (0, "the error tree, each error with its exit code"),
    "lazy": (0, "names that a package offers from modules that are imported on first use"),
    "background": (0, "work in threads, or here where none can begin"),
    "kernels": (0, "arrays in, arrays out: the hot loops in NumPy, and `native/` and `cuda/`, their twins"),
    "display": (0, "arrays and texts in, HTML and PNG out"),
    "disk": (0, "files written whole or not at all"),
    "file_lock": (0, "the system's own lock on a file"),
    "formats": (0, "files of other tools, read as plain data; no code of a file is run"),
    "autograd": (1, "the tape: variable, node, op, backward, hooks, modes"),
    "ops": (2, "every operation, one family a file, in six wings"),
    "tensors": (2, "Tensor: how it prints, is made, drawn at random, saved and loaded"),
    "linalg": (2, "matrix functions under torch's names"),
    "func": (2, "gradients, Jacobians and Hessians of functions, as functions"),
    "distributions": (2, "probability distributions under torch's names"),
    "cuda": (2, "the GPU under torch's names"),
    "accelerator": (2, "the GPU without its maker's name, as torch.accelerator"),
    "nn": (3, "modules and layers"),
    "optim": (3, "optimizers and schedulers"),
    "data": (3, "data sets, transforms and loaders"),
    "utils": (3, "torch.utils.data: data sets, samplers and loader as torch names them"),
    "vision": (3, "torchvision's names for the data sets and transforms that are here"),
    "config": (4, "YAML in which every value knows its line, overrides, schemas derived from constructors, errors"),
    "export": (4, "trained models as files that other tools read"),
    "onnx_import": (4, "ONNX graphs as configurations and weights"),
    "train": (5, "the loop as a stream of events, the step as phases, evaluation"),
    "build": (5, "the only place where configuration and objects meet"),
    "runs": (6, "a run directory is a room: its files, lock, checkpoints, history; opening and continuing it"),
    "parallel": (6, "one training by several processes"),
    "inspection": (6, "what the product shows, as plain data"),
    "sweep": (6, "many runs of one configuration"),
    "report": (7, "the same, drawn: tables, progress, plots, pages; rich lives here and in cli only"),
    "trainer": (7, "a run from Python"),
    "as_torch": (7, "a script written for torch, answered by this package"),
    "cli": (7, "commands: parse, call the library, draw, exit code"),
    "__main__": (7, "the program"),
}


def table() -> str:
    """The storeys as README shows them, from the top down."""
    lines = ["| storey | room | story |", "|---|---|---|"]
    for name, (storey, story) in reversed(STOREYS.items()):
        lines.append(f"| {storey} | `{name}` | {story} |")
    return "\n".join(lines) + "\n"
