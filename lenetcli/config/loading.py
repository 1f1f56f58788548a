"""From a file (and the command line's changes) to a checked Config, or to all of its problems in one go."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lenetcli.config.blocks import read_blocks
from lenetcli.config.catalogue import ROLES
from lenetcli.config.components import Component, ComponentReader, TooMany
from lenetcli.config.document import SECTIONS, Document
from lenetcli.config.losses import LossTerm, is_list, read_losses
from lenetcli.config.messages import UNKNOWN, details_of, explained, got, section_in
from lenetcli.config.overrides import MISWRITTEN
from lenetcli.config.problems import Hint, InvalidConfig, Problem, Span
from lenetcli.config.sections import VERSION, Config, Header, Model, ModelKeys, Section, Train
from lenetcli.config.suggestions import settled
from lenetcli.config.yaml_tree import Node

S = TypeVar("S", bound=Section)

_REQUIRED = ("model", "data", "loss", "optimizer", "train")


def load(path: str | Path, overrides: Iterable[str] = (), text: str | None = None) -> Config:
    """Reads and checks a config.

    Args:
        path: the YAML file.
        overrides: changes such as "optimizer.lr=0.1", applied in order.
        text: what to read in place of the file.

    Raises:
        InvalidConfig: whatever is wrong, every problem with its place.
    """
    document = Document(Path(path), overrides, text)
    config = _Reader(document).config() if document.root is not None else None
    if config is None or document.problems:
        root = document.root
        raise InvalidConfig(p if root is None else _settled(p, root) for p in document.problems)
    return config


def meant_override(text: str, path: Path) -> str | None:
    """The override that is meant by one whose key or value is wrong, by what its messages say; None where they do not.

    Args:
        path: the configuration that it changes.

    Example:
        >>> from lenetcli.config.presets import presets
        >>> meant_override("lr=0,05", presets()["lenet"])
        'optimizer.lr=0.05'
    """
    for _ in range(4):
        try:
            load(path, [text])
        except InvalidConfig as error:
            problem = error.problems[0]
            write = next((h.write for h in problem.hints if isinstance(h, Hint) and h.write is not None), None)
            if write is None or problem.where is None or problem.where.source.is_file:
                return None
            text = text[: problem.where.column] + write + text[problem.where.end_column :]
        else:
            return text
    return None


def _settled(problem: Problem, root: Node) -> Problem:
    """An unknown key gets the place where it belongs; what a shell would take apart is said in quotes."""
    plain = _plain_keys()
    found = settled(problem, root, plain) if problem.message.startswith(UNKNOWN) else _spelt(problem, root, plain)
    where = found.where
    if where is None or where.source.is_file:
        return found
    before, after = where.source.text[: where.column], where.source.text[where.end_column :]

    def quoted(hint: str) -> str:
        if not isinstance(hint, Hint) or hint.write is None or re.fullmatch(r"[^\s{}*?$&|<>;'\"]+", hint.write):
            return hint
        return Hint(f"did you mean {shlex.quote(before + hint.write + after)}?", hint.write)

    return replace(found, hints=tuple(map(quoted, found.hints)))


def _spelt(problem: Problem, root: Node, plain: dict[str, Any]) -> Problem:
    """What is no key=value, with a hint whose key is one that there is: epochs 3 is train.epochs=3."""
    hint, where = next(iter(problem.hints), None), problem.where
    if problem.message not in MISWRITTEN or not isinstance(hint, Hint) or hint.write is None or where is None:
        return problem
    key = hint.write.partition("=")[0]
    if not key.strip("."):
        return problem
    source = replace(where.source, text=hint.write)
    typed = Problem(Span(source, 0, 0, 0, len(key)), tuple(key.split(".")), UNKNOWN[0], problem.hints)
    right = settled(typed, root, plain)
    meant, span = right.hints[0], right.where
    if right is typed or span is None or not isinstance(meant, Hint) or meant.write is None:
        return problem
    written = hint.write[: span.column] + meant.write + hint.write[span.end_column :]
    return replace(problem, hints=(Hint(f"did you mean {written}?", write=written),))


def _plain_keys() -> dict[str, Any]:
    """The keys of the sections with fixed keys."""
    model = {**_keys_of(ModelKeys), "layers": None, "blocks": None}
    return {**_keys_of(Header), "model": model, "train": _keys_of(Train)}


def _keys_of(section: type[BaseModel]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        found[name] = None if inner is None else _keys_of(inner)
    return found


class _Reader:
    """Reads the sections; problems go to the document's list, and a section that has some is None."""

    def __init__(self, document: Document) -> None:
        assert document.root is not None
        self.document, self.root = document, document.root
        self.problems = document.problems
        self.components = ComponentReader(document.path.parent, self.problems)

    def config(self) -> Config | None:
        header = self._keys(Header, self.root, (), SECTIONS)
        if header is not None and header.version != VERSION:
            self._wrong_version(header.version)
        self._check_missing()
        model, train = self._model(), self._train()
        parts = {key: self._component(key) for key in ("data", "optimizer", "scheduler")}
        loss, losses = self._loss(model)
        if self.problems or header is None or model is None or train is None:
            return None
        data, optimizer = parts["data"], parts["optimizer"]
        assert data is not None
        assert loss is not None
        assert optimizer is not None
        name = header.name or re.sub(r"[^A-Za-z0-9._-]", "-", self.document.path.stem).lstrip(".-_") or "run"
        return Config(
            name,
            header.seed,
            model,
            data,
            loss,
            optimizer,
            train,
            parts["scheduler"],
            VERSION,
            header.device,
            self.document,
            losses,
        )

    def _loss(self, model: Model | None) -> tuple[Component | None, tuple[LossTerm, ...]]:
        """The loss, and what a list says of several; then it is the first of them."""
        assert self.root.mapping is not None
        node = self.root.mapping.get("loss")
        outputs = () if model is None else model.outputs
        if node is None or not is_list(node):
            found = self._component("loss")
            broken = any(p.path[:2] == ("model", "outputs") for p in self.problems)
            if node is not None and len(outputs) > 1 and not broken:
                first, *_ = outputs
                message = f"the model has the outputs {', '.join(outputs)}: wanted a list of losses, one for each"
                hint = f"write [{{output: {first}, type: ...}}, ...]"
                self.problems.append(Problem(node.span, ("loss",), message, (hint,)))
            return found, ()
        if model is None:
            return None, ()
        last = model.layers[-1].name if model.layers else None
        losses = read_losses(node, self.components, outputs, last, self.problems)
        return losses[0].loss if losses else None, losses

    def _keys(self, section: type[S], node: Node, path: tuple[str, ...], others: Iterable[str]) -> S | None:
        """The fixed keys of a mapping; `others` are keys that are read elsewhere."""
        assert node.mapping is not None
        values = {key: child.plain() for key, child in node.mapping.items() if key not in others}
        try:
            return section.model_validate(values)
        except ValidationError as error:
            fields: dict[str, Any] = {name: f.annotation for name, f in section.model_fields.items()}
            fields |= dict.fromkeys(others, dict)
            noun, owner = ("key", f"the {path[0]} section" if path else "a config")
            self.problems += explained(details_of(error), node, path, fields, noun, owner, node.span)
            return None

    def _wrong_version(self, version: int) -> None:
        assert self.root.mapping is not None
        node = self.root.mapping["version"]
        newer = version > VERSION
        hint = "a newer lenet wrote it: update this one" if newer else f"write version: {VERSION}"
        message = f"configs of version {version} are unknown; this lenet reads version {VERSION}"
        self.problems.append(Problem(node.span, ("version",), message, (hint,)))

    def _check_missing(self) -> None:
        assert self.root.mapping is not None
        given = self.root.mapping
        unknown = {problem.path[0] for problem in self.problems if len(problem.path) == 1 and problem.hints}
        for section in _REQUIRED:
            misspelt = any(f"did you mean {section}?" in p.hints for p in self.problems if p.path[:1] != (section,))
            if section not in given and section not in self.document.broken | unknown and not misspelt:
                self.problems.append(Problem(self.root.span, (section,), "missing: a config needs this section"))

    def _section(self, key: str) -> Node | None:
        """A section that is a mapping; None where it is absent or complained about."""
        assert self.root.mapping is not None
        node = self.root.mapping.get(key)
        if node is None or isinstance(node.value, Mapping):
            return node
        self.problems.append(Problem(node.span, (key,), f"wanted a mapping, got {got(node.plain())}"))
        return None

    def _model(self) -> Model | None:
        node = self._section("model")
        if node is None:
            return None
        assert node.mapping is not None
        keys = self._keys(ModelKeys, node, ("model",), ("layers", "blocks"))
        layers: tuple[Component, ...] = ()
        if node.mapping.get("blocks") is not None:
            self.components.blocks = read_blocks(node.mapping["blocks"], ("model", "blocks"), self.problems)
        if "layers" in node.mapping:
            layers = self._layers(node.mapping["layers"], node.mapping.get("outputs"))
        elif not any("did you mean layers?" in p.hints for p in self.problems if p.path[:1] == ("model",)):
            self.problems.append(Problem(node.span, ("model", "layers"), "missing: the model needs a list of layers"))
        return None if keys is None else Model(tuple(keys.input), layers, tuple(keys.outputs or ()))

    def _layers(self, node: Node, outputs: Node | None) -> tuple[Component, ...]:
        """The model's layers; a mistake in a block that is used several times is one problem."""
        place = ("model", "outputs")
        named = outputs.value if outputs is not None and isinstance(outputs.value, list) else []
        out = {part.value: (part, (*place, i)) for i, part in enumerate(named) if isinstance(part.value, str)}
        if len(out) < len(named):
            twice = [part for i, part in enumerate(named) if part.value in [p.value for p in named[:i]]]
            self.problems += [Problem(part.span, place, f"{part.value} is named twice") for part in twice]
        before = len(self.problems)
        try:
            found = self.components.read_list(node, ("model", "layers"), ROLES["layers"], out)
        except TooMany as error:
            self.problems.append(error.problem)
            found = ()
        new = self.problems[before:]
        self.problems[before:] = {(p.where, p.path, p.message): p for p in new}.values()
        return found

    def _train(self) -> Train | None:
        node = self._section("train")
        return None if node is None else self._keys(Train, node, ("train",), ())

    def _component(self, key: str) -> Component | None:
        assert self.root.mapping is not None
        node = self.root.mapping.get(key)
        if node is None or (key == "scheduler" and node.value is None):
            return None
        return self.components.read(node, (key,), ROLES[key])
