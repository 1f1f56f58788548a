"""The nets of configs/ as one writes them in torch, with the names that torchvision gives the published ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def nets(torch: Any) -> dict[str, Any]:
    """Makers of the nets, by the configuration's name."""
    nn = torch.nn

    class Basic(nn.Module):  # type: ignore[misc]  # torch has no types here
        def __init__(self, entering: int, channels: int, stride: int = 1) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(entering, channels, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels)
            self.downsample = None
            if stride != 1:
                shortcut = nn.Conv2d(entering, channels, 1, stride, bias=False)
                self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(channels))

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            return torch.relu(y + (x if self.downsample is None else self.downsample(x)))

    class ResNet(nn.Module):  # type: ignore[misc]
        def __init__(
            self, entering: int, widths: list[int], classes: int, large: bool, counts: Sequence[int] = (2, 2, 2, 2)
        ) -> None:
            super().__init__()
            kernel, stride = (7, 2) if large else (3, 1)
            self.conv1 = nn.Conv2d(entering, widths[0], kernel, stride, kernel // 2, bias=False)
            self.bn1 = nn.BatchNorm2d(widths[0])
            self.pool = nn.MaxPool2d(3, 2, 1) if large else nn.Identity()
            self.depth = len(widths)
            before = widths[0]
            for i, width in enumerate(widths):
                others = [Basic(width, width) for _ in range(counts[i] - 1)]
                stage = nn.Sequential(Basic(before, width, 2 if i else 1), *others)
                self.add_module(f"layer{i + 1}", stage)
                before = width
            self.fc = nn.Linear(before, classes)

        def forward(self, x: Any) -> Any:
            x = self.pool(torch.relu(self.bn1(self.conv1(x))))
            for i in range(self.depth):
                x = getattr(self, f"layer{i + 1}")(x)
            return self.fc(x.mean((2, 3)))

    def conv_norm(entering: int, channels: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> Any:
        conv = nn.Conv2d(entering, channels, kernel, stride, kernel // 2, groups=groups, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU6())

    class Inverted(nn.Module):  # type: ignore[misc]
        def __init__(self, entering: int, channels: int, stride: int, expand: int) -> None:
            super().__init__()
            hidden = entering * expand
            first = [conv_norm(entering, hidden)] if expand != 1 else []
            last = [nn.Conv2d(hidden, channels, 1, bias=False), nn.BatchNorm2d(channels)]
            self.conv = nn.Sequential(*first, conv_norm(hidden, hidden, 3, stride, hidden), *last)
            self.shortcut = stride == 1 and entering == channels

        def forward(self, x: Any) -> Any:
            return x + self.conv(x) if self.shortcut else self.conv(x)

    class MobileNetV2(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            features, before = [conv_norm(3, 32, 3, 2)], 32
            rows = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2)]
            for expand, channels, count, stride in [*rows, (6, 320, 1, 1)]:
                for i in range(count):
                    features.append(Inverted(before, channels, stride if i == 0 else 1, expand))
                    before = channels
            self.features = nn.Sequential(*features, conv_norm(before, 1280))
            self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x).mean((2, 3)))

    class UNet(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for name, entering, channels in [
                ("down1", 1, 8), ("down2", 8, 16), ("bottom", 16, 32), ("merge2", 32, 16), ("merge1", 16, 8),
            ]:  # fmt: skip
                double = nn.Module()
                double.conv1 = nn.Conv2d(entering, channels, 3, padding=1)
                double.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
                self.add_module(name, double)
            self.up2, self.up1 = nn.ConvTranspose2d(32, 16, 2, 2), nn.ConvTranspose2d(16, 8, 2, 2)
            self.picture = nn.Conv2d(8, 1, 1)

        def forward(self, x: Any) -> Any:
            def double(name: str, x: Any) -> Any:
                module = getattr(self, name)
                return torch.relu(module.conv2(torch.relu(module.conv1(x))))

            halved = torch.nn.functional.max_pool2d
            one = double("down1", x)
            two = double("down2", halved(one, 2))
            x = double("merge2", torch.cat([two, self.up2(double("bottom", halved(two, 2)))], 1))
            return self.picture(double("merge1", torch.cat([one, self.up1(x)], 1)))

    class TwoHeaded(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.digit = nn.Conv2d(1, 16, 3, padding=1), nn.Linear(256, 10)
            self.up, self.picture = nn.ConvTranspose2d(16, 8, 2, 2), nn.Conv2d(8, 1, 3, padding=1)

        def forward(self, x: Any) -> Any:
            trunk = torch.nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2)
            return self.digit(trunk.flatten(1)), self.picture(torch.relu(self.up(trunk)))

    class LeNet(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 16, 3)
            self.fc1, self.fc2, self.fc3 = nn.Linear(576, 120), nn.Linear(120, 84), nn.Linear(84, 10)

        def forward(self, x: Any) -> Any:
            halved = torch.nn.functional.max_pool2d
            x = halved(torch.relu(self.conv2(halved(torch.relu(self.conv1(x)), 2))), 2).flatten(1)
            return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))

    return {
        "lenet": LeNet,
        "residual": lambda: ResNet(1, [16, 32], 10, large=False),
        "unet": UNet,
        "two-headed": TwoHeaded,
        "resnet18": lambda: ResNet(3, [64, 128, 256, 512], 1000, large=True),
        "resnet34": lambda: ResNet(3, [64, 128, 256, 512], 1000, large=True, counts=(3, 4, 6, 3)),
        "mobilenetv2": MobileNetV2,
    }
