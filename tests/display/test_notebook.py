"""What a notebook shows of tensors, modules and runs: escaped, complete in itself, in the reader's own colours."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.report.training.notebook import run_html, summary
from lenetcli.runs.history import history_of
from lenetcli.train.events import Ended, Evaluated, Event, Step
from tests.report.browser import Found, read


def shown(thing: Any) -> Found:
    """Its HTML as a strict reader sees it."""
    html = thing._repr_html_() if hasattr(thing, "_repr_html_") else thing
    found = read(html)
    assert found.problems == []
    assert "://" not in html.replace("http://www.w3.org", "")
    assert "<script" not in html
    for attributes in (a for _, a in found.tags):
        assert not any(name.startswith("on") for name in attributes)
    styles = html.split("<style>")[-1].split("</style>")[0] if "<style>" in html else ""
    assert not re.search(r"(?<![-\w])(background|color): ?(#|white|black)", styles + html)  # text has the page's colour
    return found


def pictures(found: Found) -> list[dict[str, str | None]]:
    return found.all("img")


def test_a_small_tensor_is_its_text() -> None:
    x = lenet.tensor([[1.0, 2.0]], requires_grad=True)
    found = shown(x)
    assert found.text.strip() == "tensor([[1., 2.]], requires_grad=True)"
    assert pictures(found) == []
    assert shown(lenet.tensor(3)).text.strip() == "tensor(3)"
    assert shown(lenet.zeros(0, 3)).text.strip() == repr(lenet.zeros(0, 3))


@pytest.mark.parametrize(
    ("shape", "count", "size"),
    [
        ((6, 9), 1, (99, 66)),
        ((20,), 1, (100, 12)),
        ((3, 1, 8, 8), 3, (96, 96)),
        ((3, 40, 30), 1, (90, 120)),
        ((4, 2, 3, 3), 8, (96, 96)),
        ((40, 1, 4, 4), 16, (96, 96)),
        ((2000, 10), 1, (12, 250)),
    ],
)
def test_many_values_are_pictures(shape: tuple[int, ...], count: int, size: tuple[int, int]) -> None:
    found = shown(lenet.randn(*shape))
    images = pictures(found)
    assert len(images) == count
    assert (images[0]["width"], images[0]["height"]) == tuple(map(str, size))
    assert all(str(image["src"]).startswith("data:image/png;base64,") for image in images)
    assert " × ".join(map(str, shape)) in found.text


def test_what_is_left_out_is_counted_and_values_that_are_no_numbers_are_told() -> None:
    assert "24 more" in shown(lenet.randn(40, 1, 4, 4)).text
    x = lenet.full((4, 5), float("nan"))
    x[0, 0] = float("inf")
    assert "20 NaN or infinite" in shown(x).text
    assert "from -3 to -3" in shown(lenet.full((4, 5), -3)).text
    assert shown(lenet.randn(4, 5) > 0).all("img") != []
    assert shown(lenet.full((4, 5), 1e38)).all("img") != []


def test_a_module_is_a_table_of_its_modules() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Sequential(nn.ReLU(), nn.Linear(5, 2, bias=False)))
    found = shown(net)
    assert len(found.all("tr")) == 6
    for text in ("Conv2d(1, 4, kernel_size=(3, 3), stride=(1, 1))", "weight 4×1×3×3, bias 4", "50 parameters"):
        assert text in found.text
    indents = [str(cell["style"]).split("padding-left:")[-1] for cell in found.all("td")[::4]]
    assert indents == ["0em", "0em", "0em", "2em", "2em"]
    assert "\\x" not in found.text
    net[0].weight.requires_grad_(False)
    assert "50 parameters, 14 trainable" in shown(net).text
    assert "0 parameters" in shown(nn.ReLU()).text


def test_parameters_that_are_shared_count_once() -> None:
    layer = nn.Linear(3, 3)
    assert "12 parameters, all trainable" in shown(nn.Sequential(layer, nn.ReLU(), layer)).text


def test_a_deep_net_is_cut() -> None:
    assert "101 more modules" in shown(nn.Sequential(*[nn.ReLU() for _ in range(300)])).text


class Hostile(nn.Module):
    def extra_repr(self) -> str:
        return "<script>alert(1)</script>\x1b[2J"


def test_nothing_of_a_users_text_becomes_html() -> None:
    net = nn.Sequential()
    net.add_module("<b onclick=x>", Hostile())
    found = shown(net)
    assert "<script>alert(1)</script>" in found.text
    assert "<b onclick=x>" in found.text
    assert "\x1b" not in found.text
    assert "<i>" in shown(run_html(history_of([]), "<i>")).text


def events(epochs: int, accuracy: float | None = 0.5) -> list[Event]:
    found: list[Event] = []
    for epoch in range(1, epochs + 1):
        found += [Step(epoch, 2 * epoch - 1, 1.0, 0.1, 4, 100.0), Step(epoch, 2 * epoch, 0.5, 0.1, 4, 100.0)]
        for split in ("train", "test"):
            share = None if accuracy is None else accuracy + epoch / 100
            found.append(Evaluated(epoch, 2 * epoch, split, 1 / epoch, share, 9, 0.1, 1.0, 9.0))
    return found


def test_a_run_is_its_curves() -> None:
    history = history_of([*events(3), Ended(3, 6, "finished", 65.0, 3, 0.3, 0.53)])
    assert (
        summary(history)
        == "finished after 3 epochs, best epoch 3: test accuracy 0.5300, chosen on the test split; 1:05"
    )
    found = shown(run_html(history, "runs/a/001"))
    assert [a["aria-label"] for a in found.all("svg") if "aria-label" in a] == ["loss", "accuracy"]
    assert "runs/a/001" in found.text
    assert "best: epoch 3" in found.text


def test_short_and_odd_runs_are_shown_as_far_as_they_go() -> None:
    assert len(shown(run_html(history_of(events(1)))).all("figure")) == 2
    assert len(shown(run_html(history_of(events(2, None)))).all("figure")) == 1
    assert summary(history_of(events(1, None))) == "not ended after 1 epoch, best epoch 1: test loss 1; 2.0 s"
    assert shown(run_html(history_of([]))).all("figure") == []
    assert summary(history_of([Ended(1, 1, "diverged", 1.0, None)])) == "diverged"
    broken = [Step(1, 1, float("nan"), 0.1, 4, 100.0), Step(1, 2, float("inf"), 0.1, 4, 100.0)]
    assert shown(run_html(history_of(broken))).all("figure") == []


def test_arrays_of_any_type_and_order_are_shown() -> None:
    for kind in ("uint8", "int16", "float64", "float16"):
        array = np.asfortranarray(np.arange(24).reshape(4, 6).astype(kind))
        assert len(pictures(shown(lenet.from_numpy(array)))) == 1
