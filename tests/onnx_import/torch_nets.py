"""Ten nets as torch users write them, to be exported by torch and imported here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Nets = dict[str, tuple[Any, tuple[int, ...]]]


def nets(torch: Any) -> Nets:
    """Each net, in evaluation mode with settled statistics, and the sizes of one sample."""
    nn, F = torch.nn, torch.nn.functional

    class LeNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 16, 3)
            self.fc1, self.fc2, self.fc3 = nn.Linear(16 * 6 * 6, 120), nn.Linear(120, 84), nn.Linear(84, 10)

        def forward(self, x: Any) -> Any:
            x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
            x = F.max_pool2d(F.relu(self.conv2(x)), 2)
            x = x.view(-1, x.size(1) * x.size(2) * x.size(3))
            return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))

    class BasicBlock(nn.Module):
        def __init__(self, before: int, after: int, stride: int = 1) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(after)
            self.relu = nn.ReLU(inplace=True)
            self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(after)
            self.downsample = None
            if stride != 1 or before != after:
                self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

        def forward(self, x: Any) -> Any:
            shortcut = x if self.downsample is None else self.downsample(x)
            out = self.relu(self.bn1(self.conv1(x)))
            return self.relu(self.bn2(self.conv2(out)) + shortcut)

    class ResNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1, self.relu = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            self.layer1 = nn.Sequential(BasicBlock(8, 8), BasicBlock(8, 8))
            self.layer2 = nn.Sequential(BasicBlock(8, 16, 2), BasicBlock(16, 16))
            self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(16, 5)

        def forward(self, x: Any) -> Any:
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
            x = self.avgpool(self.layer2(self.layer1(x)))
            return self.fc(torch.flatten(x, 1))

    class Inception(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, padding=1)
            self.branch1 = nn.Conv2d(8, 4, 1)
            self.branch2 = nn.Sequential(nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 6, 3, padding=1))
            self.branch3 = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(8, 5, 1))
            self.fc = nn.Linear(15, 4)

        def forward(self, x: Any) -> Any:
            x = F.relu(self.stem(x))
            x = torch.cat([self.branch1(x), self.branch2(x), self.branch3(x)], 1)
            return F.log_softmax(self.fc(x.mean([2, 3])), -1)

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down1, self.down2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
            self.up = nn.ConvTranspose2d(8, 4, 2, 2)
            self.join, self.smooth = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.head = nn.Conv2d(4, 2, 1)

        def forward(self, x: Any) -> Any:
            a = F.silu(self.down1(x))
            b = F.gelu(self.down2(F.max_pool2d(a, 2)))
            c = F.leaky_relu(self.join(torch.cat([self.up(b), a], 1)), 0.1)
            d = F.interpolate(F.avg_pool2d(c, 2), scale_factor=2, mode="bilinear", align_corners=False)
            return torch.sigmoid(self.head(self.smooth(d) + c))

    class Depthwise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU6(),
                nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 12, 1), nn.Hardswish(),
            )  # fmt: skip
            self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(12, 4))

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x).mean((2, 3)))

    class TwoHeads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ELU())
            self.digit, self.parity = nn.Linear(16, 10), nn.Linear(16, 1)

        def forward(self, x: Any) -> Any:
            x = self.trunk(x)
            return self.digit(x), torch.sigmoid(self.parity(x))

    class AutoEncoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(
                nn.Conv2d(1, 4, 3, 2, 1),
                nn.SELU(),
                nn.Conv2d(4, 8, 3, 2, 1),
                nn.Tanh(),
                nn.Flatten(),
                nn.Linear(128, 6),
            )
            self.decoder = nn.Sequential(
                nn.Linear(6, 128), nn.PReLU(), nn.Unflatten(1, (8, 4, 4)),
                nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), nn.Mish(), nn.Upsample(scale_factor=2),
                nn.Conv2d(4, 1, 3, padding=1),
            )  # fmt: skip

        def forward(self, x: Any) -> Any:
            return torch.sigmoid(self.decoder(self.encoder(x)))

    class Squeeze(nn.Module):
        """Squeeze and excitation."""

        def __init__(self, channels: int) -> None:
            super().__init__()
            self.fc1, self.fc2 = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

        def forward(self, x: Any) -> Any:
            scale = F.hardsigmoid(self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))))
            return scale * x

    class InvertedResidual(nn.Module):
        def __init__(self, before: int, after: int) -> None:
            super().__init__()
            hidden = before * 2
            self.use = before == after
            self.conv = nn.Sequential(
                nn.Sequential(nn.Conv2d(before, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()),
                nn.Sequential(
                    nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False),
                    nn.BatchNorm2d(hidden),
                    nn.ReLU6(),
                ),
                Squeeze(hidden),
                nn.Conv2d(hidden, after, 1, bias=False),
                nn.BatchNorm2d(after),
            )

        def forward(self, x: Any) -> Any:
            return x + self.conv(x) if self.use else self.conv(x)

    class MobileNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU6()),
                InvertedResidual(4, 4),
                InvertedResidual(4, 6),
                InvertedResidual(6, 6),
            )
            self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(6, 5))

        def forward(self, x: Any) -> Any:
            x = F.adaptive_avg_pool2d(self.features(x), (1, 1)).reshape(x.shape[0], -1)
            return self.classifier(x)

    torch.manual_seed(0)
    found: Nets = {
        "lenet": (LeNet(), (1, 32, 32)),
        "batchnorm cnn": (
            nn.Sequential(
                nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.1),
                nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
                nn.Linear(16 * 16, 10),
            ),
            (3, 16, 16),
        ),
        "residual": (ResNet(), (3, 32, 32)),
        "inception": (Inception(), (3, 12, 12)),
        "u-net": (UNet(), (1, 16, 16)),
        "depthwise": (Depthwise(), (3, 16, 16)),
        "two heads": (TwoHeads(), (12,)),
        "auto-encoder": (AutoEncoder(), (1, 16, 16)),
        "mlp": (
            nn.Sequential(
                nn.Flatten(), nn.Linear(64, 32), nn.LayerNorm(32), nn.GELU(approximate="tanh"), nn.Linear(32, 3)
            ),
            (1, 8, 8),
        ),
        "mobilenet": (MobileNet(), (3, 16, 16)),
    }  # fmt: skip
    for net, _ in found.values():
        for module in net.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
                module.weight.data.uniform_(0.5, 1.5)
                module.bias.data.normal_(0, 0.3)
        net.eval()
    return found


def export(torch: Any, net: Any, shape: tuple[int, ...], path: Any, dynamo: bool, **words: Any) -> None:
    """Writes an ONNX file by one of torch's two exporters, quietly."""
    import contextlib
    import io
    import logging
    import warnings

    x = torch.zeros(2, *shape)
    if dynamo:
        words.setdefault("dynamic_shapes", ({0: torch.export.Dim("n")},))
        words.setdefault("verbose", False)
    else:
        words.setdefault("dynamic_axes", {"input": {0: "n"}})
    words.setdefault("input_names", ["input"])
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            torch.onnx.export(net, (x,), str(path), dynamo=dynamo, **words)
    finally:
        logging.disable(logging.NOTSET)


Exporter = Callable[..., None]
