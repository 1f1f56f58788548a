"""What a trace says of each node, held against torch and against plain arithmetic."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.inspection.graph.outline import outline, title
from lenetcli.inspection.graph.trace import Trace
from lenetcli.inspection.statistics import dead_units, figures
from tests.inspection.passes import trace


class Block(nn.Module):
    """A residual block that uses its activation twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()

    def forward(self, x: Any) -> Any:
        return self.relu(x + self.norm(self.relu(self.conv(x))))


class Net(nn.Module):
    """Two calls of one block, an own parameter and an op outside any layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.block = Block()
        self.head = nn.Linear(4 * 36, 3)
        self.scale = nn.Parameter(lenet.ones(1))

    def forward(self, x: Any) -> Any:
        return self.head(self.block(self.block(self.stem(x))).flatten(1)) * self.scale


@pytest.fixture
def found() -> Trace:
    lenet.manual_seed(0)
    targets = lenet.tensor([0, 1, 2, 0])
    return trace(Net(), nn.CrossEntropyLoss(), lenet.randn(4, 1, 6, 6), targets, [], histograms=True)


def test_gradients_and_values_equal_torchs_node_by_node(torch: Any) -> None:

    def net(nn: Any) -> Any:
        return nn.Sequential(
            nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8), nn.Tanh(),
            nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8 * 9, 10), nn.ReLU(), nn.Linear(10, 4),
        )  # fmt: skip

    lenet.manual_seed(1)
    model, x, y = net(nn), lenet.randn(5, 1, 18, 18), lenet.tensor([0, 1, 2, 3, 1])
    twin = net(torch.nn)
    twin.load_state_dict({k: torch.tensor(np.ascontiguousarray(v.numpy())) for k, v in model.state_dict().items()})
    ours = trace(model, nn.CrossEntropyLoss(), x, y, [])

    values: dict[int, Any] = {}  # torch's forward values, by module
    for number, layer in enumerate(twin):
        layer.register_forward_hook(lambda _, __, out, number=number: values.__setitem__(number, out.detach().numpy()))
    loss = torch.nn.CrossEntropyLoss()(twin(torch.tensor(x.numpy())), torch.tensor(y.numpy()))
    pairs, stack = {}, [(ours.nodes[0], loss.grad_fn)]  # node by node along both graphs
    arrived: dict[int, list[Any]] = {}
    while stack:
        node, theirs = stack.pop()
        if node.id in pairs:
            continue
        pairs[node.id] = theirs
        theirs.register_prehook(lambda grads, at=node.id: arrived.__setitem__(at, [g for g in grads if g is not None]))
        assert node.name == theirs.name().removeprefix("torch::autograd::").rstrip("0")
        below = list(zip(node.next, (target for target, _ in theirs.next_functions)))
        assert len(node.next) == len(theirs.next_functions)
        stack += [(ours.nodes[i], target) for i, target in below if i is not None]
    loss.backward()
    assert len(pairs) == len(ours.nodes)
    for node in ours.nodes:
        expected = np.concatenate([g.numpy().ravel() for g in arrived[node.id]]).astype(np.float64)
        assert node.grad is not None
        assert node.grad.norm == pytest.approx(np.linalg.norm(expected), rel=1e-4, abs=1e-6)
        assert node.grad.mean_abs == pytest.approx(np.abs(expected).mean(), rel=1e-4, abs=1e-6)
        assert node.grad.max_abs == pytest.approx(np.abs(expected).max(), rel=1e-4, abs=1e-6)
        if np.abs(expected).max() > 1e-6:  # a bias before batch norm has none but rounding's
            assert node.grad.zeros == pytest.approx((expected == 0).mean(), abs=1e-3)
        if node.call is not None and node.module and node.name != "TBackward":
            value = values[int(node.module)].astype(np.float64)
            assert node.value is not None
            assert node.shape == list(value.shape)
            assert node.value.mean == pytest.approx(value.mean(), rel=1e-4, abs=1e-6)
            assert node.value.std == pytest.approx(value.std(ddof=1), rel=1e-4)
            assert (node.value.min, node.value.max) == pytest.approx((value.min(), value.max()), rel=1e-4)


def test_figures_are_what_their_names_say() -> None:
    array = np.array([[3.0, 0.0], [-4.0, 0.0]], np.float32)
    f = figures([array], histogram=True)
    assert (f.count, f.mean, f.min, f.max) == (4, -0.25, -4.0, 3.0)
    assert (f.mean_abs, f.max_abs, f.norm, f.zeros, f.nonfinite) == (1.75, 4.0, 5.0, 0.5, 0)
    assert f.std == pytest.approx(array.std(ddof=1))
    assert f.histogram is not None
    assert (f.histogram.low, f.histogram.high, sum(f.histogram.counts)) == (-4.0, 3.0, 4)
    assert (f.histogram.counts[0], f.histogram.counts[-1]) == (1, 1)


def test_figures_of_nothing_of_one_and_of_what_is_no_number() -> None:
    assert figures([np.zeros((0, 3))]).mean is None
    one = figures([np.array(2.0)], histogram=True)
    assert (one.mean, one.std) == (2.0, None)
    bad = figures([np.array([np.nan, np.inf, 1.0, 2.0], np.float32)], histogram=True)
    assert bad.nonfinite == 2
    assert bad.histogram is not None
    assert (bad.histogram.low, bad.histogram.high) == (1.0, 2.0)
    assert figures([np.array([np.nan])], histogram=True).histogram is None
    huge = figures([np.array([-1e308, 1e308])], histogram=True)
    assert huge.histogram is not None
    assert sum(huge.histogram.counts) == 2


def test_a_unit_is_dead_where_it_is_zero_for_the_whole_batch() -> None:
    images = np.zeros((2, 3, 4, 4))
    images[1, 2, 0, 0] = 1
    assert dead_units(images) == (2, 3)
    assert dead_units(np.array([[0.0, 1.0], [0.0, 0.0]])) == (1, 2)
    assert dead_units(np.zeros(3)) is None


def test_dead_units_of_a_trace_are_counted() -> None:
    layer = nn.Linear(2, 4)
    with lenet.no_grad():
        layer.weight[:3] = 0
        layer.bias[:] = lenet.tensor([-1.0, -1.0, 1.0, 1.0])
    model = nn.Sequential(layer, nn.ReLU(), nn.Linear(4, 1))
    found = trace(model, nn.MSELoss(), lenet.ones(3, 2), lenet.zeros(3, 1), [])
    relu = next(n for n in found.nodes if n.name == "ReluBackward")
    assert (relu.dead, relu.units) == (2, 4)
    assert relu.record()["dead"] == 2


def test_each_call_of_a_module_that_is_used_again_is_told_apart(found: Trace) -> None:
    relu = [c for c in found.calls if c.path == "block.relu"]
    assert sorted((c.turn, c.turns) for c in relu) == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [c.turn for c in relu] == [4, 3, 2, 1]  # newest first
    first, second = (i for i, c in enumerate(found.calls) if c.path == "block")
    assert {c.outer for c in found.calls if c.path.startswith("block.")} == {first, second}
    shared = [n for n in found.nodes if n.parameter == "block.conv.weight"]
    assert len(shared) == 1


def test_the_outline_folds_what_calls_no_other_module(found: Trace) -> None:
    rows = outline(found)
    assert [title(found, r)[0] for r in rows if r.level == 0][:3] == ["", "MulBackward", "head"]
    assert [title(found, r) for r in rows if r.heading] == [("block #2", "Block"), ("block #1", "Block")]
    conv = [r for r in rows if title(found, r)[1] == "Conv2d"]
    assert [len(r.parameters) for r in conv] == [2, 2, 2]
    everything = sorted(i for r in rows for i in r.nodes)
    assert everything == [n.id for n in found.nodes if n.parameter is None]
    assert all(target > row.id for row in rows for target in row.next)  # always further down: no circles


def test_the_outline_can_be_folded_further(found: Trace) -> None:
    rows = outline(found, depth=1)
    assert not any(r.heading for r in rows)
    names = [title(found, r)[0] for r in rows]
    assert names == ["", "MulBackward", "head", "ViewBackward", "block #2", "block #1", "stem"]
    assert [r.next for r in rows[:-1]] == [[i + 1] for i in range(len(rows) - 1)]


def test_a_trace_disturbs_neither_buffers_nor_random_numbers() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 1))
    before = {k: v.numpy().copy() for k, v in model.state_dict().items()}
    state = lenet.get_rng_state()
    trace(model, nn.MSELoss(), lenet.ones(4, 3), lenet.ones(4, 1), [], check=True)
    after = model.state_dict()
    assert all((before[k] == after[k].numpy()).all() for k in before)
    x = lenet.randn(3)
    lenet.set_rng_state(state)
    lenet.ones(4, 3)
    assert (lenet.randn(3) == x).all()


def test_a_loss_that_is_no_number_is_told_in_valid_json() -> None:
    model = nn.Linear(2, 1)
    found = trace(model, nn.MSELoss(), lenet.full((1, 2), float("inf")), lenet.zeros(1, 1), ["bias"])
    record = found.record()
    assert record["loss"] is None
    assert any("nonfinite" in n for n in record["nodes"])


def test_a_deep_net_is_traced_fast() -> None:
    layers = [nn.Linear(8, 8) if i % 2 == 0 else nn.ReLU() for i in range(1000)]
    model = nn.Sequential(*layers, nn.Linear(8, 2))
    began = time.process_time()
    found = trace(model, nn.MSELoss(), lenet.randn(4, 8), lenet.zeros(4, 2), [])
    assert time.process_time() - began < 3
    assert len(found.nodes) == 2505
