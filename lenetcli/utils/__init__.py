"""torch.utils: `lenetcli.utils.data`."""

from lenetcli.lazy import offered

__getattr__, __dir__, __all__ = offered(__name__, {}, "data")
