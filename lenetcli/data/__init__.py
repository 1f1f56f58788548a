"""Data: sources of images, transforms, and loaders. A config's `data.type` names one of the sources."""

from lenetcli.data.augment import Augmentation
from lenetcli.data.cifar import CIFAR10
from lenetcli.data.csv_file import CSV
from lenetcli.data.dataset import ArrayDataset, Source, Subset, TensorDataset, random_split
from lenetcli.data.digits import Digits
from lenetcli.data.holdout import hold_back
from lenetcli.data.image_folder import ImageFolder
from lenetcli.data.loader import DataLoader
from lenetcli.data.mnist import KMNIST, MNIST, FashionMNIST
from lenetcli.data.npz_file import NPZ
from lenetcli.data.parquet import Parquet
from lenetcli.data.random_source import Random

__all__ = [
    "CIFAR10",
    "CSV",
    "KMNIST",
    "MNIST",
    "NPZ",
    "ArrayDataset",
    "Augmentation",
    "DataLoader",
    "Digits",
    "FashionMNIST",
    "ImageFolder",
    "Parquet",
    "Random",
    "Source",
    "Subset",
    "TensorDataset",
    "hold_back",
    "random_split",
]
