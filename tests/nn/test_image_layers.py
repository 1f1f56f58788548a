"""Layers of images and sequences against torch's: convolution, pooling, padding, resizing, rearranging."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.errors import ShapeError
from tests.nn.parity import assert_close, assert_same_training, batch_last, pair
from tests.ops.sample import normal

SEQUENCE, IMAGE = (2, 4, 9), (2, 4, 8, 7)

# layer, positional arguments, options, shape of the input
CASES: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = [
    ("Conv1d", (4, 6, 3), {}, SEQUENCE),
    ("Conv1d", (4, 6, 3), {"stride": 2, "padding": 1, "dilation": 2, "groups": 2, "bias": False}, SEQUENCE),
    ("Conv1d", (4, 6, (3,)), {"padding": "same", "padding_mode": "circular"}, SEQUENCE),
    ("Conv1d", (4, 6, 3), {"padding": 2, "padding_mode": "replicate"}, SEQUENCE[1:]),
    ("Conv2d", (4, 6, 3), {}, IMAGE),
    ("Conv2d", (4, 6, (3, 2)), {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}, IMAGE),
    ("Conv2d", (4, 8, 3), {"groups": 4, "bias": False}, IMAGE),
    ("Conv2d", (4, 6, 5), {"padding": "same"}, IMAGE),
    ("Conv2d", (4, 6, (2, 4)), {"padding": "same"}, IMAGE),
    ("Conv2d", (4, 6, 3), {"padding": "valid"}, IMAGE),
    ("Conv2d", (4, 6, 3), {"padding": (1, 2), "padding_mode": "reflect"}, IMAGE),
    ("Conv2d", (4, 6, (4, 3)), {"padding": "same", "padding_mode": "reflect"}, IMAGE),
    ("Conv2d", (4, 6, 3), {"padding": 1, "padding_mode": "replicate", "stride": 2}, IMAGE),
    ("Conv2d", (4, 6, 3), {"padding": 2, "padding_mode": "circular"}, IMAGE[1:]),
    ("Conv2d", (4, 6, 3), {"padding": "valid", "padding_mode": "circular"}, IMAGE),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2, "output_padding": 1}, SEQUENCE),
    ("ConvTranspose1d", (4, 6, 3), {"groups": 2, "bias": False, "padding": 1, "dilation": 2}, SEQUENCE[1:]),
    ("ConvTranspose2d", (4, 6, 3), {}, IMAGE),
    ("ConvTranspose2d", (4, 6, (3, 2)), {"stride": (2, 3), "padding": 1, "output_padding": (1, 0)}, IMAGE),
    ("ConvTranspose2d", (4, 6, 2), {"groups": 2, "bias": False, "dilation": (1, 2)}, IMAGE[1:]),
    ("MaxPool1d", (2,), {}, SEQUENCE),
    ("MaxPool1d", (3,), {"stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True}, SEQUENCE[1:]),
    ("MaxPool2d", (2,), {}, IMAGE),
    ("MaxPool2d", ((3, 2),), {"stride": (1, 2), "padding": 1, "ceil_mode": True}, IMAGE),
    ("MaxPool2d", (2,), {"stride": 1, "dilation": (2, 1)}, IMAGE[1:]),
    ("AvgPool1d", (2,), {}, SEQUENCE),
    ("AvgPool1d", (3, 2, 1), {"ceil_mode": True, "count_include_pad": False}, SEQUENCE[1:]),
    ("AvgPool2d", (2,), {}, IMAGE),
    ("AvgPool2d", ((3, 2),), {"stride": (1, 2), "padding": 1, "ceil_mode": True, "count_include_pad": False}, IMAGE),
    ("AvgPool2d", (2,), {"divisor_override": 3}, IMAGE[1:]),
    ("AdaptiveAvgPool1d", (4,), {}, SEQUENCE),
    ("AdaptiveAvgPool1d", (1,), {}, SEQUENCE[1:]),
    ("AdaptiveAvgPool2d", (3,), {}, IMAGE),
    ("AdaptiveAvgPool2d", ((None, 10),), {}, IMAGE[1:]),
    ("AdaptiveAvgPool2d", ((1, 1),), {}, IMAGE),
    ("AdaptiveMaxPool1d", (4,), {}, SEQUENCE),
    ("AdaptiveMaxPool2d", ((3, 5),), {}, IMAGE),
    ("AdaptiveMaxPool2d", ((None, 2),), {}, IMAGE[1:]),
    ("LPPool1d", (2, 3), {"stride": 2}, SEQUENCE),
    ("LPPool2d", (4, (2, 3)), {"ceil_mode": True}, IMAGE),
    ("ZeroPad1d", (2,), {}, SEQUENCE),
    ("ZeroPad2d", ((1, 0, 2, -1),), {}, IMAGE),
    ("ConstantPad1d", ((1, 2), 3.5), {}, SEQUENCE),
    ("ConstantPad2d", (1, -2), {}, IMAGE[1:]),
    ("ReflectionPad1d", (3,), {}, SEQUENCE),
    ("ReflectionPad2d", ((1, 2, 3, 0),), {}, IMAGE),
    ("ReplicationPad1d", ((3, 0),), {}, SEQUENCE[1:]),
    ("ReplicationPad2d", (2,), {}, IMAGE),
    ("CircularPad1d", (3,), {}, SEQUENCE),
    ("CircularPad2d", ((1, 2, 3, 0),), {}, IMAGE[1:]),
    ("Upsample", (), {"scale_factor": 2}, IMAGE),
    ("Upsample", (12,), {"mode": "linear"}, SEQUENCE),
    ("Upsample", ((5, 9),), {"mode": "bilinear", "align_corners": True}, IMAGE),
    ("Upsample", (), {"scale_factor": (1.5, 0.5), "mode": "bicubic", "recompute_scale_factor": True}, IMAGE),
    ("UpsamplingNearest2d", (), {"scale_factor": (2, 3)}, IMAGE),
    ("UpsamplingBilinear2d", ((11, 5),), {}, IMAGE),
    ("PixelShuffle", (2,), {}, IMAGE),
    ("PixelUnshuffle", (2,), {}, (2, 4, 8, 6)),
    ("ChannelShuffle", (2,), {}, IMAGE),
    ("Unfold", (2,), {}, IMAGE),
    ("Unfold", ((3, 2), 2), {"padding": 1, "stride": (2, 1)}, IMAGE[1:]),
    ("Fold", ((4, 5), 2), {}, (2, 12, 12)),
    ("Fold", (5, 2), {"dilation": 3, "padding": 0, "stride": 1}, (8, 4)),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "args", "options", "shape"), CASES, ids=str)
def test_layers_train_as_torchs(
    torch: Any, layer: str, args: Any, options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    x = np.abs(normal(*shape)) + np.float32(0.1) if layer.startswith("LP") else normal(*shape)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel lengths")
        assert_same_training(torch, lambda n: getattr(n, layer)(*args, **options), x, steps=2, tolerance=1e-4)


@pytest.mark.parametrize(
    ("layer", "args", "options", "shape"),
    [
        ("MaxPool1d", (3,), {"stride": 2, "padding": 1}, SEQUENCE),
        ("MaxPool2d", (2,), {"ceil_mode": True}, IMAGE),
        ("MaxPool2d", (3, 2, 1), {"dilation": 1}, IMAGE[1:]),
        ("AdaptiveMaxPool1d", (4,), {}, SEQUENCE[1:]),
        ("AdaptiveMaxPool2d", (3,), {}, IMAGE),
    ],
)
def test_pools_say_where_the_maxima_were(
    torch: Any, layer: str, args: Any, options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    ours, theirs = pair(torch, lambda n: getattr(n, layer)(*args, return_indices=True, **options))
    x = normal(*shape)
    for got, wanted in zip(ours(lenet.from_numpy(batch_last(x))), theirs(torch.tensor(x))):
        assert_close(got, wanted, 0)


@pytest.mark.parametrize(
    ("dims", "args", "shape", "size"),
    [
        (1, (2,), SEQUENCE, (2, 4, 9)),
        (1, (3, 2, 1), SEQUENCE[1:], None),
        (2, (2,), IMAGE, (8, 7)),
        (2, ((2, 3), (2, 3)), IMAGE[1:], (8, 7)),
    ],
)
def test_unpooling_puts_maxima_back(torch: Any, dims: int, args: Any, shape: tuple[int, ...], size: Any) -> None:
    ours, theirs = pair(torch, lambda n: getattr(n, f"MaxUnpool{dims}d")(*args))
    pool = getattr(torch.nn, f"MaxPool{dims}d")(*args, return_indices=True)
    pooled, indices = pool(torch.tensor(normal(*shape)))
    leaf, expected = lenet.from_numpy(batch_last(pooled.numpy())).requires_grad_(), pooled.requires_grad_()
    y, wanted = ours(leaf, lenet.from_numpy(indices.numpy()), size), theirs(expected, indices, size)
    assert_close(y, wanted, 0)
    seed = normal(*y.shape)
    y.backward(lenet.from_numpy(seed))
    wanted.backward(torch.tensor(seed))
    assert_close(leaf.grad, expected.grad, 0)


@pytest.mark.parametrize("layer", ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"])
def test_attributes_are_torchs(torch: Any, layer: str) -> None:
    ours, theirs = pair(torch, lambda n: getattr(n, layer)(4, 8, 3, stride=2, padding=1, groups=2))
    for name in ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "transposed",
                 "output_padding", "groups", "padding_mode"):  # fmt: skip
        assert getattr(ours, name) == getattr(theirs, name), name


def test_initial_values_lie_within_torchs_bounds() -> None:
    lenet.manual_seed(0)
    layer = nn.Conv2d(8, 16, 3)
    bound = 1 / np.sqrt(8 * 9)
    for p in (layer.weight, layer.bias):
        values = np.abs(p.detach().numpy())
        assert 0.8 * bound < values.max() <= bound


def test_a_transposed_convolution_gives_the_size_asked_for(torch: Any) -> None:
    ours, theirs = pair(torch, lambda n: n.ConvTranspose2d(2, 3, 3, stride=3, padding=1))
    x = normal(1, 2, 4, 4)
    for size in ([10, 12], [1, 3, 11, 10]):
        y, expected = ours(lenet.tensor(x), size), theirs(torch.tensor(x), size)
        assert_close(y, expected, 1e-5)
    for size in ([13, 10], [10]):
        with pytest.raises(ValueError, match="size"):
            ours(lenet.tensor(x), size)
        with pytest.raises(ValueError, match="size"):
            theirs(torch.tensor(x), size)


REFUSED: list[tuple[Any, tuple[int, ...], str]] = [
    (lambda: nn.Conv2d(3, 6, 3), (2, 4, 8, 8), r"conv2d: .*expected input\[2, 4, 8, 8\] to have 3 channels, but got 4"),
    (lambda: nn.Conv2d(1, 6, 3), (8, 8), r"conv2d: expected input .*got.*\[8, 8\]; unsqueeze\(0\).*\[1, 8, 8\]"),
    (lambda: nn.Conv2d(1, 6, 3), (1, 1, 1, 8, 8), r"conv2d: expected input .* got 5 dimensions"),
    (lambda: nn.Conv2d(1, 6, 9), (1, 1, 8, 8), r"conv2d: .*input size per channel: \(8 x 8\). Kernel size: \(9 x 9\)"),
    (lambda: nn.Conv1d(3, 6, 3), (8,), r"conv1d: expected input \(N, C, L\).*unsqueeze"),
    (lambda: nn.Conv1d(3, 6, 3), (2, 4, 8), r"conv1d: .* 3 channels, but got 4"),
    (lambda: nn.ConvTranspose2d(3, 6, 3), (2, 4, 8, 8), r"conv_transpose2d: .* 3 channels, but got 4"),
    (lambda: nn.ConvTranspose2d(3, 6, 1, padding=4), (2, 3, 8, 8), r"conv_transpose2d: .*output H x W of \[0, 0\]"),
    (lambda: nn.MaxPool2d(2), (8, 8), r"max_pool2d: expected input .*unsqueeze"),
    (lambda: nn.MaxPool2d(9), (1, 1, 8, 8), r"max_pool2d: a window of 9 x 9 does not fit into 8 x 8"),
    (lambda: nn.MaxPool2d(2, padding=2), (1, 1, 8, 8), r"max_pool2d: padding should be at most half"),
    (lambda: nn.MaxPool2d((1, 2, 3)), (1, 1, 8, 8), r"kernel_size must be one integer or 2 of them"),
    (lambda: nn.MaxPool2d(2, stride=0), (1, 1, 8, 8), r"stride must be at least 1"),
    (lambda: nn.MaxPool1d(2), (1, 1, 8, 8), r"max_pool1d: expected input \(N, C, L\)"),
    (lambda: nn.AvgPool2d(9), (1, 1, 8, 8), r"avg_pool2d: a window of 9 x 9 does not fit into 8 x 8"),
    (lambda: nn.AvgPool1d(2), (8,), r"avg_pool1d: expected input .*unsqueeze"),
    (lambda: nn.AdaptiveAvgPool2d(2), (8, 8), r"adaptive_avg_pool2d: expected input .*unsqueeze"),
    (lambda: nn.AdaptiveMaxPool2d(-1), (1, 8, 8), r"adaptive_max_pool2d: output_size must not be negative"),
    (lambda: nn.AdaptiveAvgPool2d(2), (1, 1, 0, 8), r"adaptive_avg_pool2d: only the batch may be empty"),
    (lambda: nn.ReflectionPad2d(3), (1, 1, 3, 8), r'pad: .* can put at most 2 on dimension 2 of size 3, got \(3, 3\)'),
    (lambda: nn.ZeroPad2d(-3), (1, 1, 5, 8), r"pad: .*crops more than there is of \[1, 1, 5, 8\]"),
    (lambda: nn.Upsample(size=0), (1, 1, 3, 3), r"interpolate: .*greater than 0.*\[1, 1, 3, 3\].*\[0, 0\]"),
    (lambda: nn.PixelShuffle(2), (1, 3, 2, 2), r"pixel_shuffle: expected channels divisible by .* = 4, got 3"),
    (lambda: nn.PixelUnshuffle(2), (1, 3, 2, 3), r"pixel_unshuffle: .*downscale_factor=2, got 2 x 3"),
    (lambda: nn.ChannelShuffle(2), (1, 3, 2, 2), r"channel_shuffle: groups=2 must .*divide the 3 channels"),
    (lambda: nn.Unfold(4), (1, 1, 3, 3), r"unfold: windows of \(4, 4\).*do not fit into an image of 3 x 3"),
    (lambda: nn.Fold(4, 2), (1, 4, 8), r"fold: an image of 4 x 4 has 3 \* 3 = 9 windows, got 8 columns"),
    (lambda: nn.Fold(4, 2), (1, 6, 9), r"fold: expected a number of rows divisible by the kernel's 4 pixels"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "shape", "message"), REFUSED, ids=lambda v: v if isinstance(v, str) else "")
def test_a_shape_that_does_not_fit_is_refused_with_what_was_wanted(make: Any, shape: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        make()(lenet.zeros(*shape))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "in_channels must be divisible by groups, got 3"),
        (lambda: nn.Conv2d(4, 3, 3, groups=2), ValueError, "out_channels must be divisible by groups, got 3"),
        (lambda: nn.Conv2d(4, 4, 3, groups=0), ValueError, "groups must be a positive integer"),
        (lambda: nn.Conv2d(4, 4, 3, padding="full"), ValueError, "padding must be 'same', 'valid' or numbers"),
        (lambda: nn.Conv2d(4, 4, 3, stride=2, padding="same"), ValueError, "not supported for strided"),
        (lambda: nn.Conv2d(4, 4, 3, padding_mode="mirror"), ValueError, "padding_mode must be one of zeros, reflect"),
        (lambda: nn.ConvTranspose2d(4, 4, 3, padding_mode="reflect"), ValueError, "padding_mode must be one of zeros"),
        (lambda: nn.Conv2d(4, 4, "3"), TypeError, "kernel_size must be an integer or 2 of them"),
        (lambda: nn.ZeroPad2d((1, 2)), ShapeError, "padding must be one integer or 4 of them"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_arguments_that_cannot_be_are_refused_at_once(make: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_upsampling_needs_a_size_or_a_factor() -> None:
    for layer in (nn.Upsample(), nn.Upsample(2, 2.0)):
        with pytest.raises(ValueError, match="size"):
            layer(lenet.zeros(1, 1, 2, 2))
    with pytest.raises(NotImplementedError, match='mode "linear" does not go with an input of 4 dimensions'):
        nn.Upsample(2, mode="linear")(lenet.zeros(1, 1, 2, 2))


@pytest.mark.parametrize(
    ("make", "shape", "names"),
    [
        (lambda n: n.Conv2d(4, 2, 3), IMAGE, ["Convolution"]),
        (lambda n: n.Conv1d(4, 2, 3), SEQUENCE, ["Convolution"]),
        (lambda n: n.ConvTranspose1d(4, 2, 3), SEQUENCE, ["Convolution"]),
        (lambda n: n.MaxPool2d(2), IMAGE, ["MaxPool2DWithIndices"]),
        (lambda n: n.MaxPool1d(2), SEQUENCE, ["Squeeze", "MaxPool2DWithIndices", "Unsqueeze"]),
        (lambda n: n.AvgPool1d(2), SEQUENCE, ["Squeeze", "AvgPool2D", "Unsqueeze"]),
        (lambda n: n.AdaptiveAvgPool2d(1), IMAGE, ["Mean"]),
        (lambda n: n.AdaptiveAvgPool2d(2), IMAGE, ["AdaptiveAvgPool2D"]),
        (lambda n: n.AdaptiveMaxPool2d(2), IMAGE, ["AdaptiveMaxPool2D"]),
        (lambda n: n.ReflectionPad2d(1), IMAGE, ["ReflectionPad2D"]),
        (lambda n: n.ReplicationPad1d(1), SEQUENCE, ["ReplicationPad1D"]),
        (lambda n: n.ZeroPad2d(1), IMAGE, ["ConstantPadNd"]),
        (lambda n: n.Upsample(9), IMAGE, ["UpsampleNearest2D"]),
        (lambda n: n.Upsample(9, mode="bilinear"), IMAGE, ["UpsampleBilinear2D"]),
        (lambda n: n.Unfold(2), IMAGE, ["Im2Col"]),
        (lambda n: n.PixelShuffle(2), IMAGE, ["PixelShuffle"]),
    ],
    ids=lambda v: v[0] if isinstance(v, list) else "",
)
def test_nodes_have_torchs_names(torch: Any, make: Any, shape: tuple[int, ...], names: list[str]) -> None:
    x = normal(*shape)
    ours = make(nn)(lenet.tensor(x, requires_grad=True)).grad_fn
    theirs = make(torch.nn)(torch.tensor(x, requires_grad=True)).grad_fn
    for name in names:
        assert ours.name() == name + "Backward" == theirs.name().rstrip("0123456789")
        ours, theirs = ours.next_functions[0][0], theirs.next_functions[0][0]
