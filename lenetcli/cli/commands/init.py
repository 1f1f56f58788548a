"""`lenet init`: a configuration to start from."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from lenetcli.cli import completion
from lenetcli.errors import ConfigError, LenetError

SCHEMA = "lenet.schema.json"  # as the presets' first line names it
PICTURES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm")
LOOKED_AT = 2000  # names in a folder


def init(
    path: Annotated[Path, typer.Argument(help="The file to write, or a directory to write it in.", metavar="PATH")],
    preset: Annotated[
        str,
        typer.Option(
            help=f"The configuration to start from: {', '.join(completion.preset_names())}.",
            autocompletion=completion.presets,
        ),
    ] = "lenet",
) -> None:
    """Write a configuration to start from, and beside it the schema that editors check it by; nothing is overwritten.

    Example: lenet init --preset mlp my.yaml
    """
    from lenetcli.config.presets import preset as text_of
    from lenetcli.disk import write_once

    text = text_of(preset)
    if path.is_dir():
        _refuse_pictures(path)
    target = path / f"{preset}.yaml" if path.is_dir() else path
    if target.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{target}: a configuration's name ends in .yaml; try {target}.yaml")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_once(target, text.encode())
        beside = _write_schema(target.parent) if f"$schema={SCHEMA}" in text else ""
    except FileExistsError:
        raise ConfigError(f"{target} exists already; choose another name") from None
    except OSError as error:
        raise LenetError(f"{target} cannot be written: {error.strerror}") from None
    print(f"{target}: written{beside}; train it with: lenet train {target}")


def _write_schema(place: Path) -> str:
    """Writes the schema that the configuration names, unless there is one; says so."""
    from lenetcli.config.json_schema import schema
    from lenetcli.disk import write_once

    try:
        write_once(place / SCHEMA, json.dumps(schema(), indent=1).encode())
    except FileExistsError:
        return ""
    return f", with {SCHEMA} for editors"


def _refuse_pictures(folder: Path) -> None:
    """Refuses a folder of classes: a preset would have nothing of it.

    Raises:
        ConfigError: its folders, or those in its train folder, hold pictures, or it does itself.
    """
    inside = folder / "train" if (folder / "train").is_dir() else folder
    classes = [each for each in sorted(inside.iterdir())[:LOOKED_AT] if each.is_dir() and _holds_pictures(each)]
    if len(classes) < 2 and not (_holds_pictures(folder) and folder.resolve() != Path.cwd()):
        return
    message = f"{folder}: holds pictures, which init does not look at"
    if len(classes) < 2:
        raise ConfigError(f"{message}; a training wants them in a folder for each class: {folder / 'CLASS'}")
    name = f"{folder.resolve().name}.yaml"
    data = shlex.quote(f"data={{type: ImageFolder, root: {json.dumps(str(folder))}, resize: [32, 32]}}")
    raise ConfigError(
        f"{message}; a configuration for them is a file beside the folder:\n"
        f"   lenet init --preset cnn {shlex.quote(name)}\n"
        f"   lenet train {shlex.quote(name)} {data} model.layers.head.out_features={len(classes)}"
    )


def _holds_pictures(folder: Path) -> bool:
    return any(each.suffix.lower() in PICTURES for each, _ in zip(folder.iterdir(), range(LOOKED_AT)))
