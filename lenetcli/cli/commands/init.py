"""`lenet init`: a configuration to start from, made for data that it looks at."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from lenetcli.cli import completion
from lenetcli.cli.options import Json, print_json
from lenetcli.errors import ConfigError


def init(
    path: Annotated[
        str,
        typer.Argument(
            help="Data: a folder of pictures, a file .npz, .csv or .parquet, a data set's name. Or the file .yaml to "
            "write a preset to, or a directory to write it in.",
            metavar="DATA|PATH",
        ),
    ],
    preset: Annotated[
        str | None,
        typer.Option(
            help=f"Without data, the configuration to start from: {', '.join(completion.preset_names())}.",
            autocompletion=completion.presets,
            show_default="lenet",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file to write for data.", show_default="./NAME.yaml")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at data, say what is found, and write a configuration that fits; or write a preset to start from.

    Of data it counts classes, and looks at sizes, colours, values, broken pictures, and pictures that are there twice.
    The configuration says of each choice why. Nothing is overwritten. The schema that editors check a configuration by
    is written beside it.

    Example: lenet init Digits -o my-digits.yaml
    """
    from lenetcli.cli.drafting import ENDINGS, check_name, draft, write
    from lenetcli.inspection.data.recognised import needed, recognised

    place = Path(path)
    found = None if place.suffix in ENDINGS else recognised(path)
    if found is not None and preset is None:
        target = output or Path(f"{found.name}.yaml")
        check_name(target)
        drafted = draft(found, target)
        beside = write(target, drafted.text)
        if as_json:
            print_json(drafted.record())
            return
        from lenetcli.report.console import results
        from lenetcli.report.data.survey import draw

        console = results()
        for part in draw(drafted.found, drafted.chosen):
            console.print(part)
    else:
        if output is not None or as_json:
            if place.suffix not in ENDINGS and preset is None:
                needed(path)  # says what it is not
            raise ConfigError(f"--{'json' if as_json else 'output'} goes with data, without --preset")
        if found is not None:
            raise ConfigError(f"{path}: is data, which init looks at itself; leave --preset away")
        name = preset or "lenet"
        if place.is_dir():
            _refuse_pictures(place)
            target = place / f"{name}.yaml"
        elif place.suffix in ENDINGS or preset is not None:
            target = place
        else:
            needed(path)
        from lenetcli.config.presets import preset as text_of

        beside = write(target, text_of(name))
    print(f"{target}: written{beside}; train it with: lenet train {shlex.quote(str(target))}")


def _refuse_pictures(folder: Path) -> None:
    """Refuses a folder that holds pictures without classes: a preset would have nothing of it.

    Raises:
        ConfigError: it does.
    """
    from lenetcli.inspection.data.recognised import holds_pictures

    if holds_pictures(folder) and folder.resolve() != Path.cwd():
        raise ConfigError(
            f"{folder}: holds pictures, but not in classes; a training wants them in a folder for each class: "
            f"{folder / 'CLASS'}"
        )
