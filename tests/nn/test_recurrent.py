"""Recurrent layers: what the sweep of layers cannot say. Values are torch 2.13's (weights ((i % 7) - 3) / 10)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.autograd.modes import watch
from lenetcli.nn.utils import rnn as sequences

X = [[[1.0, -1.0]], [[0.5, 2.0]]]


def filled(module: nn.Module) -> nn.Module:
    for p in module.parameters():
        p.array[...] = ((np.arange(p.numel()) % 7 - 3) * 0.1).reshape(p.array.shape)
    return module


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (nn.RNN(2, 2), [[-0.6043678, -0.4621172], [-0.7045439, -0.3709836]]),
        (nn.GRU(2, 2), [[0.0190537, 0.0615594], [-0.0659964, 0.2977136]]),
        (nn.LSTM(2, 2), [[0.0205779, 0.0363471], [-0.0054259, 0.0588704]]),
        (nn.LSTM(2, 3, proj_size=2), [[0.0197324, -0.0348678], [0.0042698, -0.0489715]]),
        (
            nn.GRU(2, 2, bidirectional=True),
            [[0.0190537, 0.0615594, -0.0172108, 0.2383630], [-0.0659964, 0.2977136, -0.0762503, 0.2714523]],
        ),
    ],
    ids=str,
)
def test_values_are_those_of_torch(layer: nn.Module, wanted: Any) -> None:
    y, _ = filled(layer)(lenet.tensor(X))
    np.testing.assert_allclose(y.detach().numpy()[:, 0], wanted, atol=2e-7)


def test_the_last_state_is_that_of_the_last_step_forward_and_of_the_first_backward() -> None:
    y, h = nn.GRU(2, 3, bidirectional=True)(lenet.randn(4, 5, 2))
    np.testing.assert_array_equal(h[0].detach().numpy(), y[-1, :, :3].detach().numpy())
    np.testing.assert_array_equal(h[1].detach().numpy(), y[0, :, 3:].detach().numpy())


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_parameters_begin_uniform_and_are_drawn_in_their_order(kind: str) -> None:
    lenet.manual_seed(0)
    layer = getattr(nn, kind)(3, 16, 2, bidirectional=True)
    lenet.manual_seed(0)
    for p in layer.parameters():
        wanted = nn.init.uniform_(lenet.empty(*p.shape), -0.25, 0.25)
        np.testing.assert_array_equal(p.detach().numpy(), wanted.numpy())


def test_all_steps_are_one_node() -> None:
    made: list[str] = []
    x = lenet.randn(28, 4, 5)
    with watch(lambda node, *rest: made.append(node.name())):
        nn.GRU(5, 6)(x)
    assert made == ["GruBackward", "StackBackward"]


def test_dropout_between_layers_is_that_of_the_outputs() -> None:
    layer = nn.GRU(3, 4, 2, dropout=0.3, batch_first=True)
    one, two = nn.GRU(3, 4), nn.GRU(4, 4)
    for part, which in ((one, "_l0"), (two, "_l1")):
        part.load_state_dict(
            {k.replace("_l0", "_l0"): layer.state_dict()[k.replace("_l0", which)] for k in part.state_dict()}
        )
    x = lenet.randn(2, 5, 3)
    lenet.manual_seed(1)
    y, _ = layer(x)
    lenet.manual_seed(1)
    wanted, _ = two(nn.functional.dropout(one(x.transpose(0, 1))[0], 0.3))
    np.testing.assert_array_equal(y.detach().numpy(), wanted.transpose(0, 1).detach().numpy())


def test_dropout_of_one_layer_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="got dropout=0.3 and num_layers=1"):
        nn.GRU(2, 3, dropout=0.3)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("way", [{}, {"bidirectional": True, "num_layers": 2}], ids=["one", "both"])
def test_packed_sequences_are_those_walked_one_by_one(kind: str, way: dict[str, Any]) -> None:
    layer = getattr(nn, kind)(3, 4, dtype=lenet.float64, **way)
    parts = [lenet.randn(n, 3, dtype=lenet.float64, requires_grad=True) for n in (2, 4, 1, 4)]
    y, state = layer(sequences.pack_sequence(parts, enforce_sorted=False))
    outputs = sequences.unpack_sequence(y)
    lenet.cat([o.reshape(-1) for o in outputs]).sum().backward()
    found = [p.grad.numpy() for p in (*parts, *layer.parameters())]
    for p in (*parts, *layer.parameters()):
        p.grad = None
    alone = [layer(part.unsqueeze(1)) for part in parts]
    lenet.cat([o.reshape(-1) for o, _ in alone]).sum().backward()
    for output, (one, _) in zip(outputs, alone):
        np.testing.assert_allclose(output.detach().numpy(), one.squeeze(1).detach().numpy(), atol=1e-12)
    for ours, p in zip(found, (*parts, *layer.parameters())):
        np.testing.assert_allclose(ours, p.grad.numpy(), atol=1e-12)
    for number, last in enumerate(state if kind == "LSTM" else [state]):
        ends = [s[number] if kind == "LSTM" else s for _, s in alone]
        np.testing.assert_allclose(last.detach().numpy(), lenet.cat(ends, 1).detach().numpy(), atol=1e-12)


def test_a_given_state_of_packed_sequences_is_in_the_order_in_which_they_were_given(torch: Any) -> None:
    ours, theirs = nn.LSTM(3, 4, 2), torch.nn.LSTM(3, 4, 2)
    ours.load_state_dict({k: lenet.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    random = np.random.default_rng(0)
    x, h, c = (random.standard_normal(shape).astype(np.float32) for shape in ((4, 5, 3), (2, 5, 4), (2, 5, 4)))
    lengths = [2, 4, 2, 4, 2]
    packed = sequences.pack_padded_sequence(lenet.from_numpy(x), lengths, enforce_sorted=False)
    expected = torch.nn.utils.rnn.pack_padded_sequence(torch.from_numpy(x), lengths, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == expected.batch_sizes.tolist() == [5, 5, 2, 2]
    assert packed.sorted_indices is not None
    assert packed.sorted_indices.tolist() == expected.sorted_indices.tolist() == [1, 3, 0, 2, 4]
    y, last = ours(packed, (lenet.from_numpy(h), lenet.from_numpy(c)))
    wanted, ends = theirs(expected, (torch.from_numpy(h), torch.from_numpy(c)))
    np.testing.assert_allclose(y.data.detach().numpy(), wanted.data.detach().numpy(), atol=1e-6)
    for a, b in zip(last, ends):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_that_of_torch(torch: Any, batch_first: bool, side: str) -> None:
    random = np.random.default_rng(0)
    parts = [random.standard_normal((n, 2)) for n in (2, 4, 1)]
    ours = sequences.pad_sequence([lenet.from_numpy(p) for p in parts], batch_first, 7, side)
    theirs = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(p) for p in parts], batch_first, 7, side)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    packed = sequences.pack_sequence([lenet.from_numpy(p) for p in parts], enforce_sorted=False)
    found = sequences.pad_packed_sequence(packed, batch_first, -1, 5)
    expected = torch.nn.utils.rnn.pad_packed_sequence(
        torch.nn.utils.rnn.pack_sequence([torch.from_numpy(p) for p in parts], enforce_sorted=False), batch_first, -1, 5
    )
    for a, b in zip(found, expected):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: sequences.pack_padded_sequence(lenet.ones(4, 2), [2, 4]), RuntimeError, "sorted in decreasing order"),
        (lambda: sequences.pack_padded_sequence(lenet.ones(4, 3, 3), [4, 2]), RuntimeError, r"got 2 \(batch_size=3\)"),
        (lambda: sequences.pack_padded_sequence(lenet.ones(4, 2, 3), [4, 0]), RuntimeError, "greater than 0"),
        (lambda: sequences.pack_padded_sequence(lenet.ones(4, 2, 3), [5, 2]), RuntimeError, "beyond the 4 steps"),
        (lambda: sequences.pack_padded_sequence(lenet.ones(4), [4]), RuntimeError, r"expected \(L, N, \*\)"),
        (lambda: sequences.pack_padded_sequence(lenet.ones(4, 1), [4.0]), TypeError, "list of integers"),
        (lambda: sequences.pad_sequence([]), RuntimeError, "empty list"),
        (lambda: sequences.pad_sequence([lenet.ones(2)], padding_side="up"), RuntimeError, "left or right, but got up"),
        (lambda: sequences.pad_sequence([lenet.ones(2, 1), lenet.ones(2, 3)]), RuntimeError, r"got \[2, 1\], \[2, 3\]"),
        (
            lambda: sequences.pad_packed_sequence(sequences.pack_sequence([lenet.ones(4)]), total_length=3),
            ValueError,
            "got total_length=3 and max sequence length being 4",
        ),
        (lambda: nn.GRU(4, 7)(lenet.ones(5, 3, 4, dtype=lenet.float64)), ValueError, r"Convert input: input.to\("),
        (lambda: nn.GRU(4, 7)(lenet.ones(5, 3, 6)), RuntimeError, "Expected 4, got 6"),
        (lambda: nn.GRU(4, 7)(lenet.ones(0, 3, 4)), RuntimeError, "larger than 0"),
        (lambda: nn.GRU(4, 7)(lenet.ones(4)), ValueError, "GRU: Expected input to be 2D or 3D, got 1D instead"),
        (
            lambda: nn.GRU(4, 7)(lenet.ones(5, 3, 4), lenet.ones(1, 2, 7)),
            RuntimeError,
            r"Expected hidden size \(1, 3, 7\), got \[1, 2, 7\]",
        ),
        (
            lambda: nn.LSTM(4, 7)(lenet.ones(5, 3, 4), (lenet.ones(1, 3, 7), lenet.ones(1, 3, 6))),
            RuntimeError,
            r"Expected hidden\[1\] size \(1, 3, 7\), got \[1, 3, 6\]",
        ),
        (
            lambda: nn.GRU(4, 7)(lenet.ones(5, 3, 4), (lenet.ones(1, 3, 7), lenet.ones(1, 3, 7))),
            AttributeError,
            "hx must be one tensor h_0, got tuple",
        ),
        (lambda: nn.LSTM(4, 7)(lenet.ones(5, 3, 4), lenet.ones(1, 3, 7)), IndexError, "got one tensor"),
        (
            lambda: nn.LSTM(4, 7)(lenet.ones(5, 3, 4), (lenet.ones(1, 7), lenet.ones(1, 7))),
            RuntimeError,
            r"hx and cx should also be 3-D but got \(2-D, 2-D\) tensors",
        ),
        (lambda: nn.LSTMCell(4, 7)(lenet.ones(3, 4), lenet.ones(3, 7)), TypeError, "hx must be a pair of tensors"),
        (lambda: nn.GRUCell(4, 7)(lenet.ones(3, 6)), RuntimeError, "got 6 expected 4"),
        (lambda: nn.GRUCell(4, 7)(lenet.ones(3, 4).double()), RuntimeError, "same dtype, but got"),
        (
            lambda: nn.GRUCell(4, 7)(lenet.ones(3, 4), lenet.ones(2, 7)),
            RuntimeError,
            "Input batch size 3 doesn't match hidden0 batch size 2",
        ),
        (
            lambda: nn.GRUCell(4, 7)(lenet.ones(3, 4), lenet.ones(3, 6)),
            RuntimeError,
            "hidden0 has inconsistent hidden_size: got 6, expected 7",
        ),
        (lambda: nn.RNN(2, 3, nonlinearity="gelu"), ValueError, "Select from 'tanh' or 'relu'"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_gradients_equal_differences() -> None:
    layer = nn.LSTM(2, 3, 2, bidirectional=True, proj_size=2, dtype=lenet.float64)
    names = [name for name, _ in layer.named_parameters()]
    x = lenet.randn(3, 2, 2, dtype=lenet.float64, requires_grad=True)

    def run(x: Any, *parameters: Any) -> Any:
        for name, p in zip(names, parameters):
            layer._parameters[name] = p
        y, (h, c) = layer(x)
        return y, h, c

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lenet.autograd.gradcheck(run, (x, *layer.parameters()))


def test_half_precision_is_computed_in_single(torch: Any) -> None:
    ours = nn.GRU(3, 4)
    half = nn.GRU(3, 4, dtype=lenet.float16)
    half.load_state_dict(ours.state_dict())
    x = lenet.randn(5, 2, 3)
    y, h = half(x.half())
    assert y.dtype is h.dtype is lenet.float16
    np.testing.assert_allclose(y.float().detach().numpy(), ours(x)[0].detach().numpy(), atol=4e-3)


def test_a_change_in_place_of_what_backward_needs_is_noticed() -> None:
    layer = nn.RNN(2, 3)
    y, _ = layer(lenet.randn(3, 1, 2))
    with lenet.no_grad():
        layer.weight_hh_l0.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        y.sum().backward()
