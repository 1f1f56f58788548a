"""What torchvision's weights of published nets hold: the number of entries, and some of them with their shapes."""

from __future__ import annotations

from typing import NamedTuple


class Entries(NamedTuple):
    """Of a state dict."""

    count: int
    some: dict[str, tuple[int, ...]]


NAMES = {
    "resnet18": Entries(
        122,
        {
            "conv1.weight": (64, 3, 7, 7),
            "bn1.num_batches_tracked": (),
            "layer1.0.conv1.weight": (64, 64, 3, 3),
            "layer1.1.bn2.running_var": (64,),
            "layer2.0.conv1.weight": (128, 64, 3, 3),
            "layer2.0.downsample.0.weight": (128, 64, 1, 1),
            "layer2.0.downsample.1.running_mean": (128,),
            "layer4.1.bn2.bias": (512,),
            "fc.weight": (1000, 512),
            "fc.bias": (1000,),
        },
    ),
    "resnet34": Entries(
        218,
        {
            "layer1.2.bn2.bias": (64,),
            "layer2.0.downsample.1.weight": (128,),
            "layer3.5.conv2.weight": (256, 256, 3, 3),
            "layer4.2.bn1.running_mean": (512,),
            "fc.weight": (1000, 512),
        },
    ),
    "mobilenetv2": Entries(
        314,
        {
            "features.0.0.weight": (32, 3, 3, 3),
            "features.0.1.running_var": (32,),
            "features.1.conv.0.0.weight": (32, 1, 3, 3),
            "features.1.conv.1.weight": (16, 32, 1, 1),
            "features.1.conv.2.num_batches_tracked": (),
            "features.2.conv.0.0.weight": (96, 16, 1, 1),
            "features.2.conv.1.0.weight": (96, 1, 3, 3),
            "features.2.conv.3.bias": (24,),
            "features.17.conv.2.weight": (320, 960, 1, 1),
            "features.18.0.weight": (1280, 320, 1, 1),
            "classifier.1.weight": (1000, 1280),
        },
    ),
}
