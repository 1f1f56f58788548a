"""Every command writes into every kind of stream, and with paths of any bytes; docs/terminals.md has the table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lenetcli.cli.table import COMMANDS as ALL
from lenetcli.config import load
from tests.cli.conftest import Lenet
from tests.cli.streams import COMMANDS, CONFIG, RUN, into, prepare, row, table, written
from tests.conftest import ROOT
from tests.terminal import told

BYTES = os.fsdecode(b"n\xe4me-\xff")  # no UTF-8


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("streams")
    before = Path.cwd()
    os.chdir(place)
    try:
        prepare(place)
    finally:
        os.chdir(before)
    return place


@pytest.mark.parametrize("all_widths", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["", "at all widths"])
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.usefixtures("short_timing")
def test_a_command_shows_all_in_every_stream(
    name: str, all_widths: bool, letters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(letters)
    line = row(name, letters, all_widths)
    assert line == f"| `{name}` " + "| ok " * 5 + "|"


def test_the_page_has_the_table_and_the_table_every_command() -> None:
    assert written() == table(f"| `{name}` " + "| ok " * 5 + "|" for name in COMMANDS)
    assert {line.split()[0] for line in COMMANDS.values()} >= set(ALL)


def program(*words: str, place: Path, redirected: str = "", **environment: str) -> tuple[int, bytes]:
    """The program itself, its stdout and stderr redirected as a shell does."""
    line = f'exec {sys.executable} -m lenetcli "$@" {redirected}'
    done = subprocess.run(
        ["sh", "-c", line, "sh", *words], cwd=place, capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("redirected", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_were_closed_are_nothing(redirected: str, letters: Path) -> None:
    if redirected.count("-") == 3:
        assert program("eval", RUN, place=letters, redirected=redirected) == (0, b"")
        assert program("--help", place=letters, redirected=redirected) == (0, b"")
        assert program("show", "nothing.yaml", place=letters, redirected=redirected)[0] == 2
    out = f"closed-{len(redirected)}"
    assert program("train", "größe.yaml", "--out", out, place=letters, redirected=redirected)[0] == 0
    for file in (letters / out).rglob("*.json*"):  # nothing was printed into a file that took a stream's number
        for text in file.read_text().splitlines() if file.suffix == ".jsonl" else [file.read_text()]:
            json.loads(text)


def test_pictures_from_a_closed_stdin_are_one_message(letters: Path) -> None:
    for redirected in ("<&-", "</dev/null"):
        code, out = program("predict", RUN, "-", place=letters, redirected=redirected)
        assert (code, out.count(b"error")) == (3, 1)
        assert b"nothing came from stdin" in out


def in_a_terminal(kind: str, place: Path, *words: str) -> str:
    """What a terminal of a kind gets."""
    pytest.importorskip("pty", reason="no such terminals here")
    return told(place, words, {"TERM": kind, "COLUMNS": "80"}, reads=True).replace("\r\n", "\n")


def test_a_terminal_that_cannot_draw_anew_gets_lines_only(letters: Path) -> None:
    told = in_a_terminal("dumb", letters, "train", "größe.yaml", "train.epochs=3", "--out", "dumb")
    head, *epochs, last = told.removesuffix("\n").split("\n")
    assert head.split()[0] == "epoch"
    assert [line.split()[0] for line in epochs] == ["1/3", "2/3", "3/3"]
    assert last.startswith("best epoch")
    assert "\x1b" not in told
    drawn = in_a_terminal("xterm", letters, "train", "größe.yaml", "train.epochs=3", "--out", "xterm")
    assert "epoch 1/3" in drawn
    assert "\x1b[" in drawn


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_the_program_itself_writes_what_its_stream_takes(encoding: str, letters: Path) -> None:
    code, out = program("eval", RUN, place=letters, PYTHONIOENCODING=encoding)
    assert code == 0
    assert "\\u732b" in out.decode(encoding)


def test_yaml_and_json_stay_right_in_every_encoding(letters: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(letters)
    for encoding in ("cp1252", "ascii", "utf-8"):
        code, out = into(encoding, 80, ["show", "größe.yaml"])
        assert code == 0
        assert load("größe.yaml", text=out).data.args["root"] == "bilder-猫"
        predicted = json.loads(into(encoding, 80, ["predict", RUN, "bilder-猫/test/猫", "--json"])[1])
        assert all(Path(each["file"]).is_file() for each in predicted)


WITH_BYTES = [
    "train {b}.yaml --out {b}/two", "train {b}.yaml data.root={b} --out {b}/three",
    "train --resume {b}/run train.epochs=3", "eval {b}/run", "predict {b}/run {b}/test --csv",
    "predict {b}/run {b}/test --json", "validate {b}.yaml", "show {b}.yaml data.root={b}", "plot {b}/run -o {b}.svg",
    "plot {b}/run", "report {b}/run -o {b}.html", "export {b}/run --format npz -o {b}.npz", "init {b}-new.yaml",
    "export {b}/run --format huggingface -o {b}-hub", "export {b}/run --format python -o {b}.py",
    "import {b}/run/model.safetensors --config {b}.yaml --out {b}/in", "trace-grad {b}/run --html {b}-trace.html",
    "inspect-params {b}/run --filters {b}.png", "runs {b}", "runs {b} --json", "diff {b}/run {b}.yaml",
    "sweep {b}.yaml optimizer.lr=[0.1,0.01] train.epochs=1 --out {b}/sweep", "data check {b}.yaml data.root={b} --json",
    "data show {b} --png {b}-sheet.png", "step {b}/run --script", "find-lr {b}.yaml --steps 5",
]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_paths_that_are_not_utf8_work_everywhere(
    letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (letters / "bilder-猫").rename(tmp_path / BYTES)
    try:
        (tmp_path / BYTES / "test" / "βγ").rename(tmp_path / BYTES / "test" / BYTES)
        (tmp_path / BYTES / "train" / "βγ").rename(tmp_path / BYTES / "train" / BYTES)
        Path("pictures").symlink_to(BYTES)
        Path(f"{BYTES}.yaml").write_text(CONFIG.replace("bilder-猫", "pictures"), "utf-8")
        assert into("utf-8", 80, ["train", f"{BYTES}.yaml", "--out", f"{BYTES}/run"])[0] == 0
        for line in WITH_BYTES:
            code, out = into("utf-8", 80, [word.format(b=BYTES) for word in line.split()])
            assert code == 0, (line, out)
        code, out = into("utf-8", 80, ["train", "--resume", f"{BYTES}/three", "train.epochs=3"])
        assert code == 0, out
        assert load(f"{BYTES}/three/config.yaml").data.args["root"] == str(tmp_path / BYTES)
        for file in Path(BYTES).rglob("*.json"):
            json.loads(file.read_text("utf-8"))
    finally:
        for split in ("test", "train"):
            (tmp_path / BYTES / split / BYTES).rename(tmp_path / BYTES / split / "βγ")
        (tmp_path / BYTES).rename(letters / "bilder-猫")


@pytest.mark.parametrize("setting", ["LENET_THREADS=abc", "LENET_THREADS=0", "LENET_THREADS=²", "LENET_KERNELS=foo"])
@pytest.mark.parametrize("name", sorted(set(ALL) - {"data", "init"}))
def test_a_wrong_setting_of_the_environment_is_refused_by_every_command(
    name: str, setting: str, lenet: Lenet, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, _, value = setting.partition("=")
    monkeypatch.setenv(variable, value)
    line = next(line for line in COMMANDS.values() if line.split()[0] == name)
    done = lenet(*line.split())
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(
        f"error: {variable} must be a number from 1" if "THR" in setting else f"error: {variable}"
    )
    assert f"got '{value}'" in done.err
    assert lenet(name, "--help").code == 0
