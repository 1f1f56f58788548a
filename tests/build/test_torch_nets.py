"""Nets from configs/ beside the same nets in torch: names, outputs, and the losses of a training's first steps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli.build.model import build_model
from lenetcli.build.parts import build_run
from lenetcli.runs.open import load_run
from lenetcli.train.events import Step
from lenetcli.train.loop import fit
from tests.build.torch_nets import nets
from tests.conftest import ROOT

CONFIGS = ROOT / "configs"
CHANGES = {"unet": ["model.layers.0.p=0"]}  # what is drawn at random differs
STEPS = 20

Loss = Callable[[Any, Any, Any], Any]  # of a torch net's output, the labels and the inputs


def losses_of(torch: Any) -> dict[str, Loss]:
    cross, squares = torch.nn.functional.cross_entropy, torch.nn.functional.mse_loss
    return {
        "lenet": lambda y, labels, x: cross(y, labels),
        "residual": lambda y, labels, x: cross(y, labels),
        "unet": lambda y, labels, x: squares(y, x),
        "two-headed": lambda y, labels, x: cross(y[0], labels) + 0.5 * squares(y[1], x),
    }


def optimizer_of(torch: Any, config: Any, net: Any) -> Any:
    return getattr(torch.optim, config.optimizer.type)(net.parameters(), **config.optimizer.args)


@pytest.mark.parametrize("name", ["lenet", "residual", "unet", "two-headed"])
def test_a_training_from_yaml_has_the_losses_of_the_same_net_in_torch(torch: Any, name: str) -> None:
    config = configuration.load(CONFIGS / f"{name}.yaml", CHANGES.get(name, []))
    run = build_run(config)
    net, loss_of = nets(torch)[name](), losses_of(torch)[name]
    net.load_state_dict({k: torch.from_numpy(v.detach().numpy().copy()) for k, v in run.model.state_dict().items()})
    optimizer, expected = optimizer_of(torch, config, net), []
    for inputs, targets in islice(run.train_loader.batches(0), STEPS):
        x, labels = torch.from_numpy(inputs.numpy().copy()), torch.from_numpy(targets.numpy().copy())
        optimizer.zero_grad()
        loss = loss_of(net(x), labels, x)
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    steps = (event for event in fit(run) if isinstance(event, Step))
    found = [event.loss for event in islice(steps, STEPS)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "mobilenetv2"])
def test_published_nets_have_torchvisions_names(name: str) -> None:
    from tests.build.published import NAMES

    model, _ = build_model(configuration.load(CONFIGS / f"{name}.yaml"))
    found = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    assert len(found) == NAMES[name].count
    assert NAMES[name].some.items() <= found.items()


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "mobilenetv2"])
def test_a_file_that_torch_wrote_is_imported_and_gives_torchs_outputs(
    torch: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from lenetcli.cli.app import app

    torch.manual_seed(0)
    net = nets(torch)[name]()
    for module in net.modules():  # as after a training: no statistics of 0 and 1
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    net.eval()
    torch.save(net.state_dict(), tmp_path / f"{name}.pth")
    monkeypatch.chdir(tmp_path)
    words = ["import", f"{name}.pth", "--config", str(CONFIGS / f"{name}.yaml"), "--out", "run"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    model = load_run(Path("run")).model
    x = torch.rand(1, 3, 224, 224)
    with torch.no_grad(), lenet.no_grad():
        expected, found = net(x).numpy(), model(lenet.from_numpy(x.numpy())).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["residual", "inception", "unet", "separable", "two-headed"])
def test_a_small_net_of_branches_learns(name: str) -> None:
    run = build_run(configuration.load(CONFIGS / f"{name}.yaml", ["train.epochs=1"]))
    steps = [event.loss for event in fit(run) if isinstance(event, Step)]
    assert np.isfinite(steps).all()
    assert np.mean(steps[-5:]) < 0.98 * np.mean(steps[:5])
