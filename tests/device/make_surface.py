"""Writes surface.json: which functions, ufuncs, methods and arguments CuPy has (run where CuPy is installed; no GPU).

python -m tests.device.make_surface
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

PLACE = Path(__file__).with_name("surface.json")


def arguments(function: Any) -> list[str] | None:
    """Names of a function's arguments, read off its signature or, for compiled ones, the first line of its text."""
    try:
        return [p.name for p in inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        line = re.match(r"[\w.]+\((.*?)\)", (function.__doc__ or "").strip())
        if line is None:
            return None
        return [re.split(r"[=:]", part)[0].split()[-1].strip("*") for part in line.group(1).split(",") if part.strip()]


def main() -> None:
    """Looks at every public name that NumPy and CuPy share."""
    import cupy

    functions, ufuncs = {}, []
    for prefix, ours, theirs in (("", np, cupy), ("linalg.", np.linalg, cupy.linalg)):
        for name in dir(ours):
            function = getattr(ours, name)
            if name.startswith("_") or not callable(function) or not hasattr(theirs, name):
                continue
            if isinstance(function, np.ufunc):
                ufuncs.append(name)
            elif not isinstance(function, type) and getattr(theirs, name) is not function:
                functions[prefix + name] = arguments(getattr(theirs, name))
    methods = {
        name: arguments(getattr(cupy.ndarray, name))
        for name in dir(cupy.ndarray)
        if not name.startswith("_") and callable(getattr(cupy.ndarray, name)) and hasattr(np.ndarray, name)
    }
    found = {"cupy": cupy.__version__, "ufuncs": sorted(ufuncs), "functions": functions, "methods": methods}
    PLACE.write_text(json.dumps(found, indent=0, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
