"""The text of the Python file that a graph becomes: its parts, and the operators that are an expression."""

# operators that are an expression of their inputs
EXPRESSIONS = {
    "Abs": "np.abs({0})",
    "Acos": "np.arccos({0})",
    "Acosh": "np.arccosh({0})",
    "Add": "{0} + {1}",
    "And": "{0} & {1}",
    "Asin": "np.arcsin({0})",
    "Asinh": "np.arcsinh({0})",
    "Atan": "np.arctan({0})",
    "Atanh": "np.arctanh({0})",
    "Ceil": "np.ceil({0})",
    "Cos": "np.cos({0})",
    "Cosh": "np.cosh({0})",
    "Equal": "{0} == {1}",
    "Exp": "np.exp({0})",
    "Expand": "np.broadcast_to({0}, np.broadcast_shapes({0}.shape, tuple({1})))",
    "Floor": "np.floor({0})",
    "Gather": "np.take({0}, {1}, {axis})",
    "Greater": "{0} > {1}",
    "GreaterOrEqual": "{0} >= {1}",
    "Identity": "{0}",
    "IsInf": "np.isinf({0})",
    "IsNaN": "np.isnan({0})",
    "Less": "{0} < {1}",
    "LessOrEqual": "{0} <= {1}",
    "Log": "np.log({0})",
    "MatMul": "{0} @ {1}",
    "Max": "np.maximum({0}, {1})",
    "Min": "np.minimum({0}, {1})",
    "Mul": "{0} * {1}",
    "Neg": "-{0}",
    "Not": "~{0}",
    "Or": "{0} | {1}",
    "Pow": "{0} ** {1}",
    "Reciprocal": "1 / {0}",
    "ReduceMax": "{0}.max({1}, keepdims=bool({keepdims}))",
    "ReduceMean": "{0}.mean({1}, keepdims=bool({keepdims}))",
    "ReduceMin": "{0}.min({1}, keepdims=bool({keepdims}))",
    "ReduceProd": "{0}.prod({1}, keepdims=bool({keepdims}))",
    "ReduceSum": "{0}.sum({1}, keepdims=bool({keepdims}))",
    "Relu": "np.maximum({0}, 0)",
    "Round": "np.rint({0})",
    "Shape": "np.array({0}.shape)",
    "Sign": "np.sign({0})",
    "Sin": "np.sin({0})",
    "Sinh": "np.sinh({0})",
    "Sqrt": "np.sqrt({0})",
    "Squeeze": "{0}.squeeze(tuple({1}))",
    "Sub": "{0} - {1}",
    "Tan": "np.tan({0})",
    "Tanh": "np.tanh({0})",
    "Tile": "np.tile({0}, {1})",
    "Transpose": "{0}.transpose({perm})",
    "Where": "np.where({0}, {1}, {2})",
    "Xor": "{0} ^ {1}",
}


# operators whose inputs behind the first are sizes, axes and places
LISTED = {
    "Expand", "Gather", "Pad", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Reshape", "Slice",
    "Squeeze", "Tile", "TopK",
}  # fmt: skip


PROBABILITIES = {"scores": "softmax(y, axis=1)", "logits": "sigmoid(y)", "logarithms": "np.exp(y)"}


RENAMED = {
    "GRU": "gru",
    "LSTM": "lstm",
    "RNN": "rnn",
    "Slice": "part",
}  # operators whose function has another name than theirs


HEAD = '''"""{title}

{story}

Made by lenet {version}. It needs Python 3.10 and NumPy, nothing else.
"""

from __future__ import annotations

import base64
import math
import sys
import zlib

import numpy as np

Array = np.ndarray
Sizes = tuple

{constants}


def forward({arguments}) -> {result}:
    """The model: {input} -> {output}, for a batch of any size N."""
{body}
'''


PICTURES = '''

def prepare(images: Array) -> Array:
    """Images (N, {channels}, H, W) of any size as the model was trained on them.

    Integers are pixels from 0 (black) to 255 (white); floats are from 0 to {white:g}: only resized and normalised.
    """
    images = np.asarray(images)
    x = images.astype(np.float32)
    for axis, size in zip((2, 3), HELD):
        if x.shape[axis] > size:
            x = rescaled(x, axis, *pixel_weights(x.shape[axis], size, x.shape[axis] / size))
    for axis, size in zip((2, 3), HELD):
        if x.shape[axis] < size:
            x = rescaled(x, axis, *pixel_weights(x.shape[axis], size, 1))
    if images.dtype.kind in "iu":
        x = np.rint(x) * np.float32(PIXEL)
    for axis, size in zip((2, 3), SEEN):
        if x.shape[axis] != size:
            x = rescaled(x, axis, *pixel_weights(x.shape[axis], size, 1))
    return (x - MEAN) / STD


def predict(images: Array) -> Array:
    """The model's output for images as `prepare` takes them{meaning}."""
    y = forward(prepare(images))
    return {probabilities}
'''


CLASSES = '''

def classify(images: Array) -> list[tuple[str, float]]:
    """The likeliest class of each image, and its probability."""
    shares = predict(images)
    return [(CLASSES[i] if i < len(CLASSES) else str(i), float(row[i])) for row, i in zip(shares, shares.argmax(1))]


def main() -> None:
    """Classifies the images of .npy files: [H, W], [N, H, W] (gray), [C, H, W], [N, C, H, W], with C last, or rows."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(f"usage: python {sys.argv[0]} FILE.npy ...")
    for name in sys.argv[1:]:
        try:
            with open(name, "rb") as file:
                is_array = file.read(6) == b"\\x93NUMPY"
            if not is_array:
                mode = "L" if CHANNELS == 1 else "RGB"
                made = f"np.save('x.npy', np.asarray(PIL.Image.open({name!r}).convert('{mode}')))"
                sys.exit(f"{name}: wanted an .npy file, as np.save writes it; of a picture: {made}")
            images = np.load(name, allow_pickle=False)
        except OSError as error:
            sys.exit(f"{name}: {error}")
        except Exception as error:
            sys.exit(f"{name}: no sound .npy file: {' '.join(str(error).split())[:200]}")
        if images.dtype.kind not in "biuf":
            sys.exit(f"{name}: wanted numbers, got an array of {images.dtype}")
        is_last = images.ndim in (3, 4) and images.shape[-1] == CHANNELS
        if images.ndim in (1, 2) and images.shape[-1] == CHANNELS * HELD[0] * HELD[1]:
            images = images.reshape(-1, CHANNELS, *HELD)
        elif is_last and (images.shape[-3] != CHANNELS or images.shape[-3:-1] == HELD):  # the channels
            images = np.moveaxis(images, -1, -3)
        elif images.ndim == 2 or (images.ndim == 3 and images.shape[0] != CHANNELS):
            images = images[..., None, :, :]
        images = images[None] if images.ndim == 3 else images
        if images.ndim != 4 or images.shape[1] != CHANNELS or not images.size:
            sys.exit(f"{name}: wanted images of {CHANNELS} channels, got an array {list(images.shape)}")
        for i, (label, share) in enumerate(classify(images)):
            print(f"{name}[{i}]\\t{label}\\t{share:.4f}")
'''


WEIGHTS = '''

def unpack(text: str) -> dict[str, Array]:
    """The weights: arrays one after the other, packed by zlib and written in base64."""
    data, at, found = zlib.decompress(base64.b64decode(text)), 0, {{}}
    for name, kind, shape in TABLE:
        found[name] = np.frombuffer(data, kind, math.prod(shape), at).reshape(shape)
        at += found[name].nbytes
    return found


TABLE = [
{table}
]
W = unpack(
    """
{text}
    """
)
'''


RUN = """

if __name__ == "__main__":
    main()
"""
