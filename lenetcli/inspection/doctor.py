"""What this installation is made of: versions, kernels, threads, optional libraries."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from dataclasses import dataclass

from lenetcli import __version__
from lenetcli.errors import DeviceError
from lenetcli.inspection.record import Record
from lenetcli.kernels import device, dispatch, native, threads
from lenetcli.kernels.environment import wanted_threads

REQUIRED = ("numpy", "typer", "rich", "pydantic", "PyYAML", "safetensors", "threadpoolctl")


@dataclass(frozen=True)
class Finding(Record):
    """One line of the report.

    Args:
        what: the thing looked at.
        found: how it is.
        ok: False where something could be better.
        hint: what to do then.
    """

    what: str
    found: str
    ok: bool = True
    hint: str = ""


def findings() -> list[Finding]:
    """Everything, in the order of the report."""
    return [
        Finding("lenet", f"{__version__} in {os.path.dirname(os.path.dirname(dispatch.__file__))}"),
        Finding("python", f"{platform.python_version()} on {platform.platform()}"),
        _kernels(),
        _gpu(),
        _threads(),
        *(_library(name) for name in REQUIRED),
        *(_extra(extra, names) for extra, names in extras().items()),
        Finding("output", f"{sys.stdout.encoding}, {'a terminal' if sys.stdout.isatty() else 'no terminal'}"),
    ]


def _kernels() -> Finding:
    """Which twin of each kernel runs, and why."""
    forced = os.environ.get("LENET_KERNELS", "")
    because = f" (LENET_KERNELS={forced})" if forced else ""
    if native.absent is not None:
        hint = f"{native.remedy}; everything runs without, {dispatch.SLOWER} slower"
        return Finding("kernels", f"numpy: {native.absent}{because}", False, hint)
    if dispatch.twin == "numpy":
        return Finding("kernels", f"numpy{because}, though native ones are here")
    return Finding("kernels", f"native, for {native.target()} of {', '.join(native.targets())}{because}")


def _gpu() -> Finding:
    """What `device: cuda` would run on, or why it would not; it is no fault where there is none."""
    try:
        found = device.description()
    except DeviceError as error:
        return Finding("gpu", f"none: {error}")
    cuda, driver = (f"{number // 1000}.{number % 1000 // 10}" for number in (found["cuda"], found["driver"]))
    return Finding("gpu", f"{found['name']}; CuPy {found['cupy']}, CUDA {cuda}, driver for CUDA {driver}")


def _threads() -> Finding:
    """How many threads compute, who said so, and whether NumPy's BLAS was told."""
    count, (name, value) = threads.get_num_threads(), wanted_threads()
    one = "; one for NumPy's kernels" if dispatch.twin == "numpy" else ""
    because = f"{name}={value}" if name else f"LENET_THREADS or --threads sets it{one}"
    blas = ", ".join(f"{pool['internal_api']} {pool['num_threads']}" for pool in threads.blas_pools())
    return Finding("threads", f"{count} of {os.cpu_count()} processors ({because}); BLAS: {blas or 'unknown'}")


def _library(name: str) -> Finding:
    try:
        return Finding(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "missing", False, f"python -m pip install {name}")


def extras() -> dict[str, list[str]]:
    """The optional extras of this package with the libraries each brings."""
    try:
        wanted = importlib.metadata.requires("lenet") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {}
    for line in wanted:
        requirement, _, marker = line.partition(";")
        extra = marker.partition("extra ==")[2].strip(" '\"")
        if extra and extra not in ("test", "dev"):
            name = requirement.strip()
            for sign in "[<>=!~ (":
                name = name.partition(sign)[0]
            found.setdefault(extra, []).append(name)
    return found


def _extra(extra: str, names: list[str]) -> Finding:
    """Whether an extra's libraries are here; it is no fault where they are not."""
    lines = [_library(name) for name in names]
    missing = [line.what for line in lines if not line.ok]
    if missing:
        hint = f"python -m pip install 'lenet[{extra}]'"
        return Finding(f"extra {extra}", f"not installed ({', '.join(missing)})", True, hint)
    return Finding(f"extra {extra}", ", ".join(f"{line.what} {line.found}" for line in lines))
