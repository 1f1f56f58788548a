"""What may happen between the steps of a training, by name."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.autograd.modes import detect_anomaly, watch
from tests.nn.recording import Act, batch


def at(step: int, change: Act) -> Act:
    """The change before one step."""
    return lambda now, *rest: change(now, *rest) if now == step else None


def _hook(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model[3].register_forward_hook(lambda module, args, output: kept.append(output.detach().numpy().copy()))


def _backward_hook(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model[3].register_full_backward_hook(lambda m, d_in, d_out: kept.append(d_out[0].numpy().copy()))


def _tensor_hook(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model[0].weight.register_hook(lambda grad: grad * 2)


def _replaced(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model[7].weight = nn.Parameter(model[7].weight.detach() * 0.5)
    optimizer.param_groups[0]["params"] = list(model.parameters())


def _other_memory(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model[7].weight.data = model[7].weight.detach() * 0.5


def _frozen(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model[0].weight.requires_grad = step % 3 == 0


def _rate(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    optimizer.param_groups[0]["lr"] *= 0.7


def _kept_gradient(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    kept += [p.grad.array for p in model.parameters() if p.grad is not None]


def _kept_view(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    kept += [grads[step % len(grads)].reshape(-1)[1:3].numpy()] if grads else []


def _raised(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        nn.CrossEntropyLoss()(model(batch(step)[0]), batch(step, 3)[1])
    with pytest.raises(IndexError, match="out of bounds"):
        nn.CrossEntropyLoss()(model(batch(step)[0]), lenet.tensor([9] * 8))


def _in_place(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    with lenet.no_grad():
        model[0].weight.mul_(0.9)
        model[9].bias.add_(0.1)


def _loaded(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model.load_state_dict({name: value * 0.9 for name, value in model.state_dict().items()})
    optimizer.load_state_dict(deepcopy(optimizer.state_dict()))


def _other_size(step: int, model: Any, optimizer: Any, kept: list[Any]) -> Any:
    return batch(step, 8 if step % 3 else 5)


def _rows(step: int, model: Any, optimizer: Any, kept: list[Any]) -> Any:
    x, y = batch(step)
    return (lenet.from_numpy(np.ascontiguousarray(x.array)), y) if step % 2 else None


def _of_a_larger(step: int, model: Any, optimizer: Any, kept: list[Any]) -> Any:
    x, y = batch(step, 20)
    return x[4:12], y[4:12]


def _evaluated(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model.eval()
    with lenet.no_grad():
        kept.append(model(batch(100 + step)[0]).array)
    model.train()


def _accumulated(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    for seed in range(3):
        x, y = batch(50 + seed)
        (nn.CrossEntropyLoss()(model(x), y) / 3).backward()
    kept.append(model[0].weight.grad.array.copy())


def _clipped(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    nn.CrossEntropyLoss()(model(batch(70)[0]), batch(70)[1]).backward()
    kept.append(nn.utils.clip_grad_norm_(model.parameters(), 0.1).array.copy())
    optimizer.step()


def _two_at_once(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    (x, y), (x2, y2) = batch(80 + step), batch(90 + step)
    first, second = model(x), model(x2)
    criterion = nn.CrossEntropyLoss()
    (criterion(first, y) + criterion(second, y2)).backward()
    kept.append(model[0].weight.grad.array.copy())


def _twice(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    loss = nn.CrossEntropyLoss()(model(batch(80)[0]), batch(80)[1])
    loss.backward(retain_graph=True)
    loss.backward(retain_graph=True)
    model(batch(81)[0])  # the recording's memory is still in use
    loss.backward()
    kept.append(model[0].weight.grad.array.copy())


def _other_loss(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    (model(batch(80)[0]) * lenet.arange(4.0)).sum().backward()
    kept.append(model[0].weight.grad.array.copy())


def _given_gradient(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    for order in "CCFCCCF":
        gradient = np.asarray(np.random.default_rng(step).standard_normal((8, 4), np.float32), order=order)
        model(batch(80)[0]).backward(lenet.from_numpy(gradient))
    kept.append(model[9].bias.grad.array.copy())


def _looked_at(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    loss = nn.CrossEntropyLoss()(model(batch(80)[0]), batch(80)[1])
    names, node = [], loss.grad_fn
    while node is not None and node.next_functions:
        names.append(node.name() + str(node.metadata))
        node = node.next_functions[-1][0] or node.next_functions[0][0]
    kept.append(np.array(names))
    handle = loss.grad_fn.next_functions[0][0].register_hook(lambda d_in, d_out: kept.append(d_in[0].array.copy()))
    loss.backward()
    handle.remove()
    kept.append(model[0].weight.grad.array.copy())


def _part_of_a_graph(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    x = batch(80)[0].clone().requires_grad_()
    for _ in range(4):
        y = model(x * 2.0)
        y.retain_grad()
        y.register_hook(lambda grad: grad * 3)
        y.pow(2).sum().backward()
        kept.append(y.grad.array.copy())
    kept.append(x.grad.array.copy())


def _asked_for(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    loss = nn.CrossEntropyLoss()(model(batch(80)[0]), batch(80)[1])
    kept += [g.array for g in lenet.autograd.grad(loss, list(model.parameters()))]


def _watched(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    with watch(lambda node, operands, parameters, results: kept.append(results[0].array.copy())):
        model(batch(80)[0])
    with detect_anomaly():
        model(batch(80)[0])


def _not_finite(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    x, y = batch(80)
    x.array[3, 0, 4, 4] = [np.inf, np.nan, -np.inf, 1e38][step % 4]
    loss = nn.CrossEntropyLoss()(model(x), y)
    loss.backward()
    kept += [loss.array.copy(), *(p.grad.array.copy() for p in model.parameters())]


def _other_module(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    if step % 4 == 0:
        model[1] = [nn.ReLU, nn.Tanh, nn.Identity][step // 4 % 3]()


def _argument(step: int, model: Any, optimizer: Any, kept: list[Any]) -> Any:
    if step % 4 == 3:
        model[3].padding = (1, 1) if step % 8 == 3 else (0, 0)
        model[7] = nn.Linear(45 if step % 8 == 3 else 20, 12)
        optimizer.param_groups[0]["params"] = list(model.parameters())


def _copied(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    kept.append(deepcopy(model)(batch(80)[0]).array.copy())


INTERFERENCE: dict[str, Act] = {
    "a hook": at(4, _hook), "a backward hook": at(4, _backward_hook), "a hook on a parameter": at(4, _tensor_hook),
    "a parameter replaced": at(4, _replaced), "a parameter's memory replaced": at(4, _other_memory),
    "a parameter frozen and thawed": _frozen, "a rate changed": _rate, "gradients kept": _kept_gradient,
    "views of gradients kept": _kept_view,
    "exceptions": _raised, "a change in place": at(4, _in_place), "a change in place each time": _in_place,
    "state loaded": at(4, _loaded), "another batch size": _other_size, "another memory order": _rows,
    "batches that are views": _of_a_larger, "evaluation between": _evaluated, "accumulation": _accumulated,
    "clipping": _clipped, "two passes before backward": _two_at_once, "backward twice": _twice,
    "another loss": _other_loss, "gradients in several memory orders": _given_gradient,
    "a look at the graph": _looked_at, "a part of a graph": _part_of_a_graph,
    "autograd.grad": _asked_for, "an observer": _watched, "numbers not finite": _not_finite,
    "another module": _other_module, "another argument": _argument, "copies": _copied,
}  # fmt: skip
