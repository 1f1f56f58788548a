"""What is said where there is no GPU, no CuPy, or tensors lie on different devices."""

from __future__ import annotations

import builtins
import sys
import types
from typing import Any

import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.errors import DeviceError
from lenetcli.kernels import device
from tests.device import standin


@pytest.fixture(autouse=True)
def _nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> Any:
    loaded = device.library
    device.use(None)
    yield
    device.use(loaded)


def without_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)


def broken(error: Exception) -> Any:
    """A CuPy whose driver complains."""

    def count() -> int:
        raise error

    found: Any = types.ModuleType("cupy")
    found.cuda = types.SimpleNamespace(runtime=types.SimpleNamespace(getDeviceCount=count))
    return found


def test_without_cupy_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    without_cupy(monkeypatch)
    with pytest.raises(DeviceError, match=r"needs CuPy.*pip install 'lenet\[cuda\]'"):
        lenet.zeros(2).to("cuda")
    assert not lenet.cuda.is_available()
    assert lenet.cuda.device_count() == 0


@pytest.mark.parametrize(
    ("complaint", "advice"),
    [
        ("cudaErrorInsufficientDriver: CUDA driver version is insufficient", "older than CuPy's CUDA"),
        ("cudaErrorNoDevice: no CUDA-capable device is detected", "device: cpu"),
    ],
)
def test_a_driver_that_complains_is_quoted(monkeypatch: pytest.MonkeyPatch, complaint: str, advice: str) -> None:
    monkeypatch.setitem(sys.modules, "cupy", broken(RuntimeError(complaint)))
    with pytest.raises(DeviceError, match=complaint.split(":")[0] + ".*" + advice):
        lenet.zeros(2, device="cuda")


def test_no_gpu_is_said() -> None:
    with standin.installed():
        sys.modules["cupy"].cuda.runtime.getDeviceCount = lambda: 0  # type: ignore[attr-defined]  # the stand-in's
        with pytest.raises(DeviceError, match="finds no GPU"):
            nn.Linear(2, 3).cuda()


def test_tensors_of_two_devices_are_refused_by_name() -> None:
    with standin.installed():
        x = lenet.ones(2, 3).cuda()
        with pytest.raises(RuntimeError, match="got cpu and cuda:0: argument b is on cpu"):
            x + lenet.ones(2, 3)
        with pytest.raises(RuntimeError, match="on the same device, got cpu and cuda:0"):
            nn.Linear(3, 4)(x)
        with pytest.raises(RuntimeError, match="on the same device, got cpu and cuda:0"):
            nn.functional.cross_entropy(x, lenet.tensor([0, 1]))
        with pytest.raises(DeviceError, match="one GPU at a time"):
            lenet.ones(2).to("cuda:1")
        with pytest.raises(TypeError, match=r"Use Tensor\.cpu\(\)"):
            x.numpy()


def test_a_tensor_says_where_it_is() -> None:
    assert lenet.ones(1).device == "cpu"
    with standin.installed():
        x = lenet.ones(2, device="cuda")
        assert str(x.device) == "cuda:0"
        assert x.is_cuda
        assert str(x) == "tensor([1., 1.], device='cuda:0')"
        assert str(x.cpu()) == "tensor([1., 1.])"
        y = (x.requires_grad_() * 2).cpu()
        y.sum().backward()
        assert x.grad.is_cuda
        assert x.grad.tolist() == [2, 2]


def test_importing_the_package_does_not_import_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def watch(name: str, *rest: Any) -> Any:
        assert not name.startswith("cupy"), "imported without being asked for"
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", watch)
    assert nn.Linear(2, 3)(lenet.ones(1, 2)).shape == (1, 3)
