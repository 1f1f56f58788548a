"""Optimizer steps over many parameters in one launch: their addresses and sizes travel with the call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lenetcli.kernels import step as reference
from lenetcli.kernels.cuda.program import FLOAT, blocks, launch
from lenetcli.kernels.device import address
from lenetcli.kernels.layout import Array

__all__ = ["adam_steps", "sgd_steps"]

MOST = 48  # parameters in a launch: what is passed by value has 4 KiB
TABLE = np.dtype([("at", np.uint64, (4, MOST)), ("size", np.int64, MOST), ("rate", np.float32, (2, MOST))])

SOURCE = """
struct Table { float* at[4][MOST]; Long size[MOST]; float rate[2][MOST]; };

extern "C" __global__ void sgd(
    Table t, double rate, double momentum, double share, double decay, Long nesterov, Long maximize) {
  int j = blockIdx.y;
  float *p = t.at[0][j], *g = t.at[1][j], *b = t.at[2][j];
  for (Long i = HERE; i < t.size[j]; i += ALL) {
    float v = maximize ? -g[i] : g[i];
    if (decay != 0) v += p[i] * (float)decay;
    if (b) {
      float moved = b[i] * (float)momentum + v * (float)share;
      b[i] = moved;
      v = nesterov ? v + moved * (float)momentum : moved;
    }
    p[i] -= v * (float)rate;
  }
}

extern "C" __global__ void adam(
    Table t, double first, double second, double eps, double decay, double shrink, Long maximize) {
  int j = blockIdx.y;
  float *p = t.at[0][j], *g = t.at[1][j], *m = t.at[2][j], *v = t.at[3][j];
  for (Long i = HERE; i < t.size[j]; i += ALL) {
    float x = p[i] * (float)shrink, d = maximize ? -g[i] : g[i];
    if (decay != 0) d += x * (float)decay;
    m[i] += (d - m[i]) * (float)first;
    v[i] = v[i] * (float)second + d * (float)(1 - second) * d;
    p[i] = x - m[i] * t.rate[0][j] / (sqrtf(v[i]) / t.rate[1][j] + (float)eps);
  }
}
"""


def sgd_steps(
    params: list[Array],
    grads: list[Array],
    buffers: list[Array] | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> None:
    """As lenetcli.kernels.step.sgd_steps."""
    left = []
    tables: list[list[int]] = [[]]
    for i, arrays in enumerate(zip(params, grads, buffers or params)):
        if not _alike(arrays):
            left.append(i)
        elif params[i].size:
            tables[-1].append(i)
            tables += [[]] if len(tables[-1]) == MOST else []
    for chosen in tables:
        if chosen:
            lists = [params, grads] if buffers is None else [params, grads, buffers]
            given = (float(lr), float(momentum), 1.0 - dampening, float(weight_decay), int(nesterov), int(maximize))
            _launch("sgd", [[arrays[i] for i in chosen] for arrays in lists], None, given)
    for i in left:
        buffer = None if buffers is None else buffers[i]
        reference.sgd_step(params[i], grads[i], buffer, lr, momentum, dampening, weight_decay, nesterov, maximize)


def adam_steps(
    params: list[Array],
    grads: list[Array],
    exp_avgs: list[Array],
    exp_avg_sqs: list[Array],
    steps: list[float],
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """As lenetcli.kernels.step.adam_steps."""
    left = []
    tables: list[list[int]] = [[]]
    for i, arrays in enumerate(zip(params, grads, exp_avgs, exp_avg_sqs)):
        if not _alike(arrays):
            left.append(i)
        elif params[i].size:
            tables[-1].append(i)
            tables += [[]] if len(tables[-1]) == MOST else []
    shrink = 1 - lr * weight_decay if decoupled else 1.0
    given = (1.0 - beta1, float(beta2), float(eps), 0.0 if decoupled else float(weight_decay), shrink, int(maximize))
    for chosen in tables:
        if chosen:
            rates = [lr / (1 - beta1 ** steps[i]) for i in chosen], [(1 - beta2 ** steps[i]) ** 0.5 for i in chosen]
            lists = [params, grads, exp_avgs, exp_avg_sqs]
            _launch("adam", [[arrays[i] for i in chosen] for arrays in lists], rates, given)
    for i in left:
        reference.adam_step(
            params[i], grads[i], exp_avgs[i], exp_avg_sqs[i], None, steps[i],
            lr, beta1, beta2, eps, weight_decay, decoupled, maximize,
        )  # fmt: skip


def _alike(arrays: Sequence[Array]) -> bool:
    """Whether elements of the same place belong together: one type, one memory order, no gaps."""
    p = arrays[0]
    if not (p.flags.c_contiguous or p.flags.f_contiguous):
        return False
    return all(a.dtype is FLOAT and a.strides == p.strides for a in arrays)


def _launch(
    name: str, lists: list[list[Array]], rates: tuple[list[float], list[float]] | None, given: tuple[float, ...]
) -> None:
    table = np.zeros(1, TABLE)
    row, count = table[0], len(lists[0])
    for number, arrays in enumerate(lists):
        row["at"][number, :count] = [address(a) for a in arrays]
    sizes = [a.size for a in lists[0]]
    row["size"][:count] = sizes
    if rates is not None:
        row["rate"][:, :count] = rates
    launch(SOURCE, name, (blocks(-(-max(sizes) // 4)), count), (table, *given), MOST=MOST)
