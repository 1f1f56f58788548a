"""Tensors whose values depend on a model's input, while its forward pass is traced."""

from __future__ import annotations

from typing import Any

from lenetcli.autograd.modes import switches
from lenetcli.export.graph import Array, NotExportable
from lenetcli.export.places import function_called
from lenetcli.tensors.tensor import Tensor


class Traced(Tensor):
    """A tensor whose values depend on the input; what would let Python look at them is refused."""

    made_by: str = ""  # the function that gave it

    def _array(self) -> Array:
        found: Array = self.__dict__["array"]
        return found

    def _keep(self, array: Array) -> None:
        self.__dict__["array"] = array
        self.__dict__.setdefault("made_by", function_called())

    array = property(_array, _keep)

    def _check(self, what: str) -> None:
        """Refuses a look at the values while a trace is made."""
        place = getattr(switches.tracer, "place", None)
        if place is not None:
            raise NotExportable(
                f"{place()}: cannot be exported: {what} looks at values that depend on the input, so that what runs "
                "would depend on them; say it with ops such as where()"
            )

    def __bool__(self) -> bool:
        self._check("a condition (if, while, and, bool())")
        return super().__bool__()

    def __int__(self) -> int:
        self._check("int()")
        return super().__int__()

    def __index__(self) -> int:
        self._check("an index or range()")
        return super().__index__()

    def __float__(self) -> float:
        self._check("float()")
        return super().__float__()

    def __contains__(self, value: object) -> bool:
        self._check("`in`")
        return super().__contains__(value)

    def item(self) -> Any:
        self._check(".item()")
        return super().item()

    def tolist(self) -> Any:
        self._check(".tolist()")
        return super().tolist()

    def numpy(self) -> Array:
        self._check(".numpy()")
        return super().numpy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        self._check("NumPy")
        return super().__array__(dtype, copy)


Traced.result_class = Traced
