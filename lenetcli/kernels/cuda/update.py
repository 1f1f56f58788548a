"""Update rules over many parameters in one launch: their addresses and sizes travel with the call.

As in native/update.py, a group with a first step is the reference's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lenetcli.kernels import update as reference
from lenetcli.kernels.cuda.program import FLOAT, blocks, launch
from lenetcli.kernels.device import address
from lenetcli.kernels.layout import Array

__all__ = ["adam", "sgd"]

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


def sgd(
    params: list[Array],
    grads: list[Array],
    objective: reference.Objective,
    constants: reference.SGD,
    first: list[bool] | None,
    buffers: list[Array] | None,
) -> None:
    """As lenetcli.kernels.update.sgd."""
    lists = [params, grads] if buffers is None else [params, grads, buffers]
    taken, left = _sorted(lists, whole=first is not None and True in first)
    lr, momentum, dampening, nesterov = constants
    given = lr, momentum, 1.0 - dampening, objective.weight_decay, int(nesterov), int(objective.maximize)
    for some in taken:
        _launch("sgd", [[arrays[i] for i in some] for arrays in lists], given)
    if left:
        reference.rest(reference.sgd, left, params, grads, objective, constants, first, buffers)


def adam(
    params: list[Array],
    grads: list[Array],
    objective: reference.Objective,
    constants: reference.Adam,
    steps: list[float],
    exp_avgs: list[Array],
    exp_avg_sqs: list[Array],
    max_exp_avg_sqs: list[Array] | None,
) -> None:
    """As lenetcli.kernels.update.adam."""
    lists = [params, grads, exp_avgs, exp_avg_sqs]
    taken, left = _sorted(lists, whole=max_exp_avg_sqs is not None or 1.0 in steps)
    lr, beta1, beta2, eps = constants
    given = 1.0 - beta1, beta2, eps, objective.weight_decay, objective.shrink, int(objective.maximize)
    for some in taken:
        rates = [lr / (1 - beta1 ** steps[i]) for i in some], [(1 - beta2 ** steps[i]) ** 0.5 for i in some]
        _launch("adam", [[arrays[i] for i in some] for arrays in lists], given, rates)
    if left:
        state = steps, exp_avgs, exp_avg_sqs, max_exp_avg_sqs
        reference.rest(reference.adam, left, params, grads, objective, constants, *state)


def _sorted(lists: list[list[Array]], whole: bool) -> tuple[list[list[int]], list[int]]:
    """The parameters of each launch, and those left to the reference: all of them where `whole`."""
    if whole:
        return [], list(range(len(lists[0])))
    taken, left = [], []
    for i, arrays in enumerate(zip(*lists)):
        if not _alike(arrays):
            left.append(i)
        elif arrays[0].size:
            taken.append(i)
    return [taken[at : at + MOST] for at in range(0, len(taken), MOST)], left


def _alike(arrays: Sequence[Array]) -> bool:
    """Whether elements of the same place belong together: one type, one memory order, no gaps."""
    p = arrays[0]
    if not (p.flags.c_contiguous or p.flags.f_contiguous):
        return False
    return all(a.dtype is FLOAT and a.strides == p.strides for a in arrays)


def _launch(
    name: str, lists: list[list[Array]], given: tuple[float, ...], rates: tuple[list[float], list[float]] | None = None
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
