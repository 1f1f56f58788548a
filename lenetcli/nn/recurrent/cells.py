"""RNNCell, GRUCell and LSTMCell: one step at a time, for loops of one's own."""

from __future__ import annotations

from typing import Any, ClassVar

from lenetcli.errors import ShapeError
from lenetcli.nn.module import ForPython
from lenetcli.nn.parameter import Parameter
from lenetcli.nn.recurrent.base import start
from lenetcli.ops.nn.lstm import Gru, Lstm, Recurrent, Rnn
from lenetcli.tensors import creation
from lenetcli.tensors.tensor import Tensor


class Cell(ForPython):
    """Base of the cells."""

    takes = "a step's input and the state before it"

    op: ClassVar[type[Recurrent]]
    gates: ClassVar[int]

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool, device: Any, dtype: Any) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = self.gates * hidden_size
        self.weight_ih = Parameter(creation.empty(rows, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(creation.empty(rows, hidden_size, device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            room = Parameter(creation.empty(rows, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, room)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        start(self, self.hidden_size)

    def _step(self, input: Tensor, state: tuple[Tensor, ...] | None, **settings: Any) -> tuple[Tensor, ...]:
        """The state after a step, without a batch dimension where the input has none."""
        name = type(self).__name__
        if input.ndim not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.ndim}D instead")
        for number, part in enumerate(state or ()):
            if part.ndim not in (1, 2):
                which = "hidden" if len(state or ()) == 1 else f"hx[{number}]"
                raise ValueError(f"{name}: Expected {which} to be 1D or 2D, got {part.ndim}D instead")
        batched = input.ndim == 2
        if not batched:
            input = input.unsqueeze(0)
            state = None if state is None else tuple(part.unsqueeze(0) for part in state)
        self._check(input, state or ())
        h, c = (*(state or ()), None, None)[:2]
        more = (c, None) if self.op is Lstm else ()
        operands = h, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, *more
        _, *after = self.op.apply(input.unsqueeze(0), *operands, steps=None, reverse=False, **settings)
        return tuple(after) if batched else tuple(part.squeeze(0) for part in after)

    def _check(self, input: Tensor, state: tuple[Tensor, ...]) -> None:
        count, width = input.array.shape
        if input.dtype != self.weight_ih.dtype:
            raise RuntimeError(
                f"{type(self).__name__}: expected input and weights to have the same dtype, but got {input.dtype} and "
                f"{self.weight_ih.dtype}"
            )
        if width != self.input_size:
            raise ShapeError(f"input has inconsistent input_size: got {width} expected {self.input_size}")
        for number, part in enumerate(state):
            if part.array.shape[0] != count:
                raise ShapeError(
                    f"Input batch size {count} doesn't match hidden{number} batch size {part.array.shape[0]}"
                )
            if part.array.shape[-1] != self.hidden_size:
                raise ShapeError(
                    f"hidden{number} has inconsistent hidden_size: got {part.array.shape[-1]}, expected "
                    f"{self.hidden_size}"
                )

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return text if nonlinearity == "tanh" else f"{text}, nonlinearity={nonlinearity}"


class RNNCell(Cell):
    """One step of a recurrent layer.

    Formula:
        h' = tanh(x weight_ih.T + bias_ih + h weight_hh.T + bias_hh)

    Args:
        input_size: numbers of the input, I.
        hidden_size: units H.
        bias: learn bias_ih and bias_hh.
        nonlinearity: "tanh" or "relu".
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the parameters.

    Shape:
        input (N, I) or (I,), state (N, H) or (H,), zeros where it is left out -> the next state

    Raises:
        ValueError: another number of dimensions.
        RuntimeError: another nonlinearity, or another type than the weights'.
        ShapeError: other sizes.

    Source: torch.nn.RNNCell.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.RNNCell(10, 20)(lenet.randn(3, 10)).shape
        torch.Size([3, 20])
    """

    op, gates = Rnn, 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}; RNNCell knows tanh and relu")
        return self._step(input, None if hx is None else (hx,), nonlinearity=self.nonlinearity)[0]


class GRUCell(Cell):
    """One step of a GRU.

    Formula:
        r, z = sigmoid(u + v), n = tanh(u_n + r v_n), h' = (1 - z) n + z h
        u = x weight_ih.T + bias_ih, v = h weight_hh.T + bias_hh, rows in the order r, z, n

    Args:
        input_size: numbers of the input, I.
        hidden_size: units H.
        bias: learn bias_ih and bias_hh.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the parameters.

    Shape:
        input (N, I) or (I,), state (N, H) or (H,), zeros where it is left out -> the next state

    Raises:
        ValueError: another number of dimensions.
        RuntimeError: another type than the weights'.
        ShapeError: other sizes.

    Source: torch.nn.GRUCell.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.GRUCell(10, 20)(lenet.randn(3, 10), lenet.zeros(3, 20)).shape
        torch.Size([3, 20])
    """

    op, gates = Gru, 3

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, None if hx is None else (hx,))[0]


class LSTMCell(Cell):
    """One step of an LSTM.

    Formula:
        i, f, o = sigmoid(u), g = tanh(u), c' = f c + i g, h' = o tanh(c')
        u = x weight_ih.T + bias_ih + h weight_hh.T + bias_hh, rows in the order i, f, g, o

    Args:
        input_size: numbers of the input, I.
        hidden_size: units H.
        bias: learn bias_ih and bias_hh.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the parameters.

    Shape:
        input (N, I) or (I,), state (h, c), each (N, H) or (H,), zeros where it is left out -> the next (h, c)

    Raises:
        ValueError: another number of dimensions.
        TypeError: a state that is no pair.
        RuntimeError: another type than the weights'.
        ShapeError: other sizes.

    Source: torch.nn.LSTMCell.

    Example:
        >>> import lenetcli as lenet
        >>> h, c = lenet.nn.LSTMCell(10, 20)(lenet.randn(3, 10))
        >>> h.shape, c.shape
        (torch.Size([3, 20]), torch.Size([3, 20]))
    """

    op, gates = Lstm, 4

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        if hx is not None and (isinstance(hx, Tensor) or len(hx) != 2):
            got = "one tensor" if isinstance(hx, Tensor) else f"{len(hx)} of them"
            raise TypeError(f"LSTMCell: hx must be a pair of tensors (h, c), got {got}")
        h, c = self._step(input, hx)
        return h, c
