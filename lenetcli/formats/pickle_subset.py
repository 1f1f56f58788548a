"""Pickle streams, interpreted: opcodes that build plain data, and names from a list. Nothing is imported, nothing run.

A pickle is a program for a small stack machine. This one knows the opcodes that numbers, text, containers and calls of
listed names need; every other opcode, and every other name, ends the reading with its name. What a listed name stands
for is a function of this package (see torch_names).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from lenetcli.errors import DataError, in_a_line

MOST_STEPS = 1_000_000  # opcodes: a state dict takes about 40 for each tensor
MOST_DEPTH = 200  # containers within containers
MOST_VALUES = 10_000_000  # of the result, those counted again that it holds twice
MOST_BITS = 256  # of an integer

_MARK: Any = object()
_KEYS = (str, int, float, bytes, type(None))  # bool is an int
_CONTAINERS = (dict, list, tuple, set, frozenset)

Names = Mapping[str, Any]


class Refused(Exception):
    """Why a stream is not read: what was found, for a message that names the file."""


class Built:
    """What a name made whose pickle goes on to set its state (opcode BUILD)."""

    def build(self, state: Any) -> None:
        raise NotImplementedError


def read(
    stream: BinaryIO, names: Names, refuse: Callable[[str], str], persistent: Callable[[Any], Any] | None = None
) -> Any:
    """The value of one pickle, up to its STOP; the stream then stands behind it.

    Args:
        stream: read from where it stands.
        names: "module.name" -> a function, which is what a call of the name does, or a value.
        refuse: a name that is not among them -> why it is not read.
        persistent: what a persistent id, such as torch's of a storage, stands for.

    Raises:
        Refused: an opcode or a name that is not on the lists, a damaged stream, one that goes on without end.
    """
    import pickletools  # most programs read no pickle

    machine = _Machine(names, refuse, persistent)
    try:
        for steps, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if steps == MOST_STEPS:
                raise Refused(f"its pickle has more than {MOST_STEPS:,} opcodes")
            if opcode.name == "STOP":
                (value,) = machine.stack
                _check_size(value)
                return value
            if type(argument) is int and argument.bit_length() > MOST_BITS:
                raise Refused(f"its pickle has an integer of {argument.bit_length():,} bits")
            step = _STEPS.get(opcode.name)
            if step is None:
                raise Refused(f"its pickle has the opcode {opcode.name}, which no plain data needs")
            step(machine, argument)
    except (Refused, DataError):
        raise
    except (
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        UnicodeError,
        EOFError,
    ) as error:
        raise Refused(f"its pickle is damaged: {in_a_line(error, 120)}") from None
    raise Refused("its pickle is damaged: it has no end")


class _Machine:
    """Stack, marks and memo of a stream."""

    def __init__(self, names: Names, refuse: Callable[[str], str], persistent: Callable[[Any], Any] | None) -> None:
        self.names, self.refuse, self.persistent = names, refuse, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value should be")
        return value

    def to_mark(self) -> list[Any]:
        """What stands above the last mark; both are taken off."""
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is _MARK:
                values = self.stack[at + 1 :]
                del self.stack[at:]
                return values
        raise ValueError("no mark")

    def top(self, kind: type) -> Any:
        value = self.stack[-1]
        if not isinstance(value, kind):
            raise ValueError(f"wanted a {kind.__name__}, found a {type(value).__name__}")
        return value

    def named(self, name: str) -> None:
        if name not in self.names:
            raise Refused(self.refuse(name))
        self.push(self.names[name])

    def global_name(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a name that is no text")
        self.named(f"{module}.{name}")

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(arguments, tuple) or not callable(function):
            raise ValueError("a call of what cannot be called")
        self.push(function(*arguments))

    def build(self) -> None:
        state, built = self.pop(), self.stack[-1]
        if isinstance(built, Built):
            built.build(state)
        elif not isinstance(built, dict):  # attributes of a state dict, such as _metadata: not looked at
            raise ValueError(f"a state for a {type(built).__name__}")

    def put_items(self, flat: list[Any]) -> None:
        target = self.top(dict)
        if len(flat) % 2:
            raise ValueError("a key without a value")
        for key, value in zip(flat[::2], flat[1::2]):
            target[checked_key(key)] = value

    def wrap(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(values)))

    def store(self, at: int) -> None:
        value = self.stack[-1]
        if value is _MARK:
            raise ValueError("a mark in the memo")
        self.memo[at] = value

    def persist(self) -> None:
        if self.persistent is None:
            raise Refused("its pickle refers to what lies outside of it")
        self.push(self.persistent(self.pop()))


def checked_key(key: Any) -> Any:
    """A key that may be hashed: one nested deep would exhaust the interpreter's own stack."""
    parts = key if isinstance(key, tuple) else (key,)
    if not all(isinstance(part, _KEYS) for part in parts):
        raise ValueError(f"a dictionary's key is a {type(key).__name__}")
    return key


def _add_keys(machine: _Machine, values: list[Any]) -> None:
    machine.top(set).update(map(checked_key, values))


_STEPS: dict[str, Callable[[_Machine, Any], Any]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "MARK": lambda machine, _: machine.push(_MARK),
    "POP": lambda machine, _: machine.stack.pop(),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_SET": lambda machine, _: machine.push(set()),
    "DICT": lambda machine, _: _dict(machine, machine.to_mark()),
    "LIST": lambda machine, _: machine.push(machine.to_mark()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.to_mark())),
    "TUPLE1": lambda machine, _: machine.wrap(1),
    "TUPLE2": lambda machine, _: machine.wrap(2),
    "TUPLE3": lambda machine, _: machine.wrap(3),
    "FROZENSET": lambda machine, _: machine.push(frozenset(map(checked_key, machine.to_mark()))),
    "APPEND": lambda machine, _: _append(machine, [machine.pop()]),
    "APPENDS": lambda machine, _: _append(machine, machine.to_mark()),
    "ADDITEMS": lambda machine, _: _add_keys(machine, machine.to_mark()),
    "SETITEM": lambda machine, _: machine.put_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.put_items(machine.to_mark()),
    "GLOBAL": lambda machine, argument: machine.named(argument.replace(" ", ".", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.global_name(),
    "REDUCE": lambda machine, _: machine.call(),
    "NEWOBJ": lambda machine, _: machine.call(),  # of a listed name too, which does the same
    "BUILD": lambda machine, _: machine.build(),
    "MEMOIZE": lambda machine, _: machine.store(len(machine.memo)),
    "BINPERSID": lambda machine, _: machine.persist(),
}
_STEPS |= dict.fromkeys(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    ),
    _Machine.push,
)
_STEPS |= {name: lambda machine, at: machine.store(int(at)) for name in ("PUT", "BINPUT", "LONG_BINPUT")}
_STEPS |= {name: lambda machine, at: machine.push(machine.memo[int(at)]) for name in ("GET", "BINGET", "LONG_BINGET")}


def _dict(machine: _Machine, flat: list[Any]) -> None:
    machine.push({})
    machine.put_items(flat)


def _append(machine: _Machine, values: list[Any]) -> None:
    machine.top(list).extend(values)


def _check_size(value: Any) -> None:
    """Refuses a value that holds itself, one nested too deep, and one whose parts, held many times, are too many."""
    sizes: dict[int, tuple[int, int]] = {}  # of a container, by id: values in it, and its depth
    open_: set[int] = set()
    stack = [value] if isinstance(value, _CONTAINERS) else []
    while stack:
        container = stack[-1]
        parts = list(container.values()) if isinstance(container, dict) else list(container)
        parts = [part for part in parts if isinstance(part, _CONTAINERS)]
        unknown = [part for part in parts if id(part) not in sizes]
        if id(container) not in sizes and unknown:
            if id(container) in open_ or any(id(part) in open_ for part in unknown):
                raise Refused("its pickle holds itself")
            open_.add(id(container))
            stack.extend(unknown)
            continue
        stack.pop()
        open_.discard(id(container))
        size = len(container) + sum(sizes[id(part)][0] for part in parts)
        depth = 1 + max((sizes[id(part)][1] for part in parts), default=0)
        if size > MOST_VALUES or depth > MOST_DEPTH:
            raise Refused(f"its pickle has more than {MOST_VALUES:,} values, or is more than {MOST_DEPTH} deep")
        sizes[id(container)] = size, depth
