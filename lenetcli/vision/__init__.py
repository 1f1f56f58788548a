"""torchvision's names: `datasets`, `transforms` (`transforms.v2`, too) and `utils`, as far as the data sets here go."""

from lenetcli.lazy import offered

__getattr__, __dir__, __all__ = offered(__name__, {}, "datasets transforms utils")
