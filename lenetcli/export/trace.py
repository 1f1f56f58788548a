"""The ops of one forward pass: what each takes and gives, in which module, on which line of the user's.

An observer hears of every op; functions that are marked `whole` are taken as one step. What is no result of a step is
a constant: parameters and buffers under their names, and whatever a forward makes of nothing but those. A forward that
looks at the values (`if x.sum() > 0`, `.item()`, `.numpy()`) is refused with its line: it would be another function
for other values.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from lenetcli.autograd.modes import fusion, no_grad, switches, watch
from lenetcli.autograd.silence import silence
from lenetcli.autograd.tape import Variable
from lenetcli.errors import LenetError
from lenetcli.export.evaluated import Evaluated, evaluation_mode, signature
from lenetcli.export.graph import Array, NotExportable
from lenetcli.export.places import FILLED, Place, line_of_error, users_line
from lenetcli.export.traced import Traced
from lenetcli.nn.graph import Graph
from lenetcli.nn.module import Module
from lenetcli.ops.indexing.getitem import choose
from lenetcli.ops.indexing.masked_fill import masked_select, nonzero
from lenetcli.ops.indexing.unique import unique, unique_consecutive
from lenetcli.tensors.tensor import Tensor, from_numpy

CHOOSE = inspect.unwrap(choose)
SIZED = {inspect.unwrap(f) for f in (masked_select, nonzero, unique, unique_consecutive)}  # as large as values say


@dataclass(frozen=True)
class Ref:
    """The value of that number: first the inputs, then the results of the steps."""

    number: int


@dataclass(frozen=True)
class Constant:
    """Values that no step of the trace gave."""

    array: Array


@dataclass(frozen=True)
class Step:
    """One op.

    Args:
        op: its class, or the function that was taken whole.
        arguments: operands and parameters by name; values are `Ref`, constants `Constant`.
        results: the numbers of the values that it gives.
    """

    op: Any
    arguments: dict[str, Any]
    results: tuple[int, ...]
    place: Place

    @property
    def name(self) -> str:
        """The op's name, for messages."""
        name: str = self.op.__name__
        return name.removesuffix("Backward").lstrip("_")


@dataclass
class Trace:
    """Steps in the order they ran, the shape and type of each value, and which values come out.

    Args:
        outputs: the values (or constants) that the model gives, by the names of what it returns.
        silenced: calls that would have drawn numbers, with their places.
    """

    inputs: int
    steps: list[Step] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    kinds: list[np.dtype[Any]] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    silenced: list[str] = field(default_factory=list)


def trace(
    model: Module, inputs: Sequence[Array], wholes: Container[Any], first: Module | None = None, what: str = ""
) -> Trace:
    """Runs a model in evaluation mode.

    Args:
        inputs: one array for each argument of its forward.
        wholes: of the functions that are marked `whole`, those whose calls are steps; the ops of others are.
        first: a layer that is put before the model.
        what: about these inputs, for the message where forward fails.

    Raises:
        NotExportable: it looks at values, changes some in place where that cannot be followed, or fails.
    """
    found = Tracer(model, first, wholes)
    with evaluation_mode(model), no_grad(), silence(), fusion(False), watch(found.observe), np.errstate(all="ignore"):
        switches.tracer, before = found, switches.tracer
        try:
            given = [found.enter(from_numpy(array)) for array in inputs]
            if first is not None:
                given = [first(*given)]
            found.leave(_forward(model, given), _names(model))
        except LenetError as error:
            raise error if isinstance(error, NotExportable) else _failed(found, what, error) from None
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, NotImplementedError) as error:
            raise _failed(found, what, error) from None
        finally:
            switches.tracer = before
    return found.trace


def _failed(tracer: Tracer, what: str, error: Exception) -> NotExportable:
    """The error of a forward pass, with the module and the line where it was raised."""
    module, trace = None, error.__traceback__
    while trace is not None:
        own = trace.tb_frame.f_locals.get("self")
        module, trace = own if isinstance(own, Module) else module, trace.tb_next
    kind = type(module).__name__ if module is not None else ""
    place = Place(tracer.path_of(module), kind, line_of_error(error.__traceback__, _forward.__code__))
    return NotExportable(f"{place}: cannot be exported: its forward fails{what}: {' '.join(str(error).split())}")


def _forward(model: Module, given: list[Any]) -> Any:
    """The call that user's lines lie inside of."""
    return model(*given)


def _names(model: Module) -> tuple[str, ...]:
    """What a graph of layers calls its outputs."""
    outputs = model.wiring.outputs if isinstance(model, Graph) else ()
    return () if isinstance(outputs, str) else outputs


class Tracer(Evaluated):
    """Listens to a forward pass."""

    def __init__(self, model: Module, first: Module | None, wholes: Container[Any]) -> None:
        self.trace = Trace(0)
        self._paths = {id(module): path for path, module in model.named_modules()}
        if first is not None:
            self._paths[id(first)] = "first"
        self._wholes = wholes
        self._known: dict[int, tuple[int, int]] = {}  # by the id of an array: the number of the value, its version
        self._alive: list[Any] = []  # whose ids are known
        self._taken: list[tuple[Any, int, Array]] = []  # of the step that is looked at
        self._constants: list[tuple[Any, int, Array]] = []  # tensors, with their version and values

    def enter(self, tensor: Tensor) -> Tensor:
        """An input."""
        self.trace.inputs += 1
        self._know(tensor)
        return tensor

    def leave(self, result: Any, names: Sequence[str] = ()) -> None:
        """What the model gives, a tuple of things that have names or anything else."""
        self.trace.outputs = {}
        if names and isinstance(result, tuple) and len(result) == len(names):
            result = dict(zip(names, result))
        for name, tensor in flat("", result):
            if not isinstance(tensor, Variable):
                kind = type(tensor).__name__
                raise NotExportable(
                    f"the model: cannot be exported: it gives {kind} ({name or 'its output'}), no tensor"
                )
            self.trace.outputs[name or "output"] = self._operand(tensor)
        for tensor, version, array in self._constants:
            if tensor._version != version:
                name = f"a constant of shape {list(array.shape)}"
                raise NotExportable(f"the model: cannot be exported: forward changes {name} in place after it used it")
        if not self.trace.outputs:
            raise NotExportable("the model: cannot be exported: it gives no tensor")

    def observe(self, node: Any, operands: Sequence[Any], parameters: Mapping[str, Any], results: list[Any]) -> None:
        """An op has run."""
        if switches.tracer is not self:
            return
        self._taken = []
        arguments: dict[str, Any] = {}
        op: Any = type(node)
        names = _operand_names(op)
        for at, operand in enumerate(operands):
            if at < len(names):
                arguments[names[at]] = self._operand(operand)
            else:
                arguments.setdefault("arrays", []).append(self._operand(operand))
        arguments |= {name: self._operand(value) for name, value in parameters.items()}
        self._note(op, arguments, results)

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function that is marked `whole` is called."""
        takes_values = self._takes_values((args, kwargs))
        if takes_values and (function in SIZED or (function is CHOOSE and self._has_mask(args[1]))):
            what = "a mask leaves" if function is CHOOSE else f"{function.__name__}() gives"
            raise NotExportable(
                f"{self.place()}: cannot be exported: how much {what} depends on the values of the input; say it with "
                "ops such as where()"
            )
        if function not in self._wholes or not takes_values:
            return super().call(function, args, kwargs)
        bound = signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        self._taken = []
        arguments = {name: self._operand(value) for name, value in bound.arguments.items()}
        switches.tracer = None
        try:
            result = function(*args, **kwargs)
        finally:
            switches.tracer = self
        self._taken = [(t, t._version, array) for t, _, array in self._taken]  # embedding() may shorten its own rows
        results = list(result) if isinstance(result, (tuple, list)) else [result]
        if all(isinstance(r, Variable) for r in results):
            if not all(id(r.array) in self._known for r in results):
                self._note(function, arguments, results)
            return result
        raise NotExportable(
            f"{self.place()}: cannot be exported: {function.__name__}() looks at values that depend on the input"
        )

    def silences(self, name: str) -> None:
        said = f"{self.place()}: {name}() draws numbers in evaluation mode, too"
        if said not in self.trace.silenced:
            self.trace.silenced.append(said)

    def assigns(self, target: Any, result: Any) -> None:
        """A tensor is to be changed in place; what steps took of it stays what it was."""
        number = self._known.get(id(result.array))
        if id(target.array) not in self._known and target.base is None:
            target.array = target.array.copy(order="K")
            self._constants = [entry for entry in self._constants if entry[0] is not target]
        if number is None:
            self._known.pop(id(target.array), None)
            if isinstance(target, Traced):
                target.__class__ = Tensor  # type: ignore[assignment]
            return
        if target.array.dtype != result.array.dtype or target.array.shape != result.array.shape:
            raise NotExportable(f"{self.place()}: cannot be exported: a change in place to another type or shape")
        if type(target) is Tensor:
            target.__class__ = Traced
        elif type(target) is not Traced:
            raise NotExportable(f"{self.place()}: cannot be exported: forward changes a parameter in place")
        self._alive += [target, target.array]
        self._known[id(target.array)] = number[0], target._version + 1

    def place(self) -> Place:
        """Where the forward pass is."""
        module = switches.scopes[-1][1] if switches.scopes else None
        return Place(
            self.path_of(module), type(module).__name__ if module is not None else "", users_line(_forward.__code__)
        )

    def path_of(self, module: Module | None) -> str:
        """Where in the model a module is; "" for the model itself."""
        return self._paths.get(id(module), "")

    def _note(self, op: Any, arguments: dict[str, Any], results: Sequence[Any]) -> None:
        if not _refers(arguments):
            for result in results:
                if type(result) is Traced:  # of ones_like() and its like: a constant
                    result.__class__ = Tensor  # type: ignore[assignment]
            return
        self._constants += self._taken
        numbers = tuple(self._know(result) for result in results)
        self._alive.append(arguments)
        self.trace.steps.append(Step(op, arguments, numbers, self.place()))

    def _know(self, tensor: Any) -> int:
        number = len(self.trace.shapes)
        self.trace.shapes.append(tensor.array.shape)
        self.trace.kinds.append(tensor.array.dtype)
        if type(tensor) is Tensor:
            tensor.__class__ = Traced
        self._alive += [tensor, tensor.array]
        self._known[id(tensor.array)] = number, tensor._version
        return number

    def _takes_values(self, value: Any) -> bool:
        if isinstance(value, Variable):
            return isinstance(value, Traced) or id(value.array) in self._known
        if isinstance(value, dict):
            return any(self._takes_values(v) for v in value.values())
        return isinstance(value, (list, tuple)) and any(self._takes_values(v) for v in value)

    def _has_mask(self, at: Any) -> bool:
        """An index has a mask of values."""
        parts = at if isinstance(at, (tuple, list)) else (at,)
        masks = [part for part in parts if isinstance(part, Variable) and part.array.dtype == np.bool_]
        return self._takes_values(masks)

    def _operand(self, value: Any) -> Any:
        """What a step keeps of an operand or parameter."""
        if isinstance(value, (Variable, np.ndarray)):
            array = value if isinstance(value, np.ndarray) else value.array
            known = self._known.get(id(array))
            if known is None:
                if isinstance(value, Traced) and value.made_by not in FILLED:
                    raise NotExportable(
                        f"{self.place()}: cannot be exported: {value.made_by or 'an op'}() gives values that depend on "
                        "the input, and has no form in a graph of ONNX's operators"
                    )
                if isinstance(value, Variable):
                    self._taken.append((value, value._version, array))
                return Constant(array)
            if isinstance(value, Variable) and value._version != known[1]:
                raise NotExportable(
                    f"{self.place()}: cannot be exported: it takes values that were changed in place by way of a view "
                    "or its base; make a copy with clone() first"
                )
            return Ref(known[0])
        if isinstance(value, dict):
            return {name: self._operand(v) for name, v in value.items()}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(self._operand, value))
        return type(value)([self._operand(v) for v in value]) if type(value) in (list, tuple) else value


def _refers(value: Any) -> bool:
    """There is a value among these arguments."""
    if isinstance(value, dict):
        return any(map(_refers, value.values()))
    return isinstance(value, Ref) or (isinstance(value, (list, tuple)) and any(map(_refers, value)))


def flat(name: str, result: Any) -> Iterator[tuple[str, Any]]:
    """The tensors of a tuple, list or dict, with names that say where in it they are."""
    if isinstance(result, dict):
        parts = [(str(key), value) for key, value in result.items()]
    elif isinstance(result, (list, tuple)):
        fields = getattr(result, "_fields", None)
        parts = [(fields[i] if fields else f"output_{i}" if not name else str(i), v) for i, v in enumerate(result)]
    else:
        yield name, result
        return
    for key, value in parts:
        yield from flat(f"{name}.{key}" if name else key, value)


@cache
def _operand_names(op: type) -> tuple[str, ...]:
    """The names of an op's operands; those of `*arrays` have none of their own."""
    parameters = list(inspect.signature(op.forward).parameters.values())[1:]  # type: ignore[attr-defined]
    return tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
