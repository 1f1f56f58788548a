"""Whole nets of many kinds, each with the shape of one input sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn
from lenetcli.export.graph import FLOAT


class BasicBlock(nn.Module):
    """A residual block, whose shortcut is a convolution where sizes change; as torchvision writes it."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Any) -> Any:
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += shortcut
        return self.relu(y)


class ResNet(nn.Module):
    """ResNet of so many channels: 64 and 1000 classes are ResNet-18."""

    def __init__(self, width: int = 8, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for number, (channels, out, stride) in enumerate(((1, 1, 1), (1, 2, 2), (2, 4, 2), (4, 8, 2)), 1):
            first = BasicBlock(channels * width, out * width, stride)
            setattr(self, f"layer{number}", nn.Sequential(first, BasicBlock(out * width, out * width)))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8 * width, classes)

    def forward(self, x: Any) -> Any:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(lenet.flatten(self.avgpool(x), 1))


class Inception(nn.Module):
    """Branches of several kernel sizes, joined."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 4, 1)
        self.three = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 6, 3, padding=1))
        self.five = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Conv2d(2, 4, 5, padding=2))
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(3, 4, 1))
        self.fc = nn.Linear(18, 5)

    def forward(self, x: Any) -> Any:
        y = lenet.cat([branch(x) for branch in (self.one, self.three, self.five, self.pool)], 1)
        return self.fc(F.relu(y).mean((2, 3)))


class UNet(nn.Module):
    """Down and up again, with what was there before beside it; odd sizes are cut to fit."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.up1 = nn.ConvTranspose2d(8, 4, 2, 2)
        self.mix1, self.out = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(5, 2, 1)

    def forward(self, x: Any) -> Any:
        a = F.relu(self.down1(x))
        b = F.relu(self.down2(F.max_pool2d(a, 2)))
        up = F.pad(self.up1(b), (0, a.shape[3] - 2 * b.shape[3], 0, a.shape[2] - 2 * b.shape[2]))
        y = F.relu(self.mix1(lenet.cat((a, up), dim=1)))
        half = F.interpolate(x, scale_factor=0.5, mode="bilinear")
        return self.out(lenet.cat((y, F.interpolate(half, size=x.shape[2:], mode="nearest")), 1))


class TwoHeads(nn.Module):
    """Two answers by name."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.Tanh())
        self.digit, self.parity = nn.Linear(24, 10), nn.Linear(24, 1)

    def forward(self, x: Any) -> Any:
        y = self.trunk(x)
        return {"digit": self.digit(y).log_softmax(-1), "parity": self.parity(y).sigmoid().squeeze(1)}


class Separable(nn.Module):
    """Depthwise and pointwise convolutions with squeeze and excitation, as in MobileNet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.squeeze, self.excite = nn.Linear(8, 4), nn.Linear(4, 8)
        self.pointwise = nn.Conv2d(8, 12, 1)
        self.fc = nn.Linear(12, 6)

    def forward(self, x: Any) -> Any:
        x = F.hardswish(self.stem(x))
        y = F.relu6(self.bn(self.depthwise(x)))
        gate = F.hardsigmoid(self.excite(F.relu(self.squeeze(y.mean([2, 3])))))
        y = self.pointwise(y * gate[:, :, None, None] + x)
        return self.fc(F.dropout(F.adaptive_avg_pool2d(y, 1).flatten(1), 0.5, self.training))


class Functions(nn.Module):
    """LeNet as torch's tutorial writes it, with buffers and constants: views, slices, masks, changes in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(16 * 5 * 5, 120), nn.Linear(120, 84), nn.Linear(84, 10)
        self.register_buffer("mean", lenet.tensor([0.3]))

    def forward(self, x: Any) -> Any:
        x = (x - self.mean) / 0.5
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(-1, self.num_flat_features(x))
        x = F.relu(self.fc1(x)) ** 0.5
        x = self.fc2(x).clamp(min=-1)
        x[x > 0.5] = 0.5
        x[:, :3] = 0
        x = lenet.where(x.abs() < 1e-3, lenet.zeros_like(x), x)
        scores = self.fc3(x)
        return scores - scores.logsumexp(1, keepdim=True)

    def num_flat_features(self, x: Any) -> int:
        count = 1
        for size in x.size()[1:]:
            count *= size
        return count


class Attention(nn.Module):
    """Self-attention of several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Any) -> Any:
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        scores = (q @ k.transpose(-2, -1)) * (c // self.heads) ** -0.5
        y = scores.softmax(-1) @ v
        return self.out(y.transpose(1, 2).contiguous().view(n, t, c))


class ViT(nn.Module):
    """A transformer over patches of an image, with a class token."""

    def __init__(self, width: int = 16, depth: int = 2) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 4, 4)
        self.token = nn.Parameter(lenet.zeros(1, 1, width))
        self.place = nn.Parameter(lenet.randn(1, 17, width) * 0.02)
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2 * depth + 1)])
        self.attention = nn.ModuleList([Attention(width, 4) for _ in range(depth)])
        self.mlp = nn.ModuleList(
            [nn.Sequential(nn.Linear(width, 32), nn.GELU(), nn.Dropout(), nn.Linear(32, width)) for _ in range(depth)]
        )
        self.head = nn.Linear(width, 10)

    def forward(self, x: Any) -> Any:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = lenet.cat((self.token.expand(x.shape[0], -1, -1), x), dim=1) + self.place
        for i, (attention, mlp) in enumerate(zip(self.attention, self.mlp)):
            x = x + attention(self.norms[2 * i](x))
            x = x + mlp(self.norms[2 * i + 1](x))
        return self.head(self.norms[-1](x)[:, 0])


class AutoEncoder(nn.Module):
    """An image through a few numbers and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 8, 3, 2, 1), nn.Flatten(), nn.Linear(128, 3)
        )
        self.decoder = nn.Sequential(
            nn.Linear(3, 128), nn.Unflatten(1, (8, 4, 4)), nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), nn.ELU(),
            nn.ConvTranspose2d(4, 1, 3, 2, 1, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Any) -> Any:
        code = self.encoder(x)
        return self.decoder(code), code


class Text(nn.Module):
    """Classes of words: embeddings, a convolution over them, the greatest and the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8, padding_idx=0)
        self.conv = nn.Conv1d(8, 12, 3, padding=1)
        self.fc = nn.Linear(24, 4)

    def forward(self, x: Any) -> Any:
        known = (x != 0).float().unsqueeze(1)
        y = F.glu(lenet.cat([self.conv(self.embedding(x).permute(0, 2, 1))] * 2, 1), 1) * known
        best, _ = y.max(dim=2)
        return self.fc(lenet.cat((best, y.sum(2) / known.sum(2).clamp(min=1)), 1))


class Shared(nn.Module):
    """One layer used three times, gated, over the time steps of a sequence that are samples for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.gate, self.out = nn.Linear(6, 6), nn.Linear(6, 6, bias=False), nn.Linear(18, 3)

    def forward(self, x: Any) -> Any:
        n, t, c = x.shape
        y = x.reshape(n * t, c)
        for _ in range(3):
            y = self.step(y).tanh() * self.gate(y).sigmoid() + y
        first, *_, last = y.view(n, t, c).unbind(1)
        pooled = y.view(n, t, c).std(1, unbiased=False)
        return self.out(lenet.cat([first, last, pooled], -1))


def lenet5() -> nn.Module:
    """The chain that this package is named after."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(16 * 6 * 6, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


@dataclass(frozen=True)
class Whole:
    """A net: how it is made, and the shape (and type) of one input sample."""

    make: Callable[[], nn.Module]
    sample: tuple[int, ...]
    kind: Any = FLOAT


NETS = {
    "LeNet": Whole(lenet5, (1, 32, 32)),
    "residual (ResNet)": Whole(ResNet, (3, 64, 48)),
    "Inception": Whole(Inception, (3, 12, 12)),
    "U-Net-like": Whole(UNet, (1, 14, 18)),
    "two heads, by name": Whole(TwoHeads, (1, 8, 8)),
    "depthwise-separable with a gate": Whole(Separable, (3, 16, 16)),
    "own class with functions": Whole(Functions, (1, 32, 32)),
    "transformer over patches": Whole(ViT, (1, 16, 16)),
    "auto-encoder, image and code": Whole(AutoEncoder, (1, 16, 16)),
    "words (whole numbers in)": Whole(Text, (9,), np.dtype(np.int64)),
    "one layer shared by the steps of a sequence": Whole(Shared, (5, 6)),
}
