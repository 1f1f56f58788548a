"""Every command, script and output that the README, the tutorial and the page on experiments show is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.readme import (
    CONSOLE,
    EXPERIMENTS,
    PAGES,
    README,
    SCRIPT,
    TUTORIAL,
    commands,
    excerpt,
    far_off,
    run_command,
    run_script,
    same,
    workplace,
)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_print_what_is_shown(page: Path) -> None:
    place = workplace()
    found = [pair for block in CONSOLE.findall(page.read_text("utf-8")) for pair in commands(block)]
    assert found
    for line, shown in found:
        printed = run_command(line, place)
        assert same(shown, printed), f"$ {line}\n--- shown\n{shown}\n--- printed\n{printed}"
        if page == TUTORIAL and "net.yaml" in line:  # the others tell of whole trainings, in which rounding grows
            assert far_off(shown, excerpt(shown, printed)) == [], f"$ {line}"


@pytest.mark.parametrize("page", [README, EXPERIMENTS], ids=lambda p: p.name)
def test_scripts_print_what_is_shown(page: Path) -> None:
    found = SCRIPT.findall(page.read_text("utf-8"))
    assert found
    for code, shown in found:
        printed = run_script(code)
        assert same(shown, printed), f"--- shown\n{shown}\n--- printed\n{printed}"
        assert far_off(shown, printed) == []


def test_numbers_may_differ_in_their_last_digits_only() -> None:
    assert far_off("loss 0.2663513720 of 1,297", "loss 0.2663433849 of 1,297") == []
    assert far_off("  0.8028  61,410  0.1 s, 0.5 s", "  0.8029  20,000  12 s, 1:20 min") == []
    assert far_off("[-1.234e-04, 3]", "[-1.2345e-04, 3]") == []
    assert same("1/3  0.5  1.8 s", "1/3  0.6  1:01")
    assert far_off("error 1.3e-10 in a.py:57", "error 3.7e-11 in a.py:58") == []
    assert far_off("loss 0.2663", "loss 0.2673") == [("0.2663", "0.2673")]
    assert far_off("1,297 samples", "1,298 samples") == [("1,297", "1,298")]
    assert far_off("[1, 6]", "[1, 7]") == [("6", "7")]


@pytest.mark.usefixtures("torch")
def test_the_tutorial_prints_the_same_with_torchs_imports() -> None:
    for code, shown in SCRIPT.findall(README.read_text("utf-8")):
        translated = code.replace("import lenetcli as lenet", "import torch as lenet").replace("lenetcli", "torch")
        assert translated != code
        printed = run_script(translated)
        # torch numbers its node names and prefixes one of them
        printed = re.sub(r"Backward0\b", "Backward", printed).replace("torch::autograd::", "")
        assert same(shown, printed), f"--- shown\n{shown}\n--- with torch\n{printed}"


def test_the_yaml_shown_is_the_default_configuration() -> None:
    import yaml

    text = README.read_text("utf-8")
    shown = yaml.safe_load(re.search(r"^```yaml\n(version.*?)^```$", text, re.MULTILINE | re.DOTALL)[1])  # type: ignore[index]
    assert shown == yaml.safe_load((README.parent / "configs" / "lenet.yaml").read_text("utf-8"))


def test_pictures_and_links_exist() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", page.read_text("utf-8")):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_a_page_may_leave_out_lines_but_not_change_them() -> None:
    printed = "one 1\ntwo 2\n\n  1 ┤⢇ a\n    │⡀\nfive\n"
    assert same("one 3\n...\nfive\n", printed)
    assert same("...\n  1 ┤⠑⠢\nfive\n", printed)
    assert not same("one 1\nfive\n", printed)
    assert not same("one 1\n...\nfour\n...\n", printed)
    assert not same("...\ntwo 2\n", printed)
    assert excerpt("one 3\n...\nfive\n", printed) == "one 1\n...\nfive\n"
    assert excerpt("one 3\n", printed) == printed


def test_the_first_lines_fit_a_fresh_shell() -> None:
    """.ci/run runs them; here that they need no `python` before there is one, and that both pages show the same."""
    lines = re.findall(r"^<!-- first lines -->\n```sh\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(lines) == 1
    words = lines[0].split()
    assert words[:2] == ["python3", "-m"]
    assert words.index("python") > words.index(".venv/bin/activate")
    assert lines[0] in (README.parent / "docs" / "install.md").read_text("utf-8")
