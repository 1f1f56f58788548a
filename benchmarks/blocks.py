"""Nets of the blocks that later architectures are made of, for small images: of either package's nn."""

from __future__ import annotations

from typing import Any


def inverted_residuals(nn: Any) -> Any:
    """Of MobileNetV2: wide in the middle, where a depthwise convolution is; ReLU6."""

    class Block(nn.Module):  # type: ignore[misc]  # of either package
        def __init__(self, before: int, after: int, stride: int, times: int) -> None:
            super().__init__()
            wide = before * times
            layers: list[Any] = []
            if times > 1:
                layers += [nn.Conv2d(before, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6()]
            layers += [nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6()]
            layers += [nn.Conv2d(wide, after, 1, bias=False), nn.BatchNorm2d(after)]
            self.body, self.adds = nn.Sequential(*layers), stride == 1 and before == after

        def forward(self, x: Any) -> Any:
            return x + self.body(x) if self.adds else self.body(x)

    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU6(),
        Block(16, 16, 1, 1), Block(16, 24, 2, 6), Block(24, 24, 1, 6), Block(24, 32, 2, 6), Block(32, 32, 1, 6),
        nn.Conv2d(32, 128, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU6(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip


def pixels_as_tokens(nn: Any) -> Any:
    """Of ConvNeXt: depthwise 7x7, then LayerNorm, Linear and GELU over the channels of each pixel."""

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
            self.norm, self.act = nn.LayerNorm(channels), nn.GELU()
            self.up, self.down = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)

        def forward(self, x: Any) -> Any:
            y = self.depthwise(x).permute(0, 2, 3, 1)
            return x + self.down(self.act(self.up(self.norm(y)))).permute(0, 3, 1, 2)

    class Norm(nn.Module):  # type: ignore[misc]
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(channels)

        def forward(self, x: Any) -> Any:
            return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    return nn.Sequential(
        nn.Conv2d(3, 32, 4, 4), Norm(32), Block(32), Block(32), Norm(32), nn.Conv2d(32, 64, 2, 2), Block(64), Block(64),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


def grouped_residuals(nn: Any) -> Any:
    """Of ResNeXt: 1x1, 3x3 of eight groups, 1x1, around which the input goes."""
    relu = nn.functional.relu

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.norm1 = nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after)
            self.conv2 = nn.Conv2d(after, after, 3, stride, 1, groups=8, bias=False)
            self.norm2, self.norm3 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
            self.conv3, self.short = nn.Conv2d(after, after, 1, bias=False), nn.Sequential()
            if before != after:
                self.short = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

        def forward(self, x: Any) -> Any:
            y = relu(self.norm2(self.conv2(relu(self.norm1(self.conv1(x))))))
            return relu(self.norm3(self.conv3(y)) + self.short(x))

    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        Block(32, 64, 1), Block(64, 64, 1), Block(64, 128, 2), Block(128, 128, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip
