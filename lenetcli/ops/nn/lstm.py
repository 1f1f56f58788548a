"""Recurrent layers: all steps of one layer in one direction as one op, and stacks of such layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import gradients_of, operand_names, standing_for
from lenetcli.autograd.tape import like
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import Array
from lenetcli.kernels.linear import dense, matmul
from lenetcli.kernels.sums import sum_over
from lenetcli.ops.nn.batch_norm import widened
from lenetcli.ops.operands import quiet
from lenetcli.ops.shaping.cat import cat


class Steps:
    """How many sequences have a step 0, 1, 2 ...: the rows of a step are those of the longest sequences, in order."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = tuple(sizes)
        ends = np.cumsum(self.sizes).tolist()
        self.spans = [slice(end - size, end) for end, size in zip(ends, self.sizes)]

    @property
    def even(self) -> bool:
        """All sequences have the same length."""
        return self.sizes[0] == self.sizes[-1]

    def walk(self, reverse: bool) -> list[tuple[slice, int]]:
        """The rows of each step and how many they are, in the order of time or against it."""
        found = list(zip(self.spans, self.sizes))
        return found[::-1] if reverse else found


class Recurrent(Op):
    """One layer in one direction: x (L, N, I), or rows (T, I) as `steps` says -> y (L, N, R) or (T, R), h_n (N, R).

    A kind says what a step does. Letters: T rows of all steps, N sequences, I inputs, H units, G numbers that the
    gates take, R outputs (H, or fewer with a projection).
    """

    factors = (2, 3)
    has_cell: ClassVar[bool] = False
    restated_step: ClassVar[Any]  # (inputs, hidden, h, c) -> (y, c), over tensors

    @staticmethod
    def multiply_adds(y: Array, x: Array, h0: Any, weight_ih: Array, weight_hh: Array, *others: Any) -> int:
        return y.size // y.shape[-1] * (weight_ih.size + weight_hh.size)

    def _begin(
        ctx: Any, x: Array, weight_ih: Array, biases: Sequence[Array | None], steps: Steps | None, reverse: bool
    ) -> Array:
        """What the inputs of all steps add to the gates, in one product, with biases: (T, G)."""
        ctx.steps = Steps((x.shape[1],) * x.shape[0]) if steps is None else steps
        ctx.reverse, ctx.shape, ctx.kind = reverse, x.shape, x.dtype
        gates = kernels.rows_product(widened(x).reshape(-1, x.shape[-1]), widened(weight_ih).T)
        for bias in biases:
            if bias is not None:
                gates += bias
        return gates

    def _state(ctx: Any, given: Array | None, width: int, gates: Array) -> Array:
        """The state before the first step, to be changed from step to step; zeros where none is given."""
        if given is None:
            return np.zeros_like(gates, shape=(ctx.steps.sizes[0], width))
        return np.array(widened(given), order="C", like=gates)

    def _walk(ctx: Any, back: bool = False) -> list[tuple[slice, int]]:
        steps: Steps = ctx.steps
        return steps.walk(ctx.reverse is not back)

    def _path(ctx: Any) -> tuple[list[int], list[int]]:
        """Where each step's rows begin and how many they are, in walking order."""
        walk = ctx._walk()
        return [rows.start for rows, _ in walk], [n for _, n in walk]

    def _shaped(ctx: Any, y: Array) -> Array:
        """Rows (T, R) as results: in the shape and type of the input."""
        return y.reshape(*ctx.shape[:-1], y.shape[-1]).astype(ctx.kind, copy=False)

    def _arriving(ctx: Any, grad: Array | None, like: Array) -> Array:
        """The gradient of a result as rows that may be changed; zeros where there is none."""
        if grad is None:
            return np.zeros_like(like)
        return np.array(grad.reshape(like.shape), like.dtype, order="C", like=like)

    def _inputs(ctx: Any, d_gates: Array, x: Array, weight_ih: Array) -> tuple[Any, Any, Any]:
        """The gradients of x, weight_ih and bias_ih, from what the inputs of all steps added to the gates."""
        needs = ctx.needs_input_grad
        d_x = matmul(d_gates, widened(weight_ih)).reshape(ctx.shape) if needs[0] else None
        d_weight = matmul(d_gates.T, widened(x).reshape(-1, ctx.shape[-1])) if needs[2] else None
        return d_x, d_weight, sum_over(d_gates, 0) if needs[4] else None

    def backward_graph(ctx: Any, *grads: Any) -> Any:
        kept = {**ctx.others, **dict(zip(ctx.saves, ctx.saved))}
        ctx.check_saved()
        given = [
            None if kept[name] is None else standing_for(ctx, at, kept[name])
            for at, name in enumerate(operand_names(type(ctx)))
        ]
        sources = [tensor if needed else None for tensor, needed in zip(given, ctx.needs_input_grad)]
        return gradients_of(ctx.restate(*given), grads, sources)

    def restate(
        ctx: Any,
        x: Any,
        h: Any,
        weight_ih: Any,
        weight_hh: Any,
        bias_ih: Any,
        bias_hh: Any,
        c: Any = None,
        weight_hr: Any = None,
    ) -> Any:
        """Forward, step by step, with ops of tensors."""
        inputs = x.reshape(-1, ctx.shape[-1]).mm(weight_ih.t())
        inputs = inputs if bias_ih is None else inputs + bias_ih
        count, kind = ctx.steps.sizes[0], weight_hh.array.dtype
        h = like(x, np.zeros((count, weight_hh.array.shape[1]), kind)) if h is None else h
        if c is None and ctx.has_cell:
            c = like(x, np.zeros((count, weight_hh.array.shape[0] // 4), kind))
        found: dict[int, Any] = {}
        for rows, n in ctx._walk():
            hidden = h[:n].mm(weight_hh.t())
            hidden = hidden if bias_hh is None else hidden + bias_hh
            y, cell = ctx.restated_step(inputs[rows], hidden, h[:n], None if c is None else c[:n])
            y = y if weight_hr is None else y.mm(weight_hr.t())
            found[rows.start] = y
            h = y if n == count else cat((y, h[n:]))
            c = cell if cell is None or n == count else cat((cell, c[n:]))
        y = cat([found[start] for start in sorted(found)])
        y = y.reshape(*ctx.shape[:-1], y.array.shape[-1])
        return (y, h, c) if ctx.has_cell else (y, h)

    def _both(ctx: Any, d_gates: Array, x: Array, weight_ih: Array, before: Array) -> tuple[Any, ...]:
        """The gradients of x, both weights and both biases, where inputs and states are simply added up."""
        d_x, d_weight_ih, d_bias_ih = ctx._inputs(d_gates, x, weight_ih)
        needs = ctx.needs_input_grad
        d_weight_hh = matmul(d_gates.T, before) if needs[3] else None
        d_bias = sum_over(d_gates, 0) if needs[5] and d_bias_ih is None else d_bias_ih
        return d_x, d_weight_ih, d_weight_hh, d_bias_ih, d_bias.copy() if needs[5] else None


def _turned(weight: Array) -> Array:
    """weight' in row order, as every step multiplies by it."""
    return np.ascontiguousarray(widened(weight).T, like=weight)


class Rnn(Recurrent):
    formula = "y[t] = {nonlinearity}(x[t] weight_ihᵀ + bias_ih + y[t−1] weight_hhᵀ + bias_hh), y[−1] = h0"
    gradient = (
        "d_x[t] = g[t] weight_ih, g[t] = (grad[t] + g[t+1] weight_hh) · {nonlinearity}′",
        "d_h0 = g[0] weight_hh",
        "d_weight_ih = Σ_t g[t]ᵀ x[t]",
        "d_weight_hh = Σ_t g[t]ᵀ y[t−1]",
        "d_bias_ih = Σ_t g[t]",
        "d_bias_hh = Σ_t g[t]",
    )

    @quiet
    def forward(
        ctx: Any,
        x: Array,
        h0: Array | None,
        weight_ih: Array,
        weight_hh: Array,
        bias_ih: Array | None,
        bias_hh: Array | None,
        *,
        steps: Steps | None,
        reverse: bool,
        nonlinearity: str,
    ) -> tuple[Array, Array]:
        gates = ctx._begin(x, weight_ih, (bias_ih, bias_hh), steps, reverse)
        ctx.relu = nonlinearity == "relu"
        h, weight = ctx._state(h0, weight_hh.shape[1], gates), _turned(weight_hh)
        y, before = np.empty_like(gates), np.empty_like(gates)
        for rows, n in ctx._walk():
            before[rows] = h[:n]
            kernels.rnn_gates(gates[rows], kernels.rows_product(before[rows], weight), y[rows], ctx.relu)
            h[:n] = y[rows]
        ctx.save(x, weight_ih, weight_hh, before, y)
        ctx.others = {"h0": h0, "bias_ih": bias_ih, "bias_hh": bias_hh}
        return ctx._shaped(y), h.astype(x.dtype, copy=False)

    saves = ("x", "weight_ih", "weight_hh", None, None)

    def restated_step(ctx: Any, inputs: Any, hidden: Any, h: Any, c: Any) -> Any:
        total = inputs + hidden
        return (total.relu() if ctx.relu else total.tanh()), None

    def backward(ctx: Any, grad: Array | None, grad_h: Array | None) -> Any:
        x, weight_ih, weight_hh, before, y = ctx.saved
        weight = dense(widened(weight_hh))
        d_gates = ctx._arriving(grad, y)
        d_h = ctx._arriving(grad_h, y[: ctx.steps.sizes[0]])
        for rows, n in ctx._walk(back=True):
            d_gates[rows] += d_h[:n]
            kernels.rnn_gates_backward(d_gates[rows], y[rows], d_gates[rows], ctx.relu)
            d_h[:n] = kernels.rows_product(d_gates[rows], weight)
        d_x, *parameters = ctx._both(d_gates, x, weight_ih, before)
        return d_x, d_h, *parameters


class Gru(Recurrent):
    formula = (
        "y[t] = (1 − z) · n + z · y[t−1], y[−1] = h0; r, z = σ(u + v), n = tanh(u_n + r · v_n), "
        "u = x[t] weight_ihᵀ + bias_ih, v = y[t−1] weight_hhᵀ + bias_hh"
    )
    gradient = (
        "d_x[t] = d_u[t] weight_ih",
        "d_h0 = d_v[0] weight_hh + z · d_y[0]",
        "d_weight_ih = Σ_t d_u[t]ᵀ x[t]",
        "d_weight_hh = Σ_t d_v[t]ᵀ y[t−1]",
        "d_bias_ih = Σ_t d_u[t]",
        "d_bias_hh = Σ_t d_v[t]",
    )

    @quiet
    def forward(
        ctx: Any,
        x: Array,
        h0: Array | None,
        weight_ih: Array,
        weight_hh: Array,
        bias_ih: Array | None,
        bias_hh: Array | None,
        *,
        steps: Steps | None,
        reverse: bool,
    ) -> tuple[Array, Array]:
        gates = ctx._begin(x, weight_ih, (bias_ih,), steps, reverse)
        h = ctx._state(h0, weight_hh.shape[1], gates)
        y, before = (np.empty_like(gates, shape=(len(gates), h.shape[1])) for _ in range(2))
        hidden = np.zeros_like(gates)
        if bias_hh is not None:
            hidden += bias_hh
        kernels.gru_walk(gates, hidden, widened(weight_hh).T, h, before, y, *ctx._path())
        ctx.save(x, weight_ih, weight_hh, before, gates, hidden)
        ctx.others = {"h0": h0, "bias_ih": bias_ih, "bias_hh": bias_hh}
        return ctx._shaped(y), h.astype(x.dtype, copy=False)

    saves = ("x", "weight_ih", "weight_hh", None, None, None)

    def restated_step(ctx: Any, inputs: Any, hidden: Any, h: Any, c: Any) -> Any:
        (r, z, n), (v_r, v_z, v_n) = inputs.chunk(3, 1), hidden.chunk(3, 1)
        r, z = (r + v_r).sigmoid(), (z + v_z).sigmoid()
        n = (n + r * v_n).tanh()
        return (1 - z) * n + z * h, None

    def backward(ctx: Any, grad: Array | None, grad_h: Array | None) -> Any:
        x, weight_ih, weight_hh, before, gates, hidden = ctx.saved
        d_y = ctx._arriving(grad, before)
        d_h = ctx._arriving(grad_h, before[: ctx.steps.sizes[0]])
        d_gates, d_hidden = np.empty_like(gates), np.empty_like(hidden)
        kernels.gru_walk_backward(d_y, gates, hidden, before, widened(weight_hh), d_h, d_gates, d_hidden, *ctx._path())
        d_x, d_weight_ih, d_bias_ih = ctx._inputs(d_gates, x, weight_ih)
        needs = ctx.needs_input_grad
        d_weight_hh = matmul(d_hidden.T, before) if needs[3] else None
        return d_x, d_h, d_weight_ih, d_weight_hh, d_bias_ih, sum_over(d_hidden, 0) if needs[5] else None


class Lstm(Recurrent):
    """With a cell c0 (N, H) beside the state, and where there is a projection its weight (R, H); gives c_n (N, H)."""

    formula = (
        "y[t] = o · tanh(c[t]) (· weight_hrᵀ, where given), c[t] = f · c[t−1] + i · g, y[−1] = h0, c[−1] = c0; "
        "i, f, o = σ(u), g = tanh(u), u = x[t] weight_ihᵀ + bias_ih + y[t−1] weight_hhᵀ + bias_hh"
    )
    gradient = (
        "d_x[t] = d_u[t] weight_ih",
        "d_h0 = d_u[0] weight_hh",
        "d_weight_ih = Σ_t d_u[t]ᵀ x[t]",
        "d_weight_hh = Σ_t d_u[t]ᵀ y[t−1]",
        "d_bias_ih = Σ_t d_u[t]",
        "d_bias_hh = Σ_t d_u[t]",
        "d_c0 = f · d_c[0]",
        "d_weight_hr = Σ_t d_y[t]ᵀ (o · tanh(c[t]))",
    )

    @staticmethod
    def multiply_adds(y: Array, x: Array, h0: Any, weight_ih: Array, weight_hh: Array, *others: Any) -> int:
        projection = 0 if others[-1] is None else others[-1].size
        return y.size // y.shape[-1] * (weight_ih.size + weight_hh.size + projection)

    @quiet
    def forward(
        ctx: Any,
        x: Array,
        h0: Array | None,
        weight_ih: Array,
        weight_hh: Array,
        bias_ih: Array | None,
        bias_hh: Array | None,
        c0: Array | None,
        weight_hr: Array | None,
        *,
        steps: Steps | None,
        reverse: bool,
    ) -> tuple[Array, Array, Array]:
        gates = ctx._begin(x, weight_ih, (bias_ih, bias_hh), steps, reverse)
        h = ctx._state(h0, weight_hh.shape[1], gates)
        c = ctx._state(c0, len(weight_hh) // 4, gates)
        down = None if weight_hr is None else widened(weight_hr).T
        y, before = (np.empty_like(gates, shape=(len(gates), h.shape[1])) for _ in range(2))
        cell, cell_before = (np.empty_like(gates, shape=(len(gates), c.shape[1])) for _ in range(2))
        out = y if down is None else np.empty_like(cell)  # before the projection
        kernels.lstm_walk(gates, widened(weight_hh).T, down, h, c, before, cell_before, cell, out, y, *ctx._path())
        ctx.save(x, weight_ih, weight_hh, weight_hr, before, gates, cell, cell_before, None if down is None else out)
        ctx.others = {"h0": h0, "bias_ih": bias_ih, "bias_hh": bias_hh, "c0": c0}
        return ctx._shaped(y), h.astype(x.dtype, copy=False), c.astype(x.dtype, copy=False)

    has_cell = True
    saves = ("x", "weight_ih", "weight_hh", "weight_hr", *(None,) * 5)

    def restated_step(ctx: Any, inputs: Any, hidden: Any, h: Any, c: Any) -> Any:
        i, f, g, o = (inputs + hidden).chunk(4, 1)
        cell = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * cell.tanh(), cell

    def backward(ctx: Any, grad: Array | None, grad_h: Array | None, grad_c: Array | None) -> Any:
        x, weight_ih, weight_hh, weight_hr, before, gates, cell, cell_before, out = ctx.saved
        down = None if weight_hr is None else widened(weight_hr)
        d_y = ctx._arriving(grad, before)
        d_h, d_c = (ctx._arriving(g, s[: ctx.steps.sizes[0]]) for g, s in ((grad_h, before), (grad_c, cell)))
        d_gates = np.empty_like(gates)
        kernels.lstm_walk_backward(
            d_y, gates, cell_before, cell, widened(weight_hh), down, d_h, d_c, d_gates, *ctx._path()
        )
        d_x, *parameters = ctx._both(d_gates, x, weight_ih, before)
        d_weight_hr = None if down is None else matmul(d_y.T, out)
        return d_x, d_h, *parameters, d_c, d_weight_hr
