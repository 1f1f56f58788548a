"""RNN, GRU and LSTM: recurrent layers over whole sequences."""

from __future__ import annotations

from typing import Any

from lenetcli.nn.recurrent.base import First, RecurrentLayer, State
from lenetcli.ops.nn.lstm import Gru, Lstm, Rnn
from lenetcli.tensors.tensor import Tensor


class RNN(RecurrentLayer):
    """A recurrent layer of one unit after another: each step sees its input and the output of the step before.

    Formula:
        y[t] = tanh(x[t] weight_ih.T + bias_ih + y[t-1] weight_hh.T + bias_hh), y[-1] = h_0

    Args:
        input_size: numbers of a step's input, I.
        hidden_size: units H.
        num_layers: layers on one another; each takes the outputs of the one below.
        nonlinearity: "tanh" or "relu".
        bias: learn bias_ih and bias_hh.
        batch_first: samples come first, then steps, in input and output; not in states.
        dropout: of the outputs of all layers but the last, in training.
        bidirectional: a second layer walks from the last step to the first; outputs are forward, backward.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the parameters.

    Shape:
        (L, N, I), (L, I) or a PackedSequence -> output (L, N, H) and the last state (layers, N, H); 2 H and 2 layers
        with two directions. Parameters weight_ih_l0 (H, I), weight_hh_l0 (H, H), bias_ih_l0 and bias_hh_l0 (H,),
        then those of "_l0_reverse", "_l1" ...; all start as U(-k, k), k = 1 / sqrt(H).

    Raises:
        ValueError: another nonlinearity, sizes below 1, an input of another type or number of dimensions.
        ShapeError: an input or a state of another size, or no step at all.

    Source: Elman, Finding structure in time, 1990; torch.nn.RNN.

    Example:
        >>> import lenetcli as lenet
        >>> output, last = lenet.nn.RNN(10, 20, 2)(lenet.randn(5, 3, 10))
        >>> output.shape, last.shape
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    op, gates = Rnn, 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )
        self.nonlinearity = nonlinearity

    def _settings(self) -> dict[str, Any]:
        return {"nonlinearity": self.nonlinearity}


class GRU(RecurrentLayer):
    """A recurrent layer whose gates say how much of the state stays and how much of it the new value sees.

    Formula:
        r, z = sigmoid(u + v), n = tanh(u_n + r v_n), y[t] = (1 - z) n + z y[t-1], y[-1] = h_0
        u = x[t] weight_ih.T + bias_ih, v = y[t-1] weight_hh.T + bias_hh, rows in the order r, z, n

    Args:
        input_size: numbers of a step's input, I.
        hidden_size: units H.
        num_layers: layers on one another; each takes the outputs of the one below.
        bias: learn bias_ih and bias_hh.
        batch_first: samples come first, then steps, in input and output; not in states.
        dropout: of the outputs of all layers but the last, in training.
        bidirectional: a second layer walks from the last step to the first; outputs are forward, backward.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the parameters.

    Shape:
        (L, N, I), (L, I) or a PackedSequence -> output (L, N, H) and the last state (layers, N, H); 2 H and 2 layers
        with two directions. Parameters weight_ih_l0 (3 H, I), weight_hh_l0 (3 H, H), bias_ih_l0 and bias_hh_l0 (3 H,),
        then those of "_l0_reverse", "_l1" ...; all start as U(-k, k), k = 1 / sqrt(H).

    Raises:
        ValueError: sizes below 1, an input of another type or number of dimensions.
        ShapeError: an input or a state of another size, or no step at all.

    Source: Cho et al., Learning phrase representations using RNN encoder-decoder, 2014; torch.nn.GRU.

    Example:
        >>> import lenetcli as lenet
        >>> output, last = lenet.nn.GRU(10, 20, batch_first=True)(lenet.randn(3, 5, 10))
        >>> output.shape, last.shape
        (torch.Size([3, 5, 20]), torch.Size([1, 3, 20]))
    """

    op, gates = Gru, 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )


class LSTM(RecurrentLayer):
    """A recurrent layer with a cell beside its output; gates say what the cell forgets, takes in and shows.

    Formula:
        i, f, o = sigmoid(u), g = tanh(u), c[t] = f c[t-1] + i g, y[t] = o tanh(c[t]), y[-1] = h_0, c[-1] = c_0
        u = x[t] weight_ih.T + bias_ih + y[t-1] weight_hh.T + bias_hh, rows in the order i, f, g, o

    Args:
        input_size: numbers of a step's input, I.
        hidden_size: units H.
        num_layers: layers on one another; each takes the outputs of the one below.
        bias: learn bias_ih and bias_hh.
        batch_first: samples come first, then steps, in input and output; not in states.
        dropout: of the outputs of all layers but the last, in training.
        bidirectional: a second layer walks from the last step to the first; outputs are forward, backward.
        proj_size: outputs are o tanh(c) weight_hr.T, so many numbers; 0 leaves them as they are.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the parameters.

    Shape:
        (L, N, I), (L, I) or a PackedSequence -> output (L, N, R) and the last state, h (layers, N, R) and c
        (layers, N, H), R is H or proj_size; 2 R and 2 layers with two directions. Parameters weight_ih_l0 (4 H, I),
        weight_hh_l0 (4 H, R), bias_ih_l0 and bias_hh_l0 (4 H,), weight_hr_l0 (R, H), then those of "_l0_reverse",
        "_l1" ...; all start as U(-k, k), k = 1 / sqrt(H).

    Raises:
        ValueError: sizes below 1, an input of another type or number of dimensions.
        ShapeError: an input or a state of another size, or no step at all.

    Source: Hochreiter and Schmidhuber, Long short-term memory, 1997; torch.nn.LSTM.

    Example:
        >>> import lenetcli as lenet
        >>> output, (h, c) = lenet.nn.LSTM(10, 20, 2)(lenet.randn(5, 3, 10))
        >>> output.shape, h.shape, c.shape
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]), torch.Size([2, 3, 20]))
    """

    op, gates = Lstm, 4

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype
        )

    def _state_sizes(self, count: int) -> list[tuple[int, ...]]:
        return [*super()._state_sizes(count), (self.num_layers * self.directions, count, self.hidden_size)]

    def _parts(self, hx: Any) -> State | None:
        if hx is None:
            return None
        if isinstance(hx, Tensor) or len(hx) != 2:
            got = "one tensor" if isinstance(hx, Tensor) else f"{len(hx)} of them"
            raise IndexError(f"LSTM: hx must be a pair of tensors (h_0, c_0), got {got}")
        return tuple(hx)

    def _whole(self, state: State) -> Any:
        return state

    def _refused_dims(self, hx: State, dims: int) -> str:
        return f"hx and cx should also be {dims}-D but got ({hx[0].ndim}-D, {hx[1].ndim}-D) tensors"

    def _more(self, first: First, suffix: str) -> list[Tensor | None]:
        return [first[1], getattr(self, "weight_hr" + suffix) if self.proj_size else None]
