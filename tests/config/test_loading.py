"""Reading, changing and writing configurations."""

from __future__ import annotations

import pickle
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lenetcli import config as configuration
from lenetcli.build.parts import build_model, build_optimizer, resolved
from lenetcli.config import InvalidConfig
from lenetcli.config.catalogue import ROLES
from lenetcli.config.presets import preset, presets
from lenetcli.config.signature import arguments, schema_of
from lenetcli.config.writing import plain
from lenetcli.errors import ConfigError
from tests.config.golden import GOOD
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def test_a_config_holds_what_its_text_says(good: Path) -> None:
    config = configuration.load(good)
    assert (config.name, config.seed, config.model.input) == ("good", 0, (1, 8, 8))
    assert [layer.type for layer in config.model.layers] == ["Conv2d", "ReLU", "Flatten", "Linear"]
    assert config.model.layers[0].args == {"out_channels": 4, "kernel_size": 3}
    assert config.train.batch_size == 64
    assert config.scheduler is None


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_what_is_written_loads_as_the_same(path: Path, tmp_path: Path) -> None:
    config = resolved(configuration.load(path))
    text = configuration.dump(config)
    again = tmp_path / "again.yaml"
    again.write_text(text)
    loaded = configuration.load(again)
    assert configuration.dump(loaded) == text
    assert configuration.dump(resolved(loaded)) == text
    first, second = (build_model(read)[0].state_dict() for read in (config, loaded))
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert (second[name].numpy() == tensor.numpy()).all()


def test_every_key_of_a_model_is_written_whatever_the_others_are(tmp_path: Path) -> None:
    text = """
version: 1
name: all
model:
  input: [1, 8, 8]
  init: weights.pth
  strict: false
  rename: {"old.": "new."}
  freeze: [stem]
  unfreeze: {epoch: 2}
  keep_features: 7
  blocks: {B: {args: {n: 4}, layers: [{type: Linear, name: fc, out_features: $n}]}}
  layers:
    - {type: Flatten}
    - {type: Linear, name: stem, out_features: 4}
    - {type: B, name: a}
    - {type: B, name: b, from: stem}
  outputs: [a, b]
data: {type: Digits}
loss: [{output: a, type: CrossEntropyLoss}, {output: b, type: CrossEntropyLoss}]
optimizer: {type: SGD, lr: 0.1, groups: [{match: a, lr: 0.2}]}
train: {epochs: 1}
"""
    path, again = tmp_path / "all.yaml", tmp_path / "again.yaml"
    path.write_text(text)
    config = configuration.load(path)
    for field in fields(config.model):
        default = field.default if field.default_factory is MISSING else field.default_factory()
        assert getattr(config.model, field.name) != default, f"{field.name} is to be tried, too"
    again.write_text(configuration.dump(config))
    loaded = configuration.load(again)
    for field in fields(config.model):
        if field.name != "layers":
            assert getattr(loaded.model, field.name) == getattr(config.model, field.name), field.name
    assert configuration.dump(loaded) == configuration.dump(config)


def test_resolving_writes_inferred_arguments(good: Path) -> None:
    layers = resolved(configuration.load(good)).model.layers
    assert layers[0].args["in_channels"] == 1
    assert layers[3].args["in_features"] == 4 * 6 * 6


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("model.layers.0.out_channels=8", 8),
        ("model.layers[0].out_channels=8", 8),
        ("model.layers.conv.out_channels=8", 8),
        ("model.layers.-4.out_channels=8", 8),
    ],
)
def test_a_layer_is_changed_by_position_or_name(good: Path, change: str, value: int) -> None:
    assert configuration.load(good, [change]).model.layers[0].args["out_channels"] == value


def test_later_changes_win_and_numbers_keep_their_yaml_meaning(good: Path) -> None:
    config = configuration.load(good, ["optimizer.lr=1", "optimizer.lr=1e-3", "seed=010"])
    assert config.optimizer.args["lr"] == 0.001
    assert config.seed == 10


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04\0\0", "a ZIP archive"), (b"\x08\0" * 400_000, "one that holds no text"),
        (b"<!DOCTYPE html>\n<html></html>", "a page of HTML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_configuration_is_told_as_such(good: Path, data: bytes, words: str) -> None:
    good.write_bytes(data)
    with pytest.raises(InvalidConfig, match=f"wanted a YAML file, got .*{words}"):
        configuration.load(good)


def test_a_directory_leads_to_the_file_in_it(good: Path) -> None:
    with pytest.raises(InvalidConfig, match=f"got a directory\n   did you mean {good}"):
        configuration.load(good.parent)
    (good.parent / "empty").mkdir()
    with pytest.raises(InvalidConfig, match=f"`lenet init {good.parent / 'empty'}` writes one"):
        configuration.load(good.parent / "empty")


def test_a_whole_section_can_be_replaced(good: Path) -> None:
    config = configuration.load(good, ["optimizer={type: Adam, lr: 0.01}", "scheduler={type: StepLR, step_size: 2}"])
    assert (config.optimizer.type, config.scheduler and config.scheduler.type) == ("Adam", "StepLR")


def test_a_section_may_be_a_file(good: Path) -> None:
    (good.parent / "optimizers").mkdir()
    (good.parent / "optimizers" / "adam.yaml").write_text("type: Adam\nlr: 0.003\n")
    good.write_text(GOOD.replace("{type: SGD, lr: 0.1}", "optimizers/adam.yaml"))
    assert configuration.load(good).optimizer.args == {"lr": 0.003}
    changed = configuration.load(good, ["optimizer.lr=0.1"])
    assert changed.optimizer.args == {"lr": 0.1}


def test_a_problem_in_a_section_file_names_that_file(good: Path) -> None:
    (good.parent / "sgd.yaml").write_text("type: SGD\nlr: fast\n")
    with pytest.raises(InvalidConfig, match=r"sgd\.yaml:2:5: optimizer\.lr: wanted a number"):
        configuration.load(good, ["optimizer=sgd.yaml"])


@pytest.mark.usefixtures("consenting")
def test_a_class_of_the_users_own_is_found_beside_the_config(good: Path) -> None:
    (good.parent / "my_nets.py").write_text(
        "from lenetcli import nn\n"
        "class Twice(nn.Module):\n"
        "    def __init__(self, factor: float = 2.0) -> None:\n"
        "        super().__init__()\n"
        "        self.factor = factor\n"
        "    def forward(self, x):\n"
        "        return self.factor * x\n"
    )
    good.write_text(GOOD.replace("type: ReLU", "type: my_nets.py:Twice, factor: 3"))
    model, _ = build_model(configuration.load(good))
    assert [type(m).__name__ for m in model] == ["Conv2d", "Twice", "Flatten", "Linear"]
    good.write_text(GOOD.replace("type: ReLU", "type: my_nets.py:Twice, factor: x"))
    with pytest.raises(InvalidConfig, match="wanted a number"):
        configuration.load(good)


@pytest.mark.usefixtures("consenting")
def test_a_scheduler_may_use_a_function_of_the_users_own(good: Path) -> None:
    (good.parent / "my_rates.py").write_text("def halving(epoch):\n    return 0.5**epoch\n")
    changes = ["scheduler={type: LambdaLR, lr_lambda: my_rates.py:halving}"]
    config = configuration.load(good, changes)
    model, _ = build_model(config)
    optimizer, scheduler = build_optimizer(config, model)
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    assert scheduler.get_last_lr() == [0.025]
    again = good.parent / "sub" / "again.yaml"
    again.parent.mkdir()
    again.write_text(configuration.dump(config))
    loaded = configuration.load(again).scheduler
    assert config.scheduler is not None
    assert loaded is not None
    assert loaded.args["lr_lambda"] == config.scheduler.args["lr_lambda"]
    for wrong, message in (("my_rates.py:doubling", "has no function"), ("halving", "my_rates.py:halving")):
        with pytest.raises(InvalidConfig, match=message):
            configuration.load(good, [f"scheduler={{type: LambdaLR, lr_lambda: {wrong}}}"])


@pytest.mark.usefixtures("consenting")
def test_a_users_file_that_raises_is_one_clear_message(good: Path) -> None:
    (good.parent / "broken.py").write_text("x = 1\nraise ValueError('no')\n")
    good.write_text(GOOD.replace("type: ReLU", "type: broken.py:Net"))
    with pytest.raises(InvalidConfig, match=r"cannot be imported: ValueError: no \(broken.py, line 2\)"):
        configuration.load(good)


def test_hostile_texts_are_refused_quickly(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi")]
    for text in ["\n".join(lines), "[" * 5000, "x: &x *x\n", "\x00", "k: " + "9" * 5000, "? [1]\n: 2\n", "a" * 300_000]:
        path.write_text(text)
        with pytest.raises(InvalidConfig):
            configuration.load(path)


def test_a_missing_file_names_its_neighbours(good: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"did you mean good\.yaml"):
        configuration.load(good.parent / "godo.yaml")
    with pytest.raises(InvalidConfig, match="a directory"):
        configuration.load(good.parent)


def test_an_error_survives_pickling(good: Path) -> None:
    with pytest.raises(InvalidConfig) as caught:
        configuration.load(good, ["seed=x"])
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("name", list(presets()))
def test_every_preset_says_what_it_is(name: str) -> None:
    comment = next(line for line in preset(name).splitlines() if line.startswith("# ") and "$schema" not in line)
    assert len(comment) > 20


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="did you mean lenet5"):
        preset("lenet55")


def test_every_class_takes_its_own_defaults() -> None:
    for role in ROLES.values():
        for name, cls in role.classes.items():
            given = {a.name: a.default for a in arguments(cls, role.base) if not a.required and not a.inferred}
            schema = schema_of(cls, role.base)
            problems = []
            for key, value in given.items():
                if isinstance(value, (bool, int, float, str, type(None), tuple, list)):
                    try:
                        schema.validate_python({**_required(cls, role.base), key: value})
                    except ValidationError as error:
                        problems += [e["loc"] for e in error.errors() if e["loc"][0] == key]
            assert not problems, f"{name}: {problems}"


def _required(cls: Any, base: Any) -> dict[str, Any]:
    return {a.name: None for a in arguments(cls, base) if a.required}


SECRETS = {
    "passwd": "root:TOPSECRET:0:0:root:/root:/bin/bash\n", "env": "KEY=TOPSECRET\n",
    "ini": "[default]\nkey = TOPSECRET\n",
    "secrets.yaml": "password: TOPSECRET\nuser: me\n", "key.json": '{"type": "service_account", "key": "TOPSECRET"}',
    "list.yaml": "- TOPSECRET\n", "broken.yaml": "a: [TOPSECRET\n", "pem": "-----BEGIN TOPSECRET-----\nabc\n",
    "scalar": "TOPSECRET", "latin": b"TOPSECRET \xe9\n", "tag.yaml": "!!python/name:TOPSECRET a\n",
    "typed.env": "type: TOPSECRET\n", "settings.toml": '[loss]\ntype: "TOPSECRET"\n',
    "id_rsa": "-----\ntype: TOPSECRET\n",
    "twice.yaml": "TOPSECRET: 1\nTOPSECRET: 2\n", "alias.yaml": "a: *TOPSECRET\n",
}  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("section", ["model", "data", "loss", "optimizer", "scheduler", "train"])
def test_a_section_path_to_another_kind_of_file_shows_nothing_of_it(good: Path, section: str, name: str) -> None:
    content = SECRETS[name]
    (good.parent / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidConfig) as told:
        configuration.load(good, [f"{section}={name}"])
    assert "TOPSECRET" not in str(told.value)
    assert name in str(told.value)


def test_a_section_may_be_a_list_of_losses_in_a_file(good: Path) -> None:
    (good.parent / "both.yaml").write_text("- {type: CrossEntropyLoss}\n- type: MultiMarginLoss\n  weight: 0.5\n")
    given = "[{type: CrossEntropyLoss}, {type: MultiMarginLoss, weight: 0.5}]"
    written = [plain(resolved(configuration.load(good, [f"loss={one}"]))) for one in ("both.yaml", given)]
    assert written[0] == written[1]
    (good.parent / "list.yaml").write_text("- {type: SGD, lr: 0.1}\n")
    with pytest.raises(InvalidConfig, match="wanted a mapping that is the optimizer section"):
        configuration.load(good, ["optimizer=list.yaml"])


@pytest.mark.parametrize("text", ["type: Adam\nlr: fast", "{type: adam}", "lr: 1\ntype: Adma", "lr: 0.1, type: SGD"])
def test_a_section_that_is_one_is_quoted_where_it_is_wrong(good: Path, text: str) -> None:
    (good.parent / "mine.yaml").write_text(text)
    with pytest.raises(InvalidConfig) as told:
        configuration.load(good, ["optimizer=mine.yaml"])
    assert f"| {text.splitlines()[0]}" in str(told.value) or f"| {text.splitlines()[-1]}" in str(told.value)
