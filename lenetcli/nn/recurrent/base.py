"""What the recurrent layers share: parameters of every layer and direction, states, packed sequences."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any, ClassVar

import numpy as np

from lenetcli.errors import ShapeError
from lenetcli.nn import functional as F
from lenetcli.nn import init
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.nn.utils.rnn import PackedSequence
from lenetcli.ops.nn.lstm import Recurrent, Steps
from lenetcli.ops.shaping.cat import cat, stack
from lenetcli.tensors import creation
from lenetcli.tensors.tensor import Tensor

State = tuple[Tensor, ...]  # h_0, and of an LSTM c_0: (layers and directions, N, R) each
First = tuple[Tensor | None, ...]  # those of one layer in one direction; None are zeros


def start(module: Module, hidden_size: int) -> None:
    """Draws every parameter from U(-k, k), k = 1 / sqrt(hidden_size), in their order."""
    bound = 1 / math.sqrt(hidden_size) if hidden_size > 0 else 0
    for parameter in module.parameters():
        init.uniform_(parameter, -bound, bound)


class RecurrentLayer(Module):
    """Base of RNN, GRU and LSTM. A kind gives its op, how many gates that has, and what its state consists of."""

    from_input: ClassVar[dict[str, int | slice]] = {"input_size": -1}
    in_config: ClassVar[dict[str, Any]] = {"batch_first": True}
    gives_state: ClassVar[bool] = True  # the result is (output, state); in a config Steps follows

    op: ClassVar[type[Recurrent]]
    gates: ClassVar[int]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        _check(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        given, rows = self.output_size * self.directions, self.gates * hidden_size
        for layer in range(num_layers):
            for direction in range(self.directions):
                sizes = {
                    "weight_ih": (rows, input_size if layer == 0 else given),
                    "weight_hh": (rows, self.output_size),
                    "bias_ih": (rows,),
                    "bias_hh": (rows,),
                    "weight_hr": (proj_size, hidden_size),
                }
                for name in self._names():
                    room = creation.empty(*sizes[name], device=device, dtype=dtype)
                    self.register_parameter(name + _suffix(layer, direction), Parameter(room))
        self.reset_parameters()

    @property
    def directions(self) -> int:
        """Two where sequences are walked in both directions."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """Numbers that a step gives, in each direction."""
        return self.proj_size or self.hidden_size

    def _names(self) -> list[str]:
        biases = ["bias_ih", "bias_hh"] if self.bias else []
        return ["weight_ih", "weight_hh", *biases, *(["weight_hr"] if self.proj_size else [])]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        places = [_suffix(layer, way) for layer in range(self.num_layers) for way in range(self.directions)]
        return [[getattr(self, name + place) for name in self._names()] for place in places]

    def flatten_parameters(self) -> None:
        """Does nothing: parameters need not lie in one block here."""

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        start(self, self.hidden_size)

    # States

    def _state_sizes(self, count: int) -> list[tuple[int, ...]]:
        """The shape of each part of the state of so many sequences."""
        return [(self.num_layers * self.directions, count, self.output_size)]

    def _parts(self, hx: Any) -> State | None:
        """A given state as a tuple."""
        if hx is None:
            return None
        if not isinstance(hx, Tensor):
            name = type(self).__name__
            raise AttributeError(f"{name}: hx must be one tensor h_0, got {type(hx).__name__}; LSTM takes (h_0, c_0)")
        return (hx,)

    def _whole(self, state: State) -> Any:
        """The state as it is given back."""
        return state[0]

    def _refused_dims(self, hx: State, dims: int) -> str:
        return f"hx should also be {dims}-D but got {hx[0].ndim}-D tensor"

    def _check_state(self, hx: State, count: int) -> None:
        for number, (part, wanted) in enumerate(zip(hx, self._state_sizes(count))):
            if part.array.shape != wanted:
                which = f"hidden[{number}]" if len(hx) > 1 else "hidden"
                raise ShapeError(f"Expected {which} size {wanted}, got {list(part.array.shape)}")

    # Forward

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        state = self._parts(hx)
        if isinstance(input, PackedSequence):
            return self._packed(input, state)
        if input.ndim not in (2, 3):
            raise ValueError(f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.ndim}D instead")
        batched = input.ndim == 3
        if state is not None and any(part.ndim != input.ndim for part in state):
            how = "batched 3-D" if batched else "unbatched 2-D"
            raise ShapeError(f"For {how} input, {self._refused_dims(state, input.ndim)}")
        if not batched:
            input = input.unsqueeze(1)
            state = None if state is None else tuple(part.unsqueeze(1) for part in state)
        turned = batched and self.batch_first
        x = input.transpose(0, 1) if turned else input
        y, state = self._layers(x, state, None, x.array.shape[1])
        if turned:
            y = y.transpose(0, 1)
        if not batched:
            y, state = y.squeeze(1), tuple(part.squeeze(1) for part in state)
        return y, self._whole(state)

    def _packed(self, input: PackedSequence, state: State | None) -> tuple[PackedSequence, Any]:
        data, batch_sizes, order, back = input
        if data.ndim != 2:
            raise ShapeError(f"input must have 2 dimensions, got {data.ndim}")
        if state is not None and order is not None:
            state = tuple(part.index_select(1, order) for part in state)
        steps = Steps(batch_sizes.array.tolist())
        y, state = self._layers(data, state, steps, steps.sizes[0])
        if back is not None:
            state = tuple(part.index_select(1, back) for part in state)
        return PackedSequence(y, batch_sizes, order, back), self._whole(state)

    def _layers(self, x: Tensor, state: State | None, steps: Steps | None, count: int) -> tuple[Tensor, State]:
        """All layers, one after the other: (L, N, I), or packed rows (T, I)."""
        self._check_input(x)
        if state is not None:
            self._check_state(state, count)
        last: list[State] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                x = F.dropout(x, self.dropout, self.training)
            outputs = []
            for direction in range(self.directions):
                first = (None, None) if state is None else tuple(part[len(last)] for part in state)
                y, *after = self._one(x, first, _suffix(layer, direction), steps, bool(direction))
                outputs.append(y)
                last.append(tuple(after))
            x = outputs[0] if len(outputs) == 1 else cat(outputs, -1)
        return x, tuple(stack(parts, 0) for parts in zip(*last))

    def _one(self, x: Tensor, first: First, suffix: str, steps: Steps | None, reverse: bool) -> tuple[Tensor, ...]:
        """One layer in one direction: its output and the state after it."""
        weights = [getattr(self, name + suffix) for name in ("weight_ih", "weight_hh")]
        biases = [getattr(self, name + suffix) if self.bias else None for name in ("bias_ih", "bias_hh")]
        found: tuple[Tensor, ...] = self.op.apply(
            x, first[0], *weights, *biases, *self._more(first, suffix), steps=steps, reverse=reverse, **self._settings()
        )
        return found

    def _more(self, first: First, suffix: str) -> list[Tensor | None]:
        """What the op takes beside input, state, weights and biases."""
        return []

    def _settings(self) -> dict[str, Any]:
        """Further parameters of the op."""
        return {}

    def _check_input(self, x: Tensor) -> None:
        kind = self.all_weights[0][0].dtype
        if x.dtype != kind:
            raise ValueError(
                f"RNN input dtype ({x.dtype}) does not match weight dtype ({kind}). Convert input: input.to({kind}), "
                f"or convert model: model.to({x.dtype})"
            )
        if x.array.shape[-1] != self.input_size:
            raise ShapeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.array.shape[-1]}"
            )
        if not x.array.shape[0]:
            raise ShapeError("Expected sequence length to be larger than 0 in RNN")

    def extra_repr(self) -> str:
        usual = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0}
        usual["bidirectional"] = False
        more = [f", {name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name) != value]
        return f"{self.input_size}, {self.hidden_size}{''.join(more)}"


def _suffix(layer: int, direction: int) -> str:
    return f"_l{layer}{'_reverse' if direction else ''}"


def _check(
    input_size: Any, hidden_size: Any, num_layers: int, bias: Any, batch_first: Any, dropout: Any, proj_size: int
) -> None:
    """Refuses what no layer can be made of."""
    if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:  # type: ignore[operator]
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        )
    if dropout and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers=1",
            stacklevel=4,
        )
    for name, value, kind in (
        ("bias", bias, bool),
        ("batch_first", batch_first, bool),
        ("input_size", input_size, (int, np.integer)),
        ("hidden_size", hidden_size, (int, np.integer)),
    ):
        if not isinstance(value, kind):
            wanted = "bool" if kind is bool else "int"
            raise TypeError(f"{name} should be of type {wanted}, got: {type(value).__name__}")
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")
