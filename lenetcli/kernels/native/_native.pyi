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
def crc32(data: Array, start: int) -> int: ...  # missing where the processor has no carry-less multiplication
def conv_forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    pad_h: int,
    pad_w: int,
    relu: bool,
    y: Array,
    winner: Array | None,
    chosen: bool = False,  # the winners are given, and y is what the convolution has at them
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
def winograd(
    x: Array,
    weight: Array,
    bias: Array | None,
    padding: Pair,
    dilation: Pair,
    relu: bool,
    turned: bool,
    y: Array,
    winner: Array | None,
    groups: int,
) -> bool: ...  # here and below, False: left to pixel_forward, pixel_gradient or pixel_input
def winograd_gradient(grad: Array, x: Array, padding: Pair, dilation: Pair, d_weight: Array, groups: int) -> bool: ...
def pixel_forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    relu: bool,
    turned: bool,
    y: Array,
) -> None: ...
def pixel_gradient(
    grad: Array, x: Array, stride: Pair, padding: Pair, dilation: Pair, turned: bool, d_weight: Array
) -> None: ...
def pixel_input(
    grad: Array,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    relu: bool,
    turned: bool,
    d_x: Array,
) -> None: ...
def pixel_pool(x: Array, y: Array, winner: Array) -> None: ...
def pixel_pool_backward(grad: Array, winner: Array, d_x: Array) -> None: ...
def pixel_sums(x: Array, sums: Array) -> None: ...
def product(a: Array, b: Array, c: Array) -> None: ...
def linear(x: Array, weight: Array, bias: Array | None, relu: bool, y: Array) -> None: ...
def linear_backward(
    grad: Array,
    x: Array,
    weight: Array | None,
    y: Array | None,
    d_x: Array | None,
    d_weight: Array | None,
    d_bias: Array | None,
) -> None: ...
def gru_walk(
    gates: Array, hidden: Array, weight: Array, h: Array, before: Array, y: Array, starts: list[int], sizes: list[int]
) -> None: ...
def gru_walk_backward(
    d_y: Array,
    gates: Array,
    hidden: Array,
    before: Array,
    weight: Array,
    d_h: Array,
    d_gates: Array,
    d_hidden: Array,
    starts: list[int],
    sizes: list[int],
) -> None: ...
def lstm_walk(
    gates: Array,
    weight: Array,
    down: Array | None,
    h: Array,
    c: Array,
    before: Array,
    cell_before: Array,
    cell: Array,
    out: Array,
    y: Array,
    starts: list[int],
    sizes: list[int],
) -> None: ...
def lstm_walk_backward(
    d_y: Array,
    gates: Array,
    cell_before: Array,
    cell: Array,
    weight: Array,
    down: Array | None,
    d_h: Array,
    d_c: Array,
    d_gates: Array,
    starts: list[int],
    sizes: list[int],
) -> None: ...
def attention(q: Array, k: Array, v: Array, mask: Array | None, scale: float, weights: Array, y: Array) -> None: ...
def attention_backward(
    grad: Array, q: Array, k: Array, v: Array, weights: Array, scale: float, d_q: Array, d_k: Array, d_v: Array
) -> None: ...
def all_finite(arrays: list[Array]) -> bool | None: ...  # None: left to the reference
def is_finite(x: Array) -> bool: ...
def relu(x: Array, y: Array) -> None: ...
def relu_backward(grad: Array, y: Array, d_x: Array) -> None: ...
def times(x: Array, y: Array, z: Array) -> None: ...
def plus(x: Array, y: Array, z: Array) -> None: ...
def row_sums(x: Array, sums: Array) -> None: ...
def log_softmax(x: Array, y: Array) -> None: ...
def log_softmax_backward(grad: Array, y: Array, d_x: Array) -> None: ...
def nll(log_p: Array, target: Array, ignore: int, mean_and_count: Array) -> None: ...
def nll_backward(grad: Array, count: Array, target: Array, ignore: int, d: Array) -> None: ...
def cross_entropy(x: Array, target: Array, ignore: int, log_p: Array, mean_count_right: Array) -> None: ...
def cross_entropy_backward(grad: Array, count: Array, target: Array, ignore: int, log_p: Array, d_x: Array) -> None: ...
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
def rule(
    name: str,
    params: list[Array],
    grads: list[Array],
    objective: Objective,
    numbers: list[tuple[float, ...]],
    state: list[list[Array]],
) -> list[int]: ...
def curve(name: str, constants: tuple[float, ...], x: Array, grad: Array | None, y: Array) -> None: ...  # vectors
def softmax(x: Array, grad: Array | None, log: bool, y: Array) -> None: ...  # (outer, classes, inner)
def norm_forward(
    x: Array,
    scheme: tuple[int, bool, int, int],
    weight: Array | None,
    bias: Array | None,
    eps: float,
    centred: bool,
    relu: bool,
    centre: Array,
    offset: Array,
    var: Array,
    y: Array,
) -> bool: ...  # x is (slabs, rows, lanes), see bind_norm.cc; False: a variance is not finite
def norm_moments(
    x: Array, scheme: tuple[int, bool, int, int], centred: bool, centre: Array, offset: Array, var: Array
) -> bool: ...
def norm_apply(
    x: Array,
    scheme: tuple[int, bool, int, int],
    weight: Array | None,
    bias: Array | None,
    eps: float,
    relu: bool,
    centre: Array,
    offset: Array,
    var: Array,
    y: Array,
) -> None: ...
def track(
    mean: Array, var: Array, centre: Array, offset: Array, batch_var: Array, momentum: float, count: int
) -> None: ...
def norm_given(
    x: Array,
    scheme: tuple[int, bool, int, int],
    weight: Array | None,
    bias: Array | None,
    eps: float,
    relu: bool,
    mean: Array,
    var: Array,
    y: Array,
) -> None: ...
def norm_backward(
    grad: Array,
    x: Array,
    scheme: tuple[int, bool, int, int],
    weight: Array | None,
    bias: Array | None,
    eps: float,
    given: bool,
    centred: bool,
    relu: bool,
    centre: Array,
    offset: Array,
    var: Array,
    d_x: Array | None,
    d_weight: Array | None,
    d_bias: Array | None,
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
def image_sums(columns: Array, stride: Pair, padding: Pair, dilation: Pair, image: Array) -> None: ...
def lanes_forward(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, y: Array
) -> None: ...  # here and below, images are (N, H, W, C) in one block
def lanes_input(grad: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair, d_x: Array) -> None: ...
def lanes_weight(grad: Array, x: Array, stride: Pair, padding: Pair, dilation: Pair, d_weight: Array) -> None: ...
def resample(x: Array, starts: Array, index: Array, weight: Array, divisor: Array | None, y: Array) -> None: ...
def copy(from_: Array, to: Array) -> None: ...  # four dimensions, into row order
def recording() -> bool: ...  # whether the calls of this thread are

class Recording:
    """See recording.h."""

    def begin(self) -> None: ...
    def end(self) -> None: ...
    def names(self) -> list[str]: ...
    def places(self) -> list[tuple[int, int, int, bool]]: ...
    def arrange(self, numbers: list[int]) -> None: ...
    def tie(self, members: list[list[int]]) -> None: ...
    def put(self, block: int, address: int) -> bool: ...
    def play(self, first: int, last: int, blocks: list[int], arrays: list[Array]) -> bool: ...
