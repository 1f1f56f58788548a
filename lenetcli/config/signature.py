"""A constructor's typed signature, read as the schema of the config keys that call it.

    def __init__(self, out_channels: int, kernel_size: int | tuple[int, int], bias: bool = True)

becomes the keys `out_channels` (an integer, required), `kernel_size` (an integer or a list of 2 integers, required)
and `bias` (true or false). Nothing else describes a layer, so nothing can disagree with it.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AnySet
from dataclasses import dataclass
from functools import cache
from os import PathLike
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, Strict, TypeAdapter, create_model
from typing_extensions import NotRequired, TypedDict

from lenetcli.config.messages import Said
from lenetcli.errors import ConfigError

HIDDEN = frozenset(
    {"self", "params", "optimizer", "device", "dtype", "process_group"}
)  # build's to give, never a config's

Integer = Annotated[int, Strict(), Field(ge=-(2**63), le=2**63 - 1)]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Boolean = Annotated[bool, Strict()]
String = Annotated[str, Strict()]
Numbers = list[Number] | list[list[Number]]  # what a config writes where the constructor wants a tensor

BEGINNING = Annotated[Literal[-1], Said("-1, since a training begins at the beginning")]  # of a scheduler: last_epoch

_EXACT: dict[Any, Any] = {int: Integer, float: Number, bool: Boolean, str: String, type(None): None, object: Any}
_SECTION_OF_DOC = re.compile(r"^Args:\n((?:[ ]+.*\n|\n)+)", re.MULTILINE)
_ENTRY_OF_DOC = re.compile(r"^ {4}(\w+): (.*(?:\n {6,}.*)*)", re.MULTILINE)


@dataclass(frozen=True)
class Argument:
    """One constructor argument that a config may give.

    Args:
        name: the key.
        annotation: its type, as pydantic checks it.
        required: the config must give it.
        default: the constructor's default; `inspect.Parameter.empty` where there is none.
        description: its entry in the class's docstring.
        inferred: build takes it from the layer before, or from the training's length, when the config does not give it.
        nested: it holds components of the same section (`SequentialLR.schedulers`).
        is_tensor: the constructor wants a tensor, the config gives lists of numbers.
        is_function: the constructor wants a function, the config names one of the user's: my_rates.py:halving.
        record: the constructor wants a dataclass, the config gives a mapping of its fields.
        words: names that the constructor knows, beside functions of the user's.
    """

    name: str
    annotation: Any
    required: bool
    default: Any
    description: str
    inferred: bool
    nested: bool
    is_tensor: bool
    is_function: bool
    record: type | None = None
    words: tuple[str, ...] = ()

    def functions(self, value: Any) -> list[str]:
        """The user's functions that a value names."""
        names = value if isinstance(value, list) else [value]
        return [name for name in names if name and name not in self.words] if self.is_function else []

    @property
    def keys(self) -> tuple[Argument, ...]:
        """The keys of a record."""
        return () if self.record is None else arguments(self.record, _NoBase)


class NotFromConfig(ConfigError):
    """A class that a config cannot construct, because an argument it must have cannot be written in YAML."""


@cache
def arguments(cls: Any, base: Any) -> tuple[Argument, ...]:
    """The arguments that a config may give to a class, in the order of its constructor.

    Args:
        cls: the class.
        base: the base of its section's classes; an argument of that type is a nested component.

    Raises:
        NotFromConfig: YAML cannot give a required argument, or annotations cannot be read.
    """
    try:
        parameters = list(inspect.signature(cls.__init__).parameters.values())
        hints = get_type_hints(cls.__init__, include_extras=True)
    except (NameError, TypeError, ValueError, AttributeError, SyntaxError) as error:
        raise NotFromConfig(f"the type annotations of {cls.__name__}.__init__ cannot be read: {error}") from None
    inferred = (*getattr(cls, "from_input", ()), *getattr(cls, "from_training", ()))
    texts = _described(cls)
    found = []
    for parameter in parameters[1:]:
        name, kind = parameter.name, parameter.kind
        if name in HIDDEN or kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        has_default = parameter.default is not parameter.empty
        annotation = hints.get(name, Any)
        expressed = (
            BEGINNING if name == "last_epoch" and hasattr(base, "from_training") else _expressed(annotation, base)
        )
        if expressed is _NO_TYPE or kind is parameter.POSITIONAL_ONLY:
            if not has_default:
                raise NotFromConfig(f"{cls.__name__} cannot be used in a config: YAML cannot give its argument {name}")
            continue
        leaves = set(_leaves(annotation))
        found.append(
            Argument(
                name,
                expressed,
                not has_default and name not in inferred,
                parameter.default,
                texts.get(name, ""),
                name in inferred,
                any(isinstance(leaf, type) and issubclass(leaf, base) for leaf in leaves),
                any(getattr(leaf, "__name__", "") == "Tensor" for leaf in leaves),
                Callable in leaves,
                next((leaf for leaf in leaves if isinstance(leaf, type) and dataclasses.is_dataclass(leaf)), None),
                tuple(word for leaf in leaves if get_origin(leaf) is Literal for word in get_args(leaf)),
            )
        )
    return tuple(found)


@cache
def takes_anything(cls: type) -> bool:
    """A user's constructor takes `**kwargs`: any further key is its own business."""
    if cls.__module__.startswith("lenetcli."):
        return False
    parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


@cache
def schema_of(cls: type, base: type, keys: tuple[Argument, ...] = ()) -> TypeAdapter[dict[str, Any]]:
    """The pydantic model of a class's arguments; validating gives a dict of those that were given.

    Args:
        keys: further ones that the config may give.

    Example:
        >>> from lenetcli import nn
        >>> schema_of(nn.Linear, nn.Module).validate_python({"out_features": 10})
        {'out_features': 10}
    """
    known = (*arguments(cls, base), *keys)
    make: Any = TypedDict  # at run time, not for mypy to follow
    model = make(cls.__name__, {a.name: a.annotation if a.required else NotRequired[a.annotation] for a in known})
    model.__pydantic_config__ = ConfigDict(extra="allow" if takes_anything(cls) else "forbid")
    return TypeAdapter(model)


_NO_TYPE: Any = object()  # an annotation that no YAML value can satisfy
_LISTS = (list, Sequence, Iterable, set, frozenset, AnySet)
_MAPPINGS = (dict, Mapping)


def _expressed(annotation: Any, base: type) -> Any:
    """The annotation as pydantic shall check it: exact scalars, lists for tuples, numbers for tensors."""
    if annotation in _EXACT:
        return _EXACT[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is Any or isinstance(annotation, TypeVar) or annotation is inspect.Parameter.empty:
        return Any
    if origin is Annotated:
        return _expressed(inner[0], base)
    if origin is Literal:
        return annotation
    if origin in (Union, UnionType):
        members = [_expressed(member, base) for member in inner]
        usable = [member for member in members if member is not _NO_TYPE]
        return Union[tuple(usable)] if set(usable) - {None} else _NO_TYPE  # noqa: UP007 - built at run time
    if (origin or annotation) is Callable:
        return String  # components.py sees to what it names
    if (origin or annotation) is tuple:
        if not inner or inner[-1] is Ellipsis:
            return _list_of(inner[0] if inner else Any, base)
        members = [_expressed(member, base) for member in inner]
        return _NO_TYPE if _NO_TYPE in members else tuple[tuple(members)]  # type: ignore[misc]  # built at run time
    if (origin or annotation) in _LISTS:
        return _list_of(inner[0] if inner else Any, base)
    if (origin or annotation) in _MAPPINGS:
        value = _expressed(inner[1] if inner else Any, base)
        return _NO_TYPE if value is _NO_TYPE else dict[String, value]  # type: ignore[valid-type]  # built at run time
    if isinstance(annotation, type):
        if issubclass(annotation, base):
            return Any  # components.py has checked it by then
        if issubclass(annotation, PathLike):
            return String
        if annotation.__name__ == "Tensor":
            return Numbers
        if dataclasses.is_dataclass(annotation):
            return record_schema(annotation)
    return _NO_TYPE


@cache
def record_schema(kind: type) -> type[BaseModel]:
    """The keys of a mapping that a dataclass is made of: its constructor's arguments, with their defaults."""
    fields: dict[str, Any] = {
        a.name: (a.annotation, Field(... if a.required else a.default, description=a.description or None))
        for a in arguments(kind, _NoBase)
    }
    return create_model(kind.__name__, __config__=ConfigDict(extra="forbid", frozen=True), **fields)


class _NoBase:
    """Of no section: a record holds no components."""


def _list_of(item: Any, base: type) -> Any:
    expressed = _expressed(item, base)
    return _NO_TYPE if expressed is _NO_TYPE else list[expressed]  # type: ignore[valid-type]  # as above


def _leaves(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Callable:
        yield Callable
        return
    inner = get_args(annotation) if get_origin(annotation) is not Literal else ()
    if not inner:
        yield annotation
    for part in inner:
        yield from _leaves(part)


def _described(cls: type) -> dict[str, str]:
    """The `Args:` entries of the docstrings of a class and its bases."""
    texts: dict[str, str] = {}
    for owner in reversed(cls.__mro__[:-1]):
        for doc in (owner.__doc__, getattr(owner.__dict__.get("__init__"), "__doc__", None)):
            section = _SECTION_OF_DOC.search(inspect.cleandoc(doc) + "\n") if doc else None
            for name, text in _ENTRY_OF_DOC.findall(section[1]) if section else ():
                texts[name] = " ".join(text.split())
    return texts
