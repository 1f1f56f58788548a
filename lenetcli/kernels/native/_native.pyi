"""The compiled module (module.cc). All arrays are float32, images (N, C, H, W) with any strides."""

from lenetcli.kernels.layout import Array
from lenetcli.kernels.update import SGD, Adam, Objective
from lenetcli.kernels.window import Pair

def built() -> list[str]: ...
def targets() -> list[str]: ...  # of these, what this processor has; without any there are no other functions
def target() -> str: ...
def set_target(name: str) -> None: ...
def threads() -> int: ...
def set_threads(count: int) -> None: ...
def conv_forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    pad_h: int,
    pad_w: int,
    relu: bool,
    y: Array,
    winner: Array | None,
) -> None: ...
def conv_backward(
    grad: Array,
    x: Array | None,
    weight: Array | None,
    winner: Array | None,
    pad_h: int,
    pad_w: int,
    d_x: Array | None,
    d_weight: Array | None,
    d_bias: Array | None,
) -> bool: ...  # False: left to the reference, because of infinities or NaN
def product(a: Array, b: Array, c: Array) -> None: ...
def linear(x: Array, weight: Array, bias: Array | None, relu: bool, y: Array) -> None: ...
def linear_backward(
    grad: Array,
    x: Array,
    weight: Array,
    y: Array | None,
    d_x: Array | None,
    d_weight: Array | None,
    d_bias: Array | None,
) -> None: ...
def relu(x: Array, y: Array) -> None: ...
def relu_backward(grad: Array, y: Array, d_x: Array) -> None: ...
def row_sums(x: Array, sums: Array) -> None: ...
def log_softmax(x: Array, y: Array) -> None: ...
def log_softmax_backward(grad: Array, y: Array, d_x: Array) -> None: ...
def nll(log_p: Array, target: Array, ignore: int) -> tuple[float, float]: ...
def nll_backward(share: float, target: Array, ignore: int, d: Array) -> None: ...
def sgd(
    params: list[Array], grads: list[Array], objective: Objective, constants: SGD, buffers: list[Array] | None
) -> list[int]: ...  # here and below, the numbers of the parameters left to the reference
def adam(
    params: list[Array],
    grads: list[Array],
    objective: Objective,
    constants: Adam,
    steps: list[float],
    exp_avgs: list[Array],
    exp_avg_sqs: list[Array],
) -> list[int]: ...
def norm_forward(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    given: bool,
    centre: Array,
    offset: Array,
    var: Array,
    y: Array,
) -> None: ...
def norm_backward(
    grad: Array,
    x: Array,
    weight: Array | None,
    eps: float,
    given: bool,
    centre: Array,
    offset: Array,
    var: Array,
    d_x: Array,
    d_weight: Array,
    d_bias: Array,
) -> None: ...
def max_pool(
    x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, y: Array, winner: Array
) -> None: ...  # here and below, images are (C, H, W, N) in one block
def max_pool_backward(
    grad: Array, winner: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, d_x: Array
) -> None: ...
def avg_pool(x: Array, divisor: Array, kernel: Pair, stride: Pair, padding: Pair, y: Array) -> None: ...
def avg_pool_backward(grad: Array, divisor: Array, kernel: Pair, stride: Pair, padding: Pair, d_x: Array) -> None: ...
def grouped_forward(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, y: Array
) -> None: ...
def grouped_input(grad: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair, d_x: Array) -> None: ...
def grouped_weight(grad: Array, x: Array, stride: Pair, padding: Pair, dilation: Pair, d_weight: Array) -> None: ...
