"""Data: sources of images, transforms, and loaders. A config's `data.type` names one of the sources."""

from typing import TYPE_CHECKING

from lenetcli.lazy import offered

if TYPE_CHECKING:
    from lenetcli.data.augment import *
    from lenetcli.data.cifar import *
    from lenetcli.data.csv_file import *
    from lenetcli.data.dataset import *
    from lenetcli.data.digits import *
    from lenetcli.data.emnist import *
    from lenetcli.data.holdout import *
    from lenetcli.data.image_folder import *
    from lenetcli.data.kuzushiji import *
    from lenetcli.data.loader import *
    from lenetcli.data.mnist import *
    from lenetcli.data.npz_file import *
    from lenetcli.data.parquet import *
    from lenetcli.data.picture_csv import *
    from lenetcli.data.random_source import *
    from lenetcli.data.splits import *
    from lenetcli.data.stl10 import *
    from lenetcli.data.transforms import *

_MODULES = {
    "lenetcli.data.augment": "Augmentation",
    "lenetcli.data.cifar": "CIFAR10",
    "lenetcli.data.csv_file": "CSV",
    "lenetcli.data.dataset": "ArrayDataset Source Subset TensorDataset random_split",
    "lenetcli.data.digits": "Digits",
    "lenetcli.data.emnist": "EMNIST QMNIST",
    "lenetcli.data.holdout": "hold_back",
    "lenetcli.data.image_folder": "ImageFolder",
    "lenetcli.data.kuzushiji": "KMNIST49",
    "lenetcli.data.loader": "DataLoader",
    "lenetcli.data.mnist": "KMNIST MNIST FashionMNIST",
    "lenetcli.data.npz_file": "NPZ",
    "lenetcli.data.parquet": "Parquet",
    "lenetcli.data.picture_csv": "PictureCSV",
    "lenetcli.data.random_source": "Random",
    "lenetcli.data.splits": "Splits",
    "lenetcli.data.stl10": "STL10",
    "lenetcli.data.transforms": "Resize",
}  # fmt: skip
if not TYPE_CHECKING:
    __getattr__, __dir__, __all__ = offered(__name__, _MODULES)
