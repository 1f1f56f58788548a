"""The layers of LeNet-5 that are no longer in use, as Y. LeCun et al. describe them in 1998.

Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, Proceedings
of the IEEE 86(11), 1998: section II.B and, for the squashing function and the initial weights, appendix A.
"""

from typing import ClassVar

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn

# table I: which maps of S2 each map of C3 sees
SEEN = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5), (0, 1, 2, 3), (1, 2, 3, 4),
    (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5), (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip

# the code of each class: its digit, 7 x 12 pixels (figure 3 shows the like); # is 1, . is -1
BITMAPS = """
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
..###.. ...#... .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
.#...#. ..##... ##...## ##...## ...###. ##..... .##.... ##...## ##...## ##...##
##...## .###... .....## .....## ..#.##. ##..... ##..... .....## ##...## ##...##
##...## ...#... .....## .....## .#..##. ##..... ##..... ....##. ##...## ##...##
##...## ...#... ....##. ..####. ##..##. ######. ######. ....##. .#####. .######
##...## ...#... ...##.. .....## ##..##. .....## ##...## ...##.. ##...## .....##
##...## ...#... ..##... .....## ####### .....## ##...## ...##.. ##...## .....##
##...## ...#... .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
.#...#. ...#... ##..... ##...## ....##. ##...## ##...## ..##... ##...## ....##.
..###.. .#####. ####### .#####. ....##. .#####. .#####. ..##... .#####. .####..
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
"""


def initialised(module: nn.Module, inputs: int) -> None:
    """Weights from U(-2.4 / inputs, 2.4 / inputs), where `inputs` is how many numbers a unit sees."""
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -2.4 / inputs, 2.4 / inputs)


class Squash(nn.Module):
    """1.7159 tanh(2/3 x), which keeps 1 and -1 where they are."""

    def forward(self, x: lenet.Tensor) -> lenet.Tensor:
        return 1.7159 * lenet.tanh(x * (2 / 3))


class Convolution(nn.Module):
    """A convolution; with `table_one`, each output sees only the inputs that table I of the paper gives it."""

    from_input: ClassVar = {"in_channels": 0}
    mask: lenet.Tensor | None

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 5, table_one: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size)
        initialised(self, in_channels * kernel_size**2)
        seen = SEEN if table_one else [range(in_channels)] * out_channels
        mask = [[[[float(i in inputs)]] for i in range(in_channels)] for inputs in seen]
        self.register_buffer("mask", lenet.tensor(mask) if table_one else None)

    def forward(self, x: lenet.Tensor) -> lenet.Tensor:
        weight = self.conv.weight
        return F.conv2d(x, weight if self.mask is None else weight * self.mask, self.conv.bias)


class Subsampling(nn.Module):
    """The sum of each 2 x 2 inputs, times a coefficient and plus a bias of the map's own."""

    from_input: ClassVar = {"channels": 0}

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(lenet.zeros(channels, 1, 1))
        self.bias = nn.Parameter(lenet.zeros(channels, 1, 1))
        initialised(self, 4)

    def forward(self, x: lenet.Tensor) -> lenet.Tensor:
        return F.avg_pool2d(x, 2) * (4 * self.coefficient) + self.bias


class Distances(nn.Module):
    """Minus the squared Euclidean distance from the code of each class: what the paper's output units compute, negated,
    so that the greatest output is the nearest class."""

    codes: lenet.Tensor

    def __init__(self) -> None:
        super().__init__()
        lines = [line.split(" ") for line in BITMAPS.strip().split("\n")]
        codes = [[1.0 if c == "#" else -1.0 for line in lines for c in line[digit]] for digit in range(10)]
        self.register_buffer("codes", lenet.tensor(codes))  # (10, 84)

    def forward(self, x: lenet.Tensor) -> lenet.Tensor:
        return -((x.unsqueeze(1) - self.codes) ** 2).sum(2)


class MaximumAPosteriori(nn.Module):
    """Equation 9: y_d + log(exp(-j) + sum over i of exp(-y_i)), mean over the samples, where y_i are the distances and
    d is the right class. exp(-j) stands for all that is no digit: it keeps even the smallest distance from growing.

    It is the cross-entropy of the outputs with one more, -j, beside them. The paper gives no j.
    """

    def __init__(self, j: float = 5.0) -> None:
        super().__init__()
        self.j = j

    def forward(self, x: lenet.Tensor, target: lenet.Tensor) -> lenet.Tensor:
        rubbish = lenet.full((len(x), 1), -self.j, device=x.device)
        return F.cross_entropy(lenet.cat([x, rubbish], 1), target)
