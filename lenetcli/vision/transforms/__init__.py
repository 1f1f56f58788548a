"""torchvision.transforms: what is done to a picture before a net sees it. Random ones draw from the default generator.

The order of the draws is torchvision's: after the same seed of `TorchGenerator` numbers, the same pictures.

| transform | draws, in this order |
|---|---|
| RandomCrop | where there is room: `randint` of the row, `randint` of the column (v2: of a side with room) |
| RandomHorizontalFlip, RandomVerticalFlip, RandomGrayscale | one `rand(1)` |
| RandomRotation | one `empty(1).uniform_` |
| RandomResizedCrop | up to ten times `uniform_` of area and of log aspect, until it fits; then `randint` twice |
| ColorJitter | `randperm(4)`; then `uniform_` of brightness, contrast, saturation, hue, each where it is not None |
| RandomErasing | `rand(1)`; then as RandomResizedCrop, with its normal numbers before the place |
| RandomApply | one `rand(1)` |
| RandomChoice, RandomOrder | Python's `random` (v2: `rand`, `randperm`) |
"""

from typing import TYPE_CHECKING

from lenetcli.lazy import offered

if TYPE_CHECKING:
    from lenetcli.vision.transforms.color import *
    from lenetcli.vision.transforms.compose import *
    from lenetcli.vision.transforms.convert import *
    from lenetcli.vision.transforms.crop import *
    from lenetcli.vision.transforms.flip import *
    from lenetcli.vision.transforms.image import *
    from lenetcli.vision.transforms.resize import *

_MODULES = {
    "lenetcli.vision.transforms.image": "InterpolationMode",
    "lenetcli.vision.transforms.compose": "Compose Lambda RandomApply RandomChoice RandomOrder",
    "lenetcli.vision.transforms.convert": "ConvertImageDtype Normalize PILToTensor ToPILImage ToTensor",
    "lenetcli.vision.transforms.crop": "CenterCrop FiveCrop Pad RandomCrop",
    "lenetcli.vision.transforms.resize": "RandomResizedCrop Resize",
    "lenetcli.vision.transforms.flip": "RandomHorizontalFlip RandomRotation RandomVerticalFlip",
    "lenetcli.vision.transforms.color": "ColorJitter Grayscale RandomErasing RandomGrayscale",
}  # fmt: skip
if not TYPE_CHECKING:
    __getattr__, __dir__, __all__ = offered(__name__, _MODULES, "functional v2")
