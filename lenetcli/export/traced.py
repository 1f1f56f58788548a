"""Tensors whose values depend on a model's input, while its forward pass is traced."""

from __future__ import annotations

from typing import Any

from lenetcli.autograd.modes import switches
from lenetcli.export.graph import Array, NotExportable
from lenetcli.export.places import Place, function_called
from lenetcli.tensors.tensor import Tensor

FILLED = ("empty_like", "full_like", "ones_like", "zeros_like")  # whose values do not depend on their argument's


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

    def _looked_at(self, what: str) -> NotExportable:
        tracer = switches.tracer
        place = getattr(tracer, "place", Place)()
        return NotExportable(
            f"{place}: cannot be exported: {what} looks at values that depend on the input, so that what runs would "
            "depend on them; say it with ops such as where()"
        )

    def __bool__(self) -> bool:
        raise self._looked_at("a condition (if, while, and, bool())")

    def __int__(self) -> int:
        raise self._looked_at("int()")

    def __index__(self) -> int:
        raise self._looked_at("an index or range()")

    def __float__(self) -> float:
        raise self._looked_at("float()")

    def __contains__(self, value: object) -> bool:
        raise self._looked_at("`in`")

    def item(self) -> Any:
        raise self._looked_at(".item()")

    def tolist(self) -> Any:
        raise self._looked_at(".tolist()")

    def numpy(self) -> Array:
        raise self._looked_at(".numpy()")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        raise self._looked_at("NumPy")


Traced.result_class = Traced
