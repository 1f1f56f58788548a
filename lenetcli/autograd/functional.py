"""Jacobians, Hessians and their products with vectors, of functions of tensors (torch.autograd.functional)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.differentiate import grad
from lenetcli.autograd.modes import enable_grad
from lenetcli.autograd.tape import Variable, like

Function = Callable[..., Any]
Given = Variable | Sequence[Variable]


def vjp(
    func: Function, inputs: Given, v: Given | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """What `func` gives, and a vector times its Jacobian: one backward.

    Args:
        func: takes the inputs, gives a tensor or a tuple of tensors.
        v: of the outputs' shapes; may be left out for one output of one element.
        create_graph: the result can be differentiated.
        strict: refuse an output that does not depend on an input, for which there would be zeros.

    Raises:
        RuntimeError: `v` has another shape or is missing; strict, and something is independent.
        TypeError: `func` gives no tensors.

    Source: torch.autograd.functional.vjp.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor([1.0, 2.0])
        >>> lenet.autograd.functional.vjp(lambda x: x * x, x, lenet.tensor([1.0, 10.0]))
        (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    with enable_grad():
        call = _Call("vjp", func, inputs, create_graph, strict)
        found = call.back(call.outputs, call.vector(v, call.outputs, "output of the user-provided function"))
        return call.packed(call.outputs, call.several_outputs), call.packed(found, call.several)


def jvp(
    func: Function, inputs: Given, v: Given | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """What `func` gives, and its Jacobian times a vector: the derivative along `v`, by two backwards.

    Args:
        v: of the inputs' shapes; may be left out for one input of one element.
        func, create_graph, strict: as for `vjp`.

    Raises:
        RuntimeError, TypeError: as for `vjp`.

    Source: torch.autograd.functional.jvp.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor([1.0, 2.0])
        >>> lenet.autograd.functional.jvp(lambda x: x * x.sum(), x, lenet.tensor([1.0, 0.0]))
        (tensor([3., 6.]), tensor([4., 2.]))
    """
    with enable_grad():
        call = _Call("jvp", func, inputs, create_graph, strict)
        vector = call.vector(v, call.inputs, "input to the user-provided function")
        # u -> uᵀJ is linear in u: its derivative along v is Jv
        u = [like(y, np.zeros_like(y.array)).requires_grad_() for y in call.outputs]
        back = call.back(call.outputs, u, create_graph=True)
        found = call.back_to(u, back, vector)
        return call.packed(call.outputs, call.several_outputs), call.packed(found, call.several_outputs)


def vhp(
    func: Function, inputs: Given, v: Given | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """What `func` gives, one number, and a vector times its Hessian.

    Args:
        v: of the inputs' shapes; may be left out for one input of one element.
        func, create_graph, strict: as for `vjp`.

    Raises:
        RuntimeError: `func` gives more than one number; else as for `vjp`.

    Source: torch.autograd.functional.vhp.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor([1.0, 2.0])
        >>> lenet.autograd.functional.vhp(lambda x: (x**3).sum(), x, lenet.ones(2))
        (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        call = _Call("vhp", func, inputs, create_graph, strict)
        vector = call.vector(v, call.inputs, "input to the user-provided function")
        found = call.back_to(call.inputs, call.slope(), vector)
        return call.packed(call.outputs, call.several_outputs), call.packed(found, call.several)


def hvp(
    func: Function, inputs: Given, v: Given | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """What `func` gives, one number, and its Hessian times a vector; as the Hessian is symmetric, that is `vhp`.

    Args:
        func, inputs, v, create_graph, strict: as for `vhp`.

    Raises:
        RuntimeError: as for `vhp`.

    Source: torch.autograd.functional.hvp.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor([1.0, 2.0])
        >>> lenet.autograd.functional.hvp(lambda x: (x**3).sum(), x, lenet.tensor([1.0, 0.0]))
        (tensor(9.), tensor([6., 0.]))
    """
    with enable_grad():
        call = _Call("hvp", func, inputs, create_graph, strict)
        vector = call.vector(v, call.inputs, "input to the user-provided function")
        found = call.back_to(call.inputs, call.slope(), vector)
        return call.packed(call.outputs, call.several_outputs), call.packed(found, call.several)


def jacobian(
    func: Function,
    inputs: Given,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """All derivatives of all outputs, one backward for each element of an output.

    Args:
        vectorize: taken; the rows come one after the other all the same.
        strategy: "reverse-mode".
        func, create_graph, strict: as for `vjp`.

    Shape:
        outputs' + inputs', a tuple for each that is one.

    Raises:
        NotImplementedError: another strategy.
        RuntimeError, TypeError: as for `vjp`.

    Source: torch.autograd.functional.jacobian.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.autograd.functional.jacobian(lambda x: x * x, lenet.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    _check_strategy("jacobian", strategy)
    with enable_grad():
        call = _Call("jacobian", func, inputs, create_graph, strict)
        table = [call.rows(y, number) for number, y in enumerate(call.outputs)]
        blocks = [call.packed(row, call.several) for row in table]
        return tuple(blocks) if call.several_outputs else blocks[0]


def hessian(
    func: Function,
    inputs: Given,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """All second derivatives of a function that gives one number: the Jacobian of its gradient.

    Args:
        vectorize, outer_jacobian_strategy: as for `jacobian`.
        func, create_graph, strict: as for `vjp`.

    Shape:
        inputs' + inputs', a tuple of tuples where `inputs` is one.

    Raises:
        NotImplementedError: another strategy, or an op without a second derivative.
        RuntimeError: `func` gives more than one number; else as for `vjp`.

    Source: torch.autograd.functional.hessian.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.autograd.functional.hessian(lambda x: x.prod(), lenet.tensor([2.0, 3.0, 4.0]))
        tensor([[0., 4., 3.],
                [4., 0., 2.],
                [3., 2., 0.]])
    """
    _check_strategy("hessian", outer_jacobian_strategy)
    several = isinstance(inputs, tuple)

    def slope(*given: Variable) -> Any:
        call = _Call("hessian", func, given, True, strict, fresh=False)
        found = tuple(call.slope())
        return found if several else found[0]

    return jacobian(slope, inputs, create_graph, strict, vectorize)


def _check_strategy(name: str, strategy: str) -> None:
    if strategy == "forward-mode":
        raise NotImplementedError(
            f"{name}: derivatives are computed backward only: leave the strategy out, or use 'reverse-mode'"
        )
    if strategy != "reverse-mode":
        raise AssertionError(f'Expected strategy to be either "forward-mode" or "reverse-mode", got {strategy!r}')


class _Call:
    """A call of the user's function with inputs of its own, and the ways back from what it gives."""

    def __init__(
        self, name: str, func: Function, inputs: Given, create_graph: bool, strict: bool, fresh: bool = True
    ) -> None:
        self.name, self.create_graph, self.strict = name, create_graph, strict
        self.several = isinstance(inputs, tuple)
        given = _tensors(inputs, "inputs", name)
        self.inputs = [_own(x, create_graph) for x in given] if fresh else list(given)
        result = func(*self.inputs)
        self.several_outputs = isinstance(result, tuple)
        self.outputs = _tensors(result, "outputs of the user-provided function", name)
        if strict:
            for i, y in enumerate(self.outputs):
                if not y.requires_grad:
                    raise RuntimeError(
                        f"Output {i} of the user-provided function does not require gradients. The outputs must be "
                        "computed in a differentiable manner from the input when running in strict mode."
                    )

    def vector(self, v: Given | None, beside: Sequence[Variable], what: str) -> list[Variable]:
        """The vector that the user gave, or a one."""
        if v is None:
            if len(beside) != 1 or beside[0].array.size != 1:
                raise RuntimeError(
                    f"The vector v can only be None if the {what} is a single Tensor with a single element."
                )
            return [like(beside[0], np.ones_like(beside[0].array))]
        given = [_own(x, self.create_graph) if self.create_graph else _detached(x) for x in _tensors(v, "v", self.name)]
        if len(given) != len(beside):
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(beside)} but got {len(given)}.")
        for i, (x, other) in enumerate(zip(given, beside)):
            if x.array.shape != other.array.shape:
                entry = f"Entry {i} in " if len(given) > 1 else ""
                raise RuntimeError(
                    f"{entry}v has invalid size: should be torch.Size({list(other.array.shape)}) but got "
                    f"torch.Size({list(x.array.shape)})."
                )
        return given

    def back(self, outputs: Any, v: Sequence[Any], create_graph: bool | None = None) -> list[Any]:
        """vᵀJ for each input."""
        made = self.create_graph if create_graph is None else create_graph
        return self._filled(outputs, self.inputs, v, made)

    def back_to(self, sources: Sequence[Any], outputs: Sequence[Any], v: Sequence[Any]) -> list[Any]:
        """The second way back, from gradients."""
        return self._filled(outputs, sources, v, self.create_graph)

    def slope(self) -> list[Any]:
        """The gradient of the one number, with a graph."""
        if len(self.outputs) != 1 or self.several_outputs or self.outputs[0].array.size != 1:
            how = "contain a single element" if len(self.outputs) == 1 else "be a single Tensor"
            raise RuntimeError(f"The Tensor returned by the function given to {self.name} should {how}")
        (y,) = self.outputs
        return self._filled([y.reshape(())], self.inputs, [like(y, np.ones((), y.array.dtype))], True)

    def _filled(self, outputs: Sequence[Any], sources: Sequence[Any], v: Sequence[Any], made: bool) -> list[Any]:
        pairs = [(y, w) for y, w in zip(outputs, v) if y.requires_grad]
        found: Sequence[Any] = [None] * len(sources)
        if pairs:
            found = grad(
                [y for y, _ in pairs], sources, [w for _, w in pairs], retain_graph=True, create_graph=made,
                allow_unused=True,
            )  # fmt: skip
        for i, g in enumerate(found):
            if g is None and self.strict:
                raise RuntimeError(
                    f"The output of the user-provided function is independent of input {i}. This is not allowed in "
                    "strict mode."
                )
        return [like(s, np.zeros_like(s.array)) if g is None else g for g, s in zip(found, sources)]

    def rows(self, y: Any, number: int) -> list[Any]:
        """Derivatives of one output with respect to each input, of shape y's + the input's."""
        import lenetcli

        columns: list[list[Any]] = [[] for _ in self.inputs]
        flat = y.reshape(-1)
        for n in range(y.array.size):
            one = np.zeros(y.array.size, y.array.dtype)
            one[n] = 1
            for column, g in zip(columns, self.back([flat], [like(y, one)])):
                column.append(g)
        return [
            lenetcli.stack(column).reshape((*y.array.shape, *x.array.shape))
            if column
            else like(x, np.zeros((*y.array.shape, *x.array.shape), x.array.dtype))
            for column, x in zip(columns, self.inputs)
        ]

    def packed(self, tensors: Sequence[Any], several: bool) -> Any:
        """Tensors as the user gave or gets them, without their history unless that is wanted."""
        result = tuple(tensors) if self.create_graph else tuple(_detached(t) for t in tensors)
        return result if several else result[0]


def _detached(tensor: Variable) -> Any:
    return like(tensor, tensor.array)


def _own(tensor: Any, create_graph: bool) -> Any:
    """An input that stands for the user's one: in its graph where the result is to be differentiated."""
    if create_graph and tensor.requires_grad:
        return tensor.view_as(tensor)
    result = _detached(tensor)
    result.requires_grad = True
    return result


def _tensors(given: Any, what: str, name: str) -> tuple[Any, ...]:
    found = given if isinstance(given, tuple) else (given,)
    for i, tensor in enumerate(found):
        if not isinstance(tensor, Variable):
            if isinstance(given, tuple):
                raise TypeError(
                    f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the value at index "
                    f"{i} has type {type(tensor)}."
                )
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the given {what} has "
                f"type {type(tensor)}."
            )
    return found
