"""A config as YAML again, with every default written out: what `lenet show` prints and a run directory keeps."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import BaseModel

from lenetcli.config.components import Component
from lenetcli.config.losses import LossTerm
from lenetcli.config.parameter_groups import groups_of
from lenetcli.config.scheduling import unit_of, watched_by
from lenetcli.config.sections import Config, Model
from lenetcli.config.signature import schema_of
from lenetcli.display.characters import takes


def dump(config: Config, encoding: str = "utf-8") -> str:
    """YAML that loads as the same config, whatever the defaults of later versions are.

    Args:
        encoding: of where it goes; characters that it lacks are escaped as YAML does.
    """
    found = text(plain(config))
    return found if takes(found, encoding) else text(plain(config), unicode=False)


def text(plain: dict[str, Any], unicode: bool = True) -> str:
    """The YAML of what `plain` gave."""
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=unicode)


def plain(config: Config) -> dict[str, Any]:
    """The config as mappings, lists and scalars."""
    model: dict[str, Any] = {"input": _Flow(config.model.input), **_fine_tuning(config.model)}
    if config.model.blocks:
        model["blocks"] = _blocks(config.model.blocks)
    model["layers"] = [_component(layer) for layer in config.model.layers]
    if config.model.outputs:
        model["outputs"] = _Flow(config.model.outputs)
    found: dict[str, Any] = {"version": config.version, "name": config.name, "seed": config.seed, "model": model}
    if config.device != "cpu":
        found["device"] = config.device
    for key in ("data", "loss", "optimizer", "scheduler"):
        component = getattr(config, key)
        if key == "loss" and config.losses:
            found[key] = [_term(term) for term in config.losses]
        elif component is not None:
            found[key] = _component(component)
    found["train"] = config.train.model_dump()
    return found


def _blocks(blocks: dict[str, Any]) -> dict[str, Any]:
    """Blocks as they were given; the layers that use them are written out."""
    return {
        name: {
            **({"args": _FlowMap(_listed(block["args"]))} if block.get("args") else {}),
            "layers": [_FlowMap(_listed(layer)) for layer in block["layers"]],
        }
        for name, block in blocks.items()
    }


def _listed(value: Any) -> Any:
    """Lists and mappings on one line each."""
    if isinstance(value, dict):
        return _FlowMap({key: _listed(inner) for key, inner in value.items()})
    return _Flow(map(_listed, value)) if isinstance(value, list) else value


def _term(term: LossTerm) -> dict[str, Any]:
    """One of several losses; its class's `weight`, where it is none, is not written: the key is the term's."""
    found = _component(term.loss)
    if found.get("weight", 0) is None:
        del found["weight"]
    output = {} if term.output is None else {"output": term.output}
    own = {} if "weight" in found else {"weight": term.weight}
    return _FlowMap({**output, "type": found.pop("type"), **own, "target": term.target, **found})


def _fine_tuning(model: Model) -> dict[str, Any]:
    """The keys of a model that begins with given weights, or of which a part is frozen."""
    found: dict[str, Any] = {}
    if model.init is not None:
        found |= {"init": model.init, "strict": model.strict}
    if model.rename:
        found["rename"] = _FlowMap(model.rename)
    if model.freeze:
        found |= {"freeze": _Flow(model.freeze), "keep_features": model.keep_features}
    if model.unfreeze is not None:
        found["unfreeze"] = _FlowMap(epoch=model.unfreeze)
    return found


def _component(component: Component) -> dict[str, Any]:
    """One component with the defaults of its class."""
    found: dict[str, Any] = {"type": component.type}
    if component.name is not None:
        found["name"] = component.name
    if component.inputs:
        found["from"] = _Flow(component.inputs) if len(component.inputs) > 1 else component.inputs[0]
    values = {a.name: a.default for a in component.known if _writable(a.default) and not a.inferred} | component.args
    values = {
        a.name: values[a.name] for a in component.known if a.name in values
    } | component.args  # constructor's order
    checked = schema_of(component.cls, component.role.base).validate_python(
        values
    )  # 0 becomes 0.0 where a float is due
    found |= {name: _value(value) for name, value in checked.items()}
    found |= _keys(component)
    if component.block is not None:
        found["block"] = _FlowMap(_listed(component.block))
    if component.layers:
        found["layers"] = [_component(layer) for layer in component.layers]
        return found
    return _FlowMap(found)


def _keys(component: Component) -> dict[str, Any]:
    """What a config says beside the constructor's arguments, or would have to say."""
    resolved = {"step": unit_of, "watch": watched_by, "groups": _groups}
    found = {key.name: resolved[key.name](component) for key in component.role.keys(component.cls)}
    return {name: value for name, value in found.items() if value is not None}


def _groups(component: Component) -> Any:
    return _Flow(map(_FlowMap, groups_of(component))) or None


def _writable(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(_writable(v) for v in value)
    return value is None or isinstance(value, (bool, int, float, str))


def _value(value: Any) -> Any:
    if isinstance(value, Component):
        return _component(value)
    if isinstance(value, BaseModel):
        return _FlowMap({name: _value(v) for name, v in value.model_dump().items()})
    if isinstance(value, (tuple, list)):
        return _Flow(_value(v) for v in value)
    return value


class _Flow(list[Any]):
    """A list on one line."""


class _FlowMap(dict[str, Any]):
    """A mapping on one line, where it fits."""


class _Dumper(yaml.SafeDumper):
    """Writes components on one line each, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(_Flow, lambda d, v: d.represent_sequence("tag:yaml.org,2002:seq", v, flow_style=True))
_Dumper.add_representer(_FlowMap, lambda d, v: d.represent_mapping("tag:yaml.org,2002:map", v.items(), flow_style=True))
