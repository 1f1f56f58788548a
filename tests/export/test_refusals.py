"""What cannot leave is refused with the module, the op and the user's line; nothing leaves wrong without a word."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn
from lenetcli.errors import CheckFailed
from lenetcli.export.checked import difference
from lenetcli.export.graph import NotExportable
from lenetcli.export.lowering import lower
from lenetcli.export.python_file import python_source, runner

HERE = Path(__file__).name


class Own(nn.Module):
    """A net of a layer and a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.fc, self.function = nn.Linear(4, 4), function

    def forward(self, x: Any) -> Any:
        return self.function(self.fc(x))


def branch(y: Any) -> Any:
    return y if y.sum() > 0 else -y


def number(y: Any) -> Any:
    return y * y.mean().item()


def whole_number(y: Any) -> Any:
    return y[:, : int(y.max()) + 9]


def loop(y: Any) -> Any:
    while y.norm() > 1:
        y = y / 2
    return y


def by_numpy(y: Any) -> Any:
    return lenet.from_numpy(np.tanh(y.numpy()))


def by_array(y: Any) -> Any:
    return y + lenet.from_numpy(np.tanh(y.array))


def listed(y: Any) -> Any:
    return lenet.tensor(y.tolist())


def asserted(y: Any) -> Any:
    assert y.isfinite().all()
    return y


def close(y: Any) -> Any:
    return y if lenet.allclose(y, y) else -y


def chance(y: Any) -> Any:
    return y + lenet.randn(4)


def like_chance(y: Any) -> Any:
    return y + lenet.rand_like(y)


def chosen(y: Any) -> Any:
    return y[y > 0]


def without_form(y: Any) -> Any:
    return lenet.cdist(y, y)


def unnamed(y: Any) -> Any:
    return y * lenet.isin(y, y)


def no_tensor(y: Any) -> Any:
    return y, 3


def through_a_view(y: Any) -> Any:
    y[:, 0].mul_(2)
    return y


def counted(y: Any) -> Any:
    return y if len(y) > 2 else -y


def bound(y: Any) -> Any:
    return y * lenet.arange(len(y))[:, None]


def as_many_as_values_say(y: Any) -> Any:
    return y * len(y.nonzero())


def as_many_as_differ(y: Any) -> Any:
    return y / y.unique().shape[0]


CASES = {
    as_many_as_values_say: "how much nonzero() gives depends on the values",
    as_many_as_differ: "how much unique() gives depends on the values",
    branch: "a condition (if, while, and, bool()) looks at values",
    number: ".item() looks at values",
    whole_number: "int() looks at values",
    loop: "a condition (if, while, and, bool()) looks at values",
    by_numpy: ".numpy() looks at values",
    by_array: "Add takes a tensor of shape [2, 4] that no op made of the input",
    listed: ".tolist() looks at values",
    asserted: "a condition (if, while, and, bool()) looks at values",
    close: "allclose() looks at values",
    chance: "it is random, came out of Python's or NumPy's hands",
    like_chance: "it is random, came out of Python's or NumPy's hands",
    chosen: " a mask leaves",
    without_form: "Cdist has no form in a graph of ONNX's operators",
    unnamed: "isin() gives values that depend on the input, and has no form",
    counted: "for other inputs it runs other ops",
    bound: "that no op made of the input and that is not the same for other inputs",
}


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_what_cannot_leave_is_refused_with_its_line(function: Callable[..., Any]) -> None:
    lines, first = inspect.getsourcelines(function)
    with pytest.raises(NotExportable) as caught:
        lower(nn.Sequential(nn.ReLU(), Own(function)), (4,))
    message = str(caught.value)
    assert CASES[function] in message
    assert any(f"{HERE}:{line}: 1 (Own): cannot be exported: " in message for line in range(first, first + len(lines)))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (no_tensor, "the model: cannot be exported: it gives int (output_1), no tensor"),
        (through_a_view, "changed in place by way of a view or its base; make a copy with clone() first"),
    ],
)
def test_what_a_model_gives_is_a_tensor_that_was_followed(function: Callable[..., Any], words: str) -> None:
    with pytest.raises(NotExportable) as caught:
        lower(Own(function), (4,))
    assert words in str(caught.value)


@pytest.mark.parametrize("training", [True, False])
def test_a_call_that_draws_in_evaluation_is_left_out_aloud(training: bool) -> None:
    """`training` is True where nobody says anything; what draws with probability 0 draws nothing."""
    draws: list[Callable[..., Any]] = [
        lambda y: F.dropout(y, 0.5), lambda y: F.rrelu(y, training=True), lambda y: F.alpha_dropout(y, 0.3, True),
    ]  # fmt: skip
    for draw in draws:
        with pytest.warns(
            UserWarning, match=r"test_refusals.py:\d+: the model \(Own\): \w+\(\) draws numbers in evaluation"
        ):
            graph = lower(Own(draw).train(training), (4,))
        assert "RandomUniformLike" not in [node.op for node in graph.nodes]
    lower(Own(lambda y: F.dropout(F.dropout(y, 0.0), 0.5, training=False)).train(training), (4,))


def test_a_forward_that_fails_says_where() -> None:
    def wrong(y: Any) -> Any:
        return y @ lenet.ones(3, 3)

    with pytest.raises(NotExportable) as caught:
        lower(Own(wrong), (4,))
    assert f"{HERE}:" in str(caught.value)
    assert "the model (Own): cannot be exported: its forward fails with 2 samples: " in str(caught.value)


def fixed_batch(y: Any) -> Any:
    return y.var(0) + y * lenet.arange(len(y), dtype=lenet.float32)[:, None]


def test_what_needs_the_number_of_samples_leaves_with_it() -> None:
    with pytest.raises(NotExportable):
        lower(Own(fixed_batch), (4,))
    model = Own(fixed_batch).eval()
    graph = lower(model, (4,), batch=6)
    assert graph.input.label == [6, 4]
    assert difference(runner(python_source(graph, None, "numbers")), model, graph) < 1e-5


def squeezed(y: Any) -> Any:
    return y.unsqueeze(2).squeeze()


def test_an_op_that_is_another_for_one_sample_is_found_before_anything_is_written() -> None:
    model = Own(squeezed).eval()
    graph = lower(model, (4,))
    run = runner(python_source(graph, None, "numbers"))
    assert difference(run, model, graph, (3, 4)) < 1e-6
    with pytest.raises(CheckFailed, match="the engine \\[4\\] \\(output of 1 samples\\): not written"):
        difference(run, model, graph)


ALLOWED: dict[str, Callable[..., Any]] = {
    "in place": lambda y: y.add_(1).mul_(2).relu_(),
    "a mask": lambda y: y.masked_fill(y > 0, -1.0),
    "written": lambda y: _written(y),
    "of nothing else": lambda y: y + lenet.ones_like(y) * lenet.arange(4.0).cumsum(0),
    "the number of samples": lambda y: y / y.shape[0] + y.sum(0) / len(y),
    "the shape": lambda y: y.reshape(y.shape[0] * 2, -1).flip(0).view(len(y), -1),
    "from the end": lambda y: lenet.cat((y[-1:], y[:-1], y[::2][:1])),
    "rows of the first": lambda y: y.repeat(2, 1).unsqueeze(0).expand(3, -1, -1).sum(0),
    "detached": lambda y: y.detach().clone() + y.data,
    "chunks": lambda y: sum(part * i for i, part in enumerate(y.chunk(2, 1), 1)),
    "chosen by rank": lambda y: y.topk(2, 1).values + y.sort(1, descending=True)[0][:, :2],
    "gathered": lambda y: y.gather(1, y.argmax(1, keepdim=True)) + y[:, lenet.tensor([3, 1, 1])],
    "einsum": lambda y: lenet.einsum("bi,bj->bij", y, y).flatten(1),
    "filled": lambda y: _filled(y),
    "printed": lambda y: (repr(y), y)[1],
}


def _written(y: Any) -> Any:
    out = lenet.zeros(len(y), 6)
    out[:, 1:5] = y
    out[:, 0] = 7
    out[out < 0] = 0
    return out


def _filled(y: Any) -> Any:
    out = lenet.empty(len(y), 8)
    out[:, :4], out[:, 4:] = y, -y
    return out


@pytest.mark.parametrize("name", ALLOWED)
def test_what_can_be_followed_leaves(name: str) -> None:
    model = Own(ALLOWED[name]).eval()
    graph = lower(model, (4,))
    assert difference(runner(python_source(graph, None, "numbers")), model, graph) < 1e-5
    onnx_file = pytest.importorskip("lenetcli.export.onnx_file")
    pytest.importorskip("onnxruntime")
    assert difference(onnx_file.runner(onnx_file.to_bytes(graph)), model, graph) < 1e-5


def test_what_a_forward_keeps_is_a_tensor_as_any_other_afterwards() -> None:
    kept = []
    model = Own(lambda y: (kept.append(y), y * 2)[1]).eval()
    lower(model, (4,))
    y = kept[0]
    assert float(y.sum()) == pytest.approx(float(np.asarray(y).sum()))
    assert (bool((y == y).all()), y[0, 0].item(), int(y.argmax()) >= 0) == (True, y.tolist()[0][0], True)


def test_buffers_and_modes_are_put_back() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", lenet.zeros(1))
            self.drop = nn.Dropout()

        def forward(self, x: Any) -> Any:
            self.seen += len(x)
            return self.drop(x) + 1

    model = Counts()
    lower(model, (4,))
    assert (float(model.seen), model.training, model.drop.training) == (0.0, True, True)
    assert type(model.seen) is lenet.Tensor
