"""What is shown of an op, for every op that has samples and every layer: its rule, whole and in its own names."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.autograd.engine import reduce_to_shape
from lenetcli.autograd.modes import fusion, watch
from lenetcli.autograd.op import Op
from lenetcli.inspection.model.summary import multiply_adds
from lenetcli.inspection.step.record import _roles, _settings
from lenetcli.inspection.step.rules import Rule, mentioned, rule_of, stated
from lenetcli.inspection.step.written_out import ByHand, Seen, backward_by_hand, forward_by_hand, largest
from tests.nn.sample import collected, leaves
from tests.ops.sample import Sample, all_samples
from tests.ops.samples import activation
from tests.ops.test_sweep import call

ACTIVATIONS = {sample.name for sample in activation.SAMPLES} - {"nn.functional.glu", "nn.functional.prelu", "prelu"}
Called = tuple[Op, dict[str, Any], dict[str, Any], list[Any]]  # node, operands and parameters by name, results


def of_samples() -> list[Called]:
    """Every op that the samples of ops and of layers run."""
    found: list[Called] = []

    def note(node: Any, operands: Any, parameters: Any, results: Any) -> None:
        found.append((node, _roles(node, operands), parameters, results))

    with fusion(False), watch(note), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated uses and 0-size draws, which have tests of their own
        for sample in all_samples():
            call(sample)
        for layer in collected("SAMPLES"):
            inputs = [x.clone() if isinstance(x, lenet.Tensor) else x for x in leaves(layer, lenet.from_numpy)]
            layer.make(lenet.nn, lenet.from_numpy)(*inputs, **layer.named(lenet.from_numpy))
    return found


@pytest.fixture(scope="module")
def called() -> list[Called]:
    return of_samples()


def below(cls: type[Op]) -> list[type[Op]]:
    return [*cls.__subclasses__(), *(deeper for sub in cls.__subclasses__() for deeper in below(sub))]


def rule(node: Op, operands: dict[str, Any], parameters: dict[str, Any]) -> Rule:
    values = {role: v.array if isinstance(v, lenet.Tensor) else v for role, v in operands.items()}
    return rule_of(node, parameters, values)


def test_every_op_has_a_formula_and_the_gradient_of_each_operand_that_can_take_one(called: list[Called]) -> None:
    wrong = set()
    for node, operands, parameters, _ in called:
        found = rule(node, operands, parameters)
        texts = [found.forward, *found.backward.values()]
        if any("see lenetcli" in text or "computed in" in text or "{" in text for text in texts):
            wrong.add((type(node).__name__, *texts))
        for (role, _), (target, _) in zip(operands.items(), node.next_functions):
            if target is not None and role not in found.backward:
                wrong.add((type(node).__name__, f"no gradient of {role}"))
    assert len({type(node) for node, *_ in called}) > 200
    assert not wrong


def test_an_op_that_no_sample_runs_has_a_formula_too() -> None:
    importlib.import_module("lenetcli.nn.fusion")
    ours = [cls for cls in below(Op) if cls.__module__.startswith("lenetcli.") and not cls.__subclasses__()]
    assert len(ours) > 200
    assert not [cls for cls in ours if cls.formula is None and not stated(cls, "Formula")]
    assert not [cls for cls in ours if cls.gradient is None and not stated(cls, "Gradient")]


def test_notes_say_numbers_and_words(called: list[Called]) -> None:
    for node, _, parameters, _ in called:
        for text in _settings(parameters, mentioned(type(node))):
            assert "array(" not in text, (type(node), text)
            assert "object at" not in text, (type(node), text)
            assert len(text) < 120, (type(node), text)


@pytest.mark.parametrize(
    ("key", "text"),
    [((1, Ellipsis), "1, ..."), ((slice(None), None), ":, None"), ((slice(1, 3, 1),), "1:3"), (2, "2")],
)
def test_a_subscript_reads_as_it_is_written(key: Any, text: str) -> None:
    x = lenet.ones(4, 3, requires_grad=True)
    assert rule_of(x[key].grad_fn, {"key": key}, {"x": x.array}).forward == f"y = x[{text}], the same memory"


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_the_rule_of_a_norm_names_what_took_part(affine: bool, training: bool) -> None:
    x = np.ones((2, 3))
    operands = {"x": x, "weight": x[0] if affine else None, "bias": x[0] if affine else None}
    layer = lenet.nn.BatchNorm1d(3, affine=affine).train(training)
    node = layer(lenet.ones(2, 3, requires_grad=True)).grad_fn
    found = rule_of(node, {"training": training, "eps": 1e-5}, operands)
    assert ("weight" in found.forward) == ("bias" in found.forward) == ("weight" in found.backward["x"]) == affine
    assert ("mean(grad)" in found.backward["x"]) == training


def test_the_gradient_of_a_layer_norm_is_its_text() -> None:
    random = np.random.default_rng(0)
    x, weight, grad = (random.standard_normal(shape) for shape in ((4, 5), (5,), (4, 5)))
    leaf = lenet.from_numpy(x).requires_grad_()
    lenet.nn.functional.layer_norm(leaf, [5], lenet.from_numpy(weight)).backward(lenet.from_numpy(grad))
    deviation = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    z, g = (x - x.mean(-1, keepdims=True)) / deviation, weight * grad  # the member's words, one by one
    wanted = (g - g.mean(-1, keepdims=True) - z * (g * z).mean(-1, keepdims=True)) / deviation
    np.testing.assert_allclose(leaf.grad.numpy(), wanted, rtol=1e-9)


def test_lines_of_a_gradient_belong_to_operands(called: list[Called]) -> None:
    for node, operands, _, _ in called:
        for line in type(node).gradient or ():
            role = line.removeprefix("d_").replace("₂", "").split(" ")[0].split("[")[0]
            assert role in operands or role == "arrays", (type(node).__name__, line)


def test_nothing_is_said_twice(called: list[Called]) -> None:
    """No member repeats what the docstring of the op's public function says."""
    for cls in {type(node) for node, *_ in called}:
        if cls.formula is not None:
            assert cls.formula.removeprefix("y = ") != stated(cls, "Formula"), cls
        for line in cls.gradient or ():
            assert line.partition("grad · ")[2].strip("()") != (stated(cls, "Gradient") or None), cls


def test_every_op_counts_its_multiply_adds_and_names_the_factors(called: list[Called]) -> None:
    products = set()
    for node, operands, _, results in called:
        made = multiply_adds(node, tuple(operands.values()), results)
        assert type(made) is int
        assert made >= 0
        assert all(isinstance(list(operands.values())[i], lenet.Tensor) for i in node.factors)
        if made:
            assert node.factors
            products.add(type(node).__name__)
    matrices = {"Addbmm", "Addmm", "Addmv", "Baddbmm", "Bmm", "Dot", "Mm", "Mv", "Trilinear", "Unbiased", "Vdot"}
    assert products == matrices | {"Convolution", "ConvolutionTransposed", "Gru", "Lstm", "Rnn"}


@pytest.mark.parametrize(
    ("equation", "shapes", "count"),
    [
        ("i,i->", ((5,), (5,)), 5),
        ("ni,i->n", ((3, 5), (5,)), 15),
        ("ni,io->no", ((3, 5), (5, 2)), 30),
        ("bni,bio->bno", ((4, 3, 5), (4, 5, 2)), 120),
    ],
)
def test_a_product_has_a_multiply_add_for_each_combination_of_its_letters(
    equation: str, shapes: tuple[tuple[int, ...], ...], count: int
) -> None:
    made = []
    with watch(lambda node, operands, parameters, results: made.append(multiply_adds(node, operands, results))):
        lenet.einsum(equation, *(lenet.ones(*shape) for shape in shapes))
    assert sum(made) == count


def test_an_activation_can_die_where_it_is_zero_over_a_range() -> None:
    grid = np.linspace(-5, 5, 4001)
    flat: dict[type[Op], bool] = {}

    def note(node: Any, operands: Any, parameters: Any, results: Any) -> None:
        y = results[0].array
        if y.shape == grid.shape:
            flat[type(node)] = flat.get(type(node), False) or np.count_nonzero(y == 0) > 20

    activations = [s for s in activation.SAMPLES if s.name in ACTIVATIONS]
    with watch(note):
        for sample in [*activations, Sample("nn.functional.threshold", (grid, 0, 0))]:
            call(replace(sample, args=(grid, *sample.args[1:])), np.float64)
    assert len(flat) >= 18
    assert {cls: cls.can_die for cls in flat} == flat


@pytest.mark.parametrize("alpha", [1, 2, 0.1, 11, -1])
def test_a_factor_is_written_out_unless_it_is_one(alpha: float) -> None:
    y = lenet.add(lenet.ones(2, requires_grad=True), lenet.ones(2, requires_grad=True), alpha=alpha)
    assert isinstance(y.grad_fn, Op)
    found = rule_of(y.grad_fn, {"alpha": alpha}, {"a": np.ones(2), "b": np.ones(2)})
    factor = "" if alpha == 1 else f"{alpha:g} "
    assert found == Rule(f"y = a + {factor}b", {"a": "d_a = grad", "b": f"d_b = {factor}grad"})


def test_a_rule_is_read_from_the_docstring_of_the_public_function() -> None:
    x = lenet.ones(2, requires_grad=True)
    relu, sin = x.relu().grad_fn, x.sin().grad_fn
    assert type(relu).formula is None
    assert rule(relu, {"x": x}, {}) == Rule(
        "y = max(x, 0)", {"x": "d_x = grad · (1 where x > 0, else 0; at 0 it is 0)"}
    )
    assert rule(sin, {"x": x}, {}).backward["x"] == "d_x = grad · cos(x)"


def test_a_worked_example_gives_the_number_that_the_op_gave() -> None:
    """Every op with an example, in every sample, at several elements of its result and of each gradient."""
    counts: dict[str, int] = {}
    wrong: list[tuple[str, str, ByHand]] = []
    random = np.random.default_rng(0)

    def elements(array: Any) -> set[tuple[int, ...]]:
        ends = (tuple(int(i) for i in np.unravel_index(i, array.shape)) for i in (0, array.size // 2, array.size - 1))
        return {largest(array), *ends}

    def compare(name: str, found: ByHand | None) -> None:
        if found is not None:
            if found.value != pytest.approx(found.actual, rel=1e-9, abs=1e-9):
                wrong.append((str(sample), name, found))
            counts[name] = counts.get(name, 0) + 1

    def note(node: Any, operands: Any, parameters: Any, results: Any) -> None:
        roles, y = _roles(node, operands), results[0].array
        if y.dtype.kind != "f" or not y.size or not isinstance(node, Op):
            return
        values = {role: v.array.copy() if isinstance(v, lenet.Tensor) else v for role, v in roles.items()}
        grads = [random.standard_normal(r.array.shape) for r in results]
        seen = Seen(values, parameters, y, grads[0])
        for at in elements(y):
            compare(type(node).__name__, forward_by_hand(type(node), seen, at))
        if not any(hasattr(type(node), f"example_d_{role}") for role in roles) or not node.next_functions:
            return
        for (role, value), d in zip(values.items(), node.run(grads[:1])):
            if d is not None and isinstance(value, np.ndarray):
                d = reduce_to_shape(d, value.shape, node)
                for at in elements(d) if d.size else ():
                    compare(f"{type(node).__name__}.d_{role}", backward_by_hand(type(node), role, seen, at, d[at]))

    with fusion(False), watch(note), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in (s for s in all_samples() if s.grad):
            call(sample, np.float64)
    examples = {
        f"{cls.__name__}{name.removeprefix('example').replace('_d_', '.d_', 1)}"
        for cls in below(Op)
        for name in vars(cls)
        if name.startswith("example")
    }
    assert not wrong
    assert counts.keys() == examples
