"""What functions of images refuse, and corners that their samples do not reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli.errors import ShapeError

IMAGE = lenet.zeros(1, 2, 6, 6)
WEIGHT = lenet.zeros(4, 2, 3, 3)
WHOLE = lenet.zeros(1, 2, 6, 6, dtype=lenet.int64)

REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: F.conv2d(IMAGE, WEIGHT.double()), RuntimeError, "input type .*float32.* and weight type .*float64"),
    (lambda: F.conv2d(IMAGE, WEIGHT, lenet.zeros(3)), ShapeError, r"expected bias of shape \[4\], got \[3\]"),
    (lambda: F.conv2d(IMAGE, WEIGHT, lenet.zeros(4).double()), RuntimeError, "bias type .*float64"),
    (lambda: F.conv2d(IMAGE, WEIGHT, groups=3), ShapeError, "groups=3 do not divide the 4 filters"),
    (lambda: F.conv2d(IMAGE, WEIGHT, groups=0), RuntimeError, "groups must be at least 1, got 0"),
    (lambda: F.conv2d(IMAGE, WEIGHT, groups=True), TypeError, "groups must be an integer"),
    (lambda: F.conv2d(IMAGE, WEIGHT, padding="full"), RuntimeError, "padding must be 'same', 'valid' or numbers"),
    (lambda: F.conv2d(IMAGE, WEIGHT, padding="same", stride=2), RuntimeError, "not supported for strided"),
    (lambda: F.conv2d(IMAGE, WEIGHT, padding=-1), RuntimeError, "padding must be at least 0"),
    (lambda: F.conv2d(IMAGE, WEIGHT, dilation=0), RuntimeError, "dilation must be at least 1"),
    (lambda: F.conv2d(IMAGE, WEIGHT, stride=1.5), TypeError, "stride must be an integer or 2 of them"),
    (lambda: F.conv2d(IMAGE, WEIGHT[0]), ShapeError, r"expected weight \(O, C / groups, K, L\), got \[2, 3, 3\]"),
    (lambda: F.conv2d(IMAGE.bool(), WEIGHT.bool()), NotImplementedError, "bool"),
    (lambda: F.conv_transpose2d(IMAGE, WEIGHT[:2], output_padding=1), RuntimeError, "output padding must be smaller"),
    (lambda: F.max_pool1d(WHOLE[0], 2), NotImplementedError, "max_pool1d: not implemented for .*int64"),
    (lambda: F.avg_pool2d(WHOLE, 2), NotImplementedError, "avg_pool2d: not implemented for .*int64"),
    (lambda: F.avg_pool2d(IMAGE, 2, divisor_override=0), RuntimeError, "divisor must be not zero"),
    (lambda: F.adaptive_avg_pool2d(WHOLE, 2), NotImplementedError, "not implemented for .*int64"),
    (lambda: F.adaptive_avg_pool2d(IMAGE, 2.5), TypeError, "output_size must be integers"),
    (lambda: F.adaptive_max_pool2d(IMAGE, (1, 2, 3)), ShapeError, "output_size must have 2 numbers"),
    (lambda: F.max_unpool2d(IMAGE, WHOLE[0], 2), ShapeError, "expected indices of the input's shape"),
    (lambda: F.max_unpool2d(IMAGE, IMAGE, 2), RuntimeError, "should be type int64"),
    (lambda: F.max_unpool2d(IMAGE, WHOLE + 144, 2), ShapeError, "index 144 is outside of a result of 12 x 12"),
    (lambda: F.max_unpool2d(IMAGE, WHOLE - 1, 2), ShapeError, "index -1 is outside"),
    (lambda: F.max_unpool2d(IMAGE, WHOLE, 2, output_size=(9, 12)), ValueError, "must be between 10 and 14"),
    (lambda: F.pad(IMAGE, (1,)), RuntimeError, "divisible by 2"),
    (lambda: F.pad(IMAGE, (1,) * 10), ShapeError, "padding length 10 and input of dimension 4"),
    (lambda: F.pad(IMAGE, (1.0, 1)), TypeError, "pad must be a sequence of integers"),
    (lambda: F.pad(IMAGE, (1, 1), mode="mirror"), NotImplementedError, "there are constant, reflect, replicate"),
    (lambda: F.pad(IMAGE, (1, 1), mode="reflect"), NotImplementedError, "needs an input of 2 or 3 dimensions, got 4"),
    (lambda: F.pad(IMAGE, (1, 1, 1, 1), mode="circular", value=2.0), RuntimeError, "does not take a value"),
    (lambda: F.pad(IMAGE, (7, 0, 0, 0), mode="circular"), ShapeError, "at most 6 on dimension 3 of size 6"),
    (lambda: F.pad(IMAGE, (-3, -3, 0, 0), mode="replicate"), ShapeError, "leaves nothing of dimension 3"),
    (lambda: F.interpolate(IMAGE), ValueError, "either size or scale_factor"),
    (lambda: F.interpolate(IMAGE, 3, 2.0), ValueError, "only one of size or scale_factor"),
    (lambda: F.interpolate(IMAGE, (3, 3, 3)), ValueError, r"size must have 2 numbers .*got \(3, 3, 3\)"),
    (lambda: F.interpolate(IMAGE, 3.0), TypeError, "size must be integers"),
    (lambda: F.interpolate(IMAGE, 3, recompute_scale_factor=True), ValueError, "not meaningful with an explicit size"),
    (
        lambda: F.interpolate(IMAGE, 3, align_corners=True),
        ValueError,
        'align_corners has no meaning for mode "nearest"',
    ),
    (lambda: F.interpolate(IMAGE, 3, mode="bilinear", antialias=True), NotImplementedError, "antialias"),
    (lambda: F.interpolate(IMAGE, scale_factor=0.1), ShapeError, r"output \[0, 0\]"),
    (lambda: F.interpolate(WHOLE, 3), NotImplementedError, "not implemented for .*int64"),
    (lambda: F.unfold(WHOLE, 2), NotImplementedError, "unfold: not implemented for .*int64"),
    (lambda: F.fold(IMAGE, 4, 2), ShapeError, r"fold: expected input \(N, C K L, P Q\)"),
    (lambda: F.pixel_shuffle(IMAGE, 0), ShapeError, "expected a positive upscale_factor, got 0"),
    (lambda: F.pixel_shuffle(IMAGE, 2.0), TypeError, "upscale_factor must be an integer"),
    (lambda: F.pixel_shuffle(IMAGE[0, 0], 2), ShapeError, r"at least 3 dimensions, got \[6, 6\]"),
    (lambda: F.channel_shuffle(IMAGE[0, 0], 2), ShapeError, "at least 3 dimensions"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=lambda v: v if isinstance(v, str) else "")
def test_arguments_that_cannot_be_are_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_whole_numbers_convolve_and_pool_exactly() -> None:
    x = lenet.arange(16).view(1, 1, 4, 4)
    assert F.conv2d(x, lenet.ones(1, 1, 2, 2, dtype=lenet.int64)).tolist() == [
        [[[10, 14, 18], [26, 30, 34], [42, 46, 50]]]
    ]
    assert F.max_pool2d(x - 20, 2).tolist() == [[[[-15, -13], [-7, -5]]]]


def test_an_image_and_a_batch_of_it_give_the_same() -> None:
    x = lenet.randn(2, 6, 6)
    for function in (
        lambda v: F.conv2d(v, lenet.ones(3, 2, 3, 3)),
        lambda v: F.max_pool2d(v, 2),
        lambda v: F.avg_pool2d(v, 2),
        lambda v: F.adaptive_max_pool2d(v, 4),
        lambda v: F.unfold(v, 3),
    ):
        np.testing.assert_array_equal(function(x).numpy(), function(x.unsqueeze(0)).numpy()[0])


def test_results_are_stored_batch_last() -> None:
    x = lenet.randn(5, 2, 6, 6)
    for y in (
        F.conv2d(x, lenet.ones(3, 2, 3, 3)),
        F.conv_transpose2d(x, lenet.ones(2, 3, 3, 3)),
        F.max_pool2d(x, 2),
        F.avg_pool2d(x, 2),
        F.adaptive_avg_pool2d(x, 4),
        F.interpolate(x, 9, mode="bilinear"),
    ):
        assert np.moveaxis(y.numpy(), 0, -1).flags.c_contiguous


@pytest.mark.parametrize(
    "case", ["mode", "padding", "batch", "width", "dims", "empty", "type", "theta", "size", "matrix"]
)
def test_grids_that_do_not_fit_are_refused_as_in_torch(torch: Any, case: str) -> None:
    calls: dict[str, Any] = {
        "mode": lambda m, f: f.grid_sample(m.ones(1, 1, 2, 2), m.ones(1, 1, 1, 2), "linear"),
        "padding": lambda m, f: f.grid_sample(m.ones(1, 1, 2, 2), m.ones(1, 1, 1, 2), padding_mode="ones"),
        "batch": lambda m, f: f.grid_sample(m.ones(2, 1, 2, 2), m.ones(1, 1, 1, 2), align_corners=True),
        "width": lambda m, f: f.grid_sample(m.ones(1, 1, 2, 2), m.ones(1, 1, 1, 3), align_corners=True),
        "dims": lambda m, f: f.grid_sample(m.ones(1, 2, 2), m.ones(1, 1, 2), align_corners=True),
        "empty": lambda m, f: f.grid_sample(m.ones(1, 1, 0, 2), m.ones(1, 1, 1, 2), align_corners=True),
        "type": lambda m, f: f.grid_sample(m.ones(1, 1, 2, 2), m.ones(1, 1, 1, 2).double(), align_corners=True),
        "theta": lambda m, f: f.affine_grid(m.ones(1, 2, 3).long(), (1, 1, 2, 2), align_corners=True),
        "size": lambda m, f: f.affine_grid(m.ones(1, 2, 3), (1, 1, 0, 2), align_corners=True),
        "matrix": lambda m, f: f.affine_grid(m.ones(1, 3, 3), (1, 1, 2, 2), align_corners=True),
    }
    for m in (lenet, torch):
        with pytest.raises((ValueError, RuntimeError)) as error:
            calls[case](m, m.nn.functional)
        kinds = {k.__name__ for k in type(error.value).__mro__ if k.__module__ == "builtins"}
        assert ("ValueError" in kinds) is (case in ("mode", "padding", "theta", "size", "matrix"))
