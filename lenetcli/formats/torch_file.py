"""Files of torch.save, `.pt` and `.pth`: which format one has, and what it holds as plain data."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lenetcli.disk import check_regular, opened, unreadable
from lenetcli.errors import DataError, printable
from lenetcli.formats import torch_legacy, torch_zip
from lenetcli.formats.pickle_subset import Refused
from lenetcli.formats.torch_names import Kind, NumpyArray, NumpyType, SavedTensor, Storage

SUFFIXES = (".pt", ".pth")
LARGEST = 1 << 40  # bytes
_LONGEST = 400  # characters of a reason, which may quote the file
_NAMES = {Storage: "storage", NumpyType: "type of NumPy's"}
_PLAIN = (tuple, set, frozenset, str, bytes, bytearray, int, float, complex, type(None))


def read(path: str | os.PathLike[str], tensor: Callable[[SavedTensor], Any]) -> Any:
    """What a file holds: dictionaries, lists, tuples, numbers, text, None and tensors.

    Sizes are tuples, devices, types and paths texts such as "cuda:0" and "torch.float32"; ordered, counting and
    default dictionaries and the arguments of scripts (`argparse.Namespace`) are `dict`.
    Half floats are widened to float32. Arrays of tensors that share a storage share memory.

    Args:
        path: of the file; its name does not matter.
        tensor: called with each tensor, gives what stands for it in the result.

    Raises:
        DataError: no such file, no file of torch's, a damaged or hostile one, or one that only code could read.

    Example:
        >>> import tempfile, numpy as np
        >>> path = Path(tempfile.mkdtemp()) / "w.pt"
        >>> _ = path.write_bytes(torch_zip.write({"bias": np.ones(2), "epoch": 3}))
        >>> read(path, lambda saved: saved.array.tolist())
        {'bias': [1.0, 1.0], 'epoch': 3}
    """
    path = Path(os.fspath(path))
    size = check_regular(path, LARGEST)
    try:
        with opened(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of escapes in text that is refused anyway
            start = file.read(262)
            if start.startswith(b"PK"):
                value = torch_zip.read(file, size)
            elif start.startswith(b"\x80"):
                value = torch_legacy.read(file, size)
            elif start[257:] == b"ustar":
                raise Refused("it has the tar format of torch before 0.2; torch.save it anew")
            else:
                raise Refused("it is no file of torch.save: it begins neither as a zip nor as a pickle")
            return _converted(value, tensor, {})
    except Refused as refused:
        reason = printable(" ".join(str(refused).split()))
        raise DataError(f"{path}: cannot be read: {reason[:_LONGEST]}") from None
    except OSError as error:
        raise unreadable(path, error) from None
    except MemoryError:
        raise DataError(f"{path}: cannot be read: there is not enough memory for its tensors") from None


def _converted(value: Any, tensor: Callable[[SavedTensor], Any], known: dict[int, tuple[Any, Any]]) -> Any:
    """The value, which is not deep, with its tensors replaced; what is there twice is converted once."""
    if id(value) in known:
        return known[id(value)][1]
    found = value
    if isinstance(value, SavedTensor):
        found = tensor(value)
    elif isinstance(value, NumpyArray):
        found = tensor(value.saved)
    elif isinstance(value, dict):
        found = {key: _converted(item, tensor, known) for key, item in value.items()}
    elif isinstance(value, list):
        found = [_converted(item, tensor, known) for item in value]
    elif isinstance(value, Kind):
        found = f"torch.{value.name}"
    elif isinstance(value, Storage) or not isinstance(value, _PLAIN):
        raise Refused(f"it holds a {_NAMES.get(type(value), type(value).__name__)} outside of a tensor")
    elif isinstance(value, tuple):
        found = tuple([_converted(item, tensor, known) for item in value])
    if found is not value:
        known[id(value)] = value, found  # the value is kept, so that its id stays its own
    return found
