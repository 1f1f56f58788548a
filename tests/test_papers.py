"""The configurations of configs/papers/ are what the papers say, and train."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import lenetcli
from lenetcli import config as configuration
from lenetcli.build.model import build_model
from lenetcli.build.parts import build_criterion
from tests.cli.conftest import Lenet, lenet, place
from tests.conftest import ROOT
from tests.data.test_sources import write_mnist

__all__ = ["lenet", "place"]  # fixtures
pytestmark = pytest.mark.usefixtures("consenting")
PAPERS = sorted((ROOT / "configs" / "papers").glob("*.yaml"))

# trainable parameters of each layer: LeCun et al. 1998, section II.B
LENET5 = {"C1": 156, "S2": 12, "C3": 1516, "S4": 32, "C5": 48_120, "F6": 10_164}


def test_lenet5_has_the_parameters_of_the_paper() -> None:
    model, _ = build_model(configuration.load(str(ROOT / "configs" / "papers" / "lenet5-1998.yaml"), []))
    found = {}
    for name in LENET5:
        layer = model.get_submodule(name)
        found[name] = sum(parameter.numel() for parameter in layer.parameters())
        if getattr(layer, "mask", None) is not None:  # weights that table I leaves out take no part
            found[name] -= int((layer.mask == 0).sum().item()) * layer.conv.weight[0, 0].numel()
    assert found == LENET5


def test_the_codes_of_the_classes_differ_in_many_pixels() -> None:
    model, _ = build_model(configuration.load(str(ROOT / "configs" / "papers" / "lenet5-1998.yaml"), []))
    codes = next(buffer for name, buffer in model.named_buffers() if name.endswith("codes"))
    assert codes.shape == (10, 84)
    assert set(codes.flatten().tolist()) == {-1.0, 1.0}
    distances = ((codes.unsqueeze(1) - codes) ** 2).sum(2)
    assert all(distances[i, j].item() >= 4 * 5 for i in range(10) for j in range(i))


def test_the_loss_is_equation_9() -> None:
    config = configuration.load(str(ROOT / "configs" / "papers" / "lenet5-1998.yaml"), ["loss.j=2"])
    distances, targets = lenetcli.tensor([[1.0, 3.0], [4.0, 0.5]]), lenetcli.tensor([0, 0])
    wanted = [y[0] + math.log(math.exp(-2) + sum(math.exp(-one) for one in y)) for y in distances.tolist()]
    assert build_criterion(config)(-distances, targets).item() == pytest.approx(sum(wanted) / 2)


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_every_configuration_of_a_paper_trains(lenet: Lenet, place: Path, path: Path) -> None:
    write_mnist(place / "digits")
    changes = ("data.root=digits", "train.epochs=1", "train.batch_size=4")
    done = lenet("train", f"configs/papers/{path.name}", *changes, "--out", "run", "--progress", "off")
    assert done.code == 0, done.err
    done = lenet("eval", "run", "--json")
    assert done.code == 0, done.err
