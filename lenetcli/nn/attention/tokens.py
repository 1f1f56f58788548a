"""Tokens and Positions: what makes sequences of pictures, and tells steps where they are."""

from __future__ import annotations

from typing import Any, ClassVar

from lenetcli.errors import ShapeError
from lenetcli.nn import init
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.ops.shaping.cat import cat
from lenetcli.tensors import creation
from lenetcli.tensors.tensor import Tensor


class Tokens(Module):
    """The places of a picture one after the other: each is a step, with its channels as numbers.

    In a config it follows a convolution whose stride is its kernel's size, which makes patches of a picture.

    Shape:
        (N, C, *) -> (N, L, C), L is the product of the sizes after C

    Raises:
        ShapeError: fewer than three dimensions.

    Source: Dosovitskiy et al., An image is worth 16x16 words, 2021, section 3.1.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Tokens()(lenet.randn(3, 16, 4, 4)).shape
        torch.Size([3, 16, 16])
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim < 3:
            raise ShapeError(f"Tokens wants pictures (N, C, *), got {list(input.array.shape)}")
        return input.flatten(2).transpose(1, 2)


class Positions(Module):
    """Adds to each step a vector of its place, which is learned.

    Formula:
        y[n, l] = x[n, l] + weight[l]

    Args:
        num_positions: steps L, without the class token.
        embedding_dim: numbers of a step, E.
        class_token: a learned step before all others, which a classifier reads with {type: Steps, at: 0}.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the parameters.

    Shape:
        (N, L, E) -> the same, or (N, 1 + L, E) with a class token; weight (L, E) or (1 + L, E), which starts as
        N(0, 0.02), token (1, 1, E), which starts at 0

    Raises:
        ShapeError: other steps.

    Source: Dosovitskiy et al., An image is worth 16x16 words, 2021, equation 1.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Positions(16, 8, class_token=True)(lenet.randn(3, 16, 8)).shape
        torch.Size([3, 17, 8])
    """

    from_input: ClassVar[dict[str, int | slice]] = {"num_positions": 0, "embedding_dim": -1}

    weight: Parameter
    token: Parameter | None

    def __init__(
        self,
        num_positions: int,
        embedding_dim: int,
        class_token: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if num_positions <= 0 or embedding_dim <= 0:
            raise ValueError(f"Positions: sizes must be greater than 0, got {num_positions} and {embedding_dim}")
        self.num_positions, self.embedding_dim = num_positions, embedding_dim
        self.weight = Parameter(creation.empty(num_positions + class_token, embedding_dim, device=device, dtype=dtype))
        room = creation.empty(1, 1, embedding_dim, device=device, dtype=dtype) if class_token else None
        self.register_parameter("token", None if room is None else Parameter(room))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        init.normal_(self.weight, 0.0, 0.02)
        if self.token is not None:
            init.zeros_(self.token)

    def forward(self, input: Tensor) -> Tensor:
        shape = input.array.shape
        if shape[1:] != (self.num_positions, self.embedding_dim):
            raise ShapeError(
                f"Positions wants {self.num_positions} steps of {self.embedding_dim} numbers, got {list(shape)}"
            )
        if self.token is not None:
            input = cat([self.token.expand(shape[0], -1, -1), input], 1)
        return input + self.weight

    def extra_repr(self) -> str:
        return f"{self.num_positions}, {self.embedding_dim}" + (", class_token=True" if self.token is not None else "")
