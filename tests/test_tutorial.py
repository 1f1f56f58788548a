"""The tutorial's story, number by number against torch with the same weights, to 1e-5."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn, optim
from lenetcli.nn import functional
from tests.readme import README, SCRIPT

STEPS = 3


def net_class(package: Any, module: Any, functions: Any) -> Any:
    """The class Net of the README's script, with the names it uses."""
    code, _ = SCRIPT.findall(README.read_text("utf-8"))[0]
    scope = {"lenet": package, "nn": module, "F": functions, "__name__": "tutorial"}
    exec(code[code.index("class Net") : code.index("lenet.manual_seed")], scope)
    return scope["Net"]


def story(package: Any, net: Any, criterion: Any, make: Any, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every number the story makes, by a name that says where."""
    found: dict[str, np.ndarray] = {}

    def keep(name: str, tensor: Any) -> None:
        found[name] = np.array(tensor.detach().numpy(), np.float64)

    def keep_all(step: str) -> None:
        for name, parameter in net.named_parameters():
            keep(f"{step} {name}", parameter)
            if parameter.grad is not None:
                keep(f"{step} {name}.grad", parameter.grad)

    image, seed, target = (package.tensor(given[name]) for name in ("image", "seed", "target"))
    out = net(image)
    keep("out", out)
    out.backward(seed)
    keep_all("after out.backward")
    loss = criterion(net(image), target.view(1, -1))
    loss.backward()
    keep_all("accumulated")
    net.zero_grad()
    assert net.conv1.bias.grad is None
    loss = criterion(net(image), target.view(1, -1))
    loss.backward()
    net.zero_grad(set_to_none=False)
    keep("zeroed", net.conv1.bias.grad)
    criterion(net(image), target.view(1, -1)).backward()
    with package.no_grad():
        for f in net.parameters():
            f.sub_(f.grad * 0.01)
    keep_all("updated by hand")
    optimizer = make(net.parameters())
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = criterion(net(image), target.view(1, -1))
        loss.backward()
        optimizer.step()
        keep(f"loss {step}", loss)
    keep_all("trained")
    return found


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.01}),
        ("SGD", {"lr": 0.01, "momentum": 0.9}),
        ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
        ("Adam", {"lr": 1e-3}),
        ("AdamW", {"lr": 1e-3}),
        ("RMSprop", {"lr": 1e-3}),
        ("Adagrad", {"lr": 1e-2}),
    ],
)
def test_every_number_of_the_story_equals_torchs(torch: Any, name: str, options: dict[str, Any]) -> None:
    lenet.manual_seed(0)
    ours = net_class(lenet, nn, functional)()
    theirs = net_class(torch, torch.nn, torch.nn.functional)()
    theirs.load_state_dict({k: torch.tensor(v.numpy().copy()) for k, v in ours.state_dict().items()})
    random = np.random.default_rng(0)
    sizes = {"image": (1, 1, 32, 32), "seed": (1, 10), "target": (10,)}
    given = {key: random.standard_normal(shape).astype(np.float32) for key, shape in sizes.items()}
    found = story(lenet, ours, nn.MSELoss(), lambda p: getattr(optim, name)(p, **options), given)
    wanted = story(torch, theirs, torch.nn.MSELoss(), lambda p: getattr(torch.optim, name)(p, **options), given)
    assert found.keys() == wanted.keys()
    for key, value in found.items():
        np.testing.assert_allclose(value, wanted[key], rtol=1e-5, atol=1e-5, err_msg=key)


def test_a_single_image_is_told_to_unsqueeze() -> None:
    net = net_class(lenet, nn, functional)()
    with pytest.raises(RuntimeError, match=r"unsqueeze\(0\)"):
        net(lenet.randn(32, 32))
