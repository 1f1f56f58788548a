"""`lenet data list|get|check|show|suspects`: the data sets there are, getting, checking, looking at them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lenetcli.cli.options import Json, Places, RunDir, check_no_run_file, check_place, print_json
from lenetcli.cli.table import Group
from lenetcli.errors import ConfigError, DataError, printable

HEAD = 20  # of the suspects

app = typer.Typer(
    cls=Group,
    help="List, get, check and show data sets; rank what a run has trained on.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


def _place(name: str) -> Path:
    """A directory's name, in which `~` is one's home, as no shell makes it behind `--root=`."""
    return Path(name).expanduser()


Name = Annotated[str, typer.Argument(help="A data set that `lenet data list` names.", metavar="NAME")]
What = Annotated[
    str,
    typer.Argument(help="A data set's name, a configuration, or a directory of pictures.", metavar="NAME|CONFIG"),
]
Changes = Annotated[
    list[str] | None,
    typer.Argument(
        help="Changes of the configuration, such as data.root=DIR.", metavar="[K=V ...]", show_default=False
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(help="The directory of the files.", show_default="data/<name>", parser=_place, metavar="PATH"),
]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the data sets that have a name: what, how large, whether present, under which licence, where from.

    Example: lenet data list
    """
    from lenetcli.data.catalogue import CATALOGUE, present

    rows: list[dict[str, Any]] = [
        {"name": "Digits", "about": "1,797 handwritten digits, 8x8 (E. Alpaydin, C. Kaynak)", "bytes": 0, "root": None,
         "from": ["comes with lenet"], "licence": "CC BY 4.0", "present": True}
    ]  # fmt: skip
    rows += [
        {"name": e.name, "about": e.about, "bytes": e.size, "root": e.root, "from": list(e.mirrors),
         "licence": e.licence, "present": present(e.name)}
        for e in CATALOGUE.values()
    ]  # fmt: skip
    if as_json:
        print(json.dumps({"datasets": rows}))
        return
    from lenetcli.report.columns import Column, Columns
    from lenetcli.report.console import results

    columns = [
        Column("name", [r["name"] for r in rows]),
        Column("what", [r["about"] for r in rows], fold=True),
        Column("MB", [f"{r['bytes'] / 1e6:.0f}" if r["bytes"] else "" for r in rows], right=True),
        Column("present", ["yes" if r["present"] else "no" for r in rows]),
        Column("licence", [r["licence"] for r in rows]),
        Column("from", [r["from"][0] for r in rows], rank=1),
    ]
    results().print(Columns(columns))


@app.command("get")
def get(
    name: Name,
    root: Root = None,
    mirror: Annotated[
        list[str] | None, typer.Option(help="Addresses to try in place of the known ones.", show_default=False)
    ] = None,
) -> None:
    """Download a data set, or what is missing of it: mirrors in turn, every file hashed, a broken download continued.

    Example: lenet data get MNIST
    """
    from lenetcli.data import catalogue
    from lenetcli.report.data.downloads import Downloads

    found = catalogue.entry(name)
    mirrors = tuple(address if address.endswith("/") else address + "/" for address in mirror or ())
    with Downloads() as shown:
        fetched = catalogue.get(found.name, root, mirrors or None, shown)
    for path in fetched:
        print(path)
    place = catalogue.directory(found, root)
    print(f"{found.name}: {len(found.md5)} files in {place}, {len(fetched)} of them new, all with the right hash")


@app.command("check")
def check(name: What, changes: Changes = None, root: Root = None, as_json: Json = False) -> None:
    """Check a data set's files against their hashes, or read and decode every sample of a configuration's data.

    Example: lenet data check MNIST
    """
    from lenetcli.data.catalogue import CATALOGUE

    if name.lower() in map(str.lower, CATALOGUE) and not changes:
        _check_files(name, root, as_json)
    else:
        _check_samples(name, changes or [], root, as_json)


@app.command("show")
def show(
    name: What,
    changes: Changes = None,
    root: Root = None,
    split: Annotated[Literal["train", "test"], typer.Option(help="Which part.")] = "train",
    count: Annotated[int, typer.Option(help="How many pictures.", min=1, max=1000)] = 20,
    augmented: Annotated[
        bool, typer.Option("--augmented", help="As the training sees them, with the configuration's augmentation.")
    ] = False,
    epoch: Annotated[int, typer.Option(help="The epoch whose augmentation to show, from 1.", min=1)] = 1,
    png: Annotated[Path | None, typer.Option(help="Write the sheet to this PNG file.", show_default=False)] = None,
) -> None:
    """Show a contact sheet: the first pictures of every class, in the terminal or as a PNG file.

    Example: lenet data show configs/lenet.yaml --count 10
    """
    from lenetcli.disk import write_file
    from lenetcli.inspection.data.contact_sheet import contact_sheet
    from lenetcli.report.data.contact_sheet import ContactSheet, png_sheet

    check_no_run_file(png, "--png")
    source, seed = _source(name, changes or [], root)
    if augmented and source.augmenter is None:
        raise ConfigError(f"--augmented: {name} has no augmentation (data.augment)")
    sheet = contact_sheet(source, split, count, seed, epoch - 1 if augmented else None)
    if png is not None:
        write_file(png, png_sheet(sheet))
        print(png)
        return
    from lenetcli.report.console import results

    results().print(ContactSheet(sheet))


@app.command("suspects")
def suspects(
    run: RunDir,
    places: Places = None,
    count: Annotated[
        int | None, typer.Option(help="How many; without it 20, and with --json all.", min=1, show_default=False)
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Write their pictures to this file.", show_default=False)] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the whole ranking to this file.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Rank a run's training samples by how badly it goes on doing on them: wrong labels stand at the head.

    The run is trained again, and every loss has to be the recorded one.

    Example: lenet data suspects runs/lenet/001 --png suspects.png
    """
    from lenetcli.disk import write_file
    from lenetcli.inspection.training.suspects import suspects
    from lenetcli.report.console import results
    from lenetcli.report.data.suspects import csv_of, draw, png_of

    check_place(png, "--png", ".png")
    check_place(csv, "--csv")
    found = suspects(run, places or [])
    if png is not None:
        write_file(png, png_of(found, count or HEAD))
    if csv is not None:
        write_file(csv, csv_of(found))
    if as_json:
        print_json(found.record(count))
        return
    for part in draw(found, count or HEAD):
        results().print(part)


def _check_files(name: str, root: Path | None, as_json: bool) -> None:
    """Every file's hash; files that are there unpacked are read."""
    from lenetcli.data import catalogue
    from lenetcli.inspection.data.check import check_source

    found = catalogue.entry(name)
    place = catalogue.directory(found, root)
    states = catalogue.check(found.name, root)
    if "missing" in states.values() and catalogue.present(found.name, root):
        problems = check_source(_named(found.name, root)).problems
        if problems:
            raise DataError("\n".join(problems))
        states = {file: "ok, unpacked" if state == "missing" else state for file, state in states.items()}
    bad = [f"{place / file}: {state}" for file, state in states.items() if not state.startswith("ok")]
    if as_json:
        files = [{"file": file, "state": state} for file, state in states.items()]
        print(json.dumps({"name": found.name, "root": str(place), "ok": not bad, "files": files}))
    else:
        for file, state in states.items():
            if state.startswith("ok"):
                print(f"{place / file}: {state}")
    if bad:
        bad.append(f"`lenet data get {found.name}` gets what is missing or damaged")
        raise DataError("\n".join(bad))


def _check_samples(name: str, changes: list[str], root: Path | None, as_json: bool) -> None:
    """Every sample read and decoded; all that is not sound is said in one go."""
    from lenetcli.build.targets import class_notes
    from lenetcli.inspection.data.check import check_source

    source = _source(name, changes, root)[0]
    found = check_source(source)
    if as_json:
        print(json.dumps(found.record(name)))
    elif not found.problems:
        parts = ", ".join(f"{count:,} to {split}" for split, count in found.counts.items())
        print(f"{name}: ok, {parts}, samples {found.shape}, {_said(len(found.classes))}")
    if not as_json:
        for line in (*found.left_out, *found.remarks):
            print(printable(line))
    if found.problems:
        raise DataError("\n".join(found.problems))
    for note in class_notes(source):
        print(printable(f"{name}: {note}"), file=sys.stderr)


def _said(classes: int) -> str:
    return f"{classes:,} class{'' if classes == 1 else 'es'}" if classes else "targets that are no classes"


def _source(name: str, changes: list[str], root: Path | None) -> tuple[Any, int]:
    """The data that a name, a configuration or a directory stands for, and the seed of its augmentation."""
    if Path(name).is_dir() and not (Path(name) / "config.yaml").is_file():
        from lenetcli.data import ImageFolder

        _refuse(changes, f"{name} is a directory of pictures")
        return ImageFolder(name, resize=(64, 64)), 0
    if Path(name).exists():
        from lenetcli import config as configuration
        from lenetcli.build.parts import build_data, load_config_of
        from lenetcli.config import consent

        path = str(load_config_of(Path(name))) if Path(name).is_dir() else name
        if root is not None:
            raise ConfigError(f"--root: {name} says itself where its data is; write data.root={root}")
        with consent.under(look=True):
            config = configuration.load(path, changes)
            return build_data(config), config.seed
    if name.endswith((".yaml", ".yml")):
        raise ConfigError(f"{name}: no such file")
    _refuse(changes, f"{name} is no configuration")
    return _named(name, root), 0


def _named(name: str, root: Path | None) -> Any:
    """The source of a data set by its name, in any case."""
    from lenetcli import data
    from lenetcli.data.catalogue import entry

    if name.lower() == "digits":
        return data.Digits()
    found = entry(name)
    return getattr(data, found.name)(root=str(root or found.root))


def _refuse(changes: list[str], why: str) -> None:
    if changes:
        raise ConfigError(f"{why}, so it takes no changes: {' '.join(changes)}")
