"""Convolution: columns and one matrix product of cuBLAS.

The kernels `columns` and `image` are im2col and col2im, a thread for each element of the result.
"""

from __future__ import annotations

import functools
from typing import Any

from lenetcli.kernels import conv as reference
from lenetcli.kernels import device
from lenetcli.kernels.cuda.linear import finish
from lenetcli.kernels.cuda.program import FLOAT, LARGEST, MANY, blocks, empty, launch, stored
from lenetcli.kernels.layout import Array, logical
from lenetcli.kernels.window import Pair, extent

__all__ = [
    "channel_sums",
    "conv2d",
    "conv2d_backward",
    "conv2d_input_grad",
    "conv2d_weight_grad",
]

ROOM = 4 << 30  # bytes of columns at a time, at most; and no more than a sixteenth of the GPU's memory

COLUMNS = """
// x (C, H, W, N) -> cols (C K L, rows Q N), the rows of the output from `first` on; SOME images at a time
struct alignas(4 * SOME) Images { float of[SOME]; };

extern "C" __global__ void columns(
    const Images* x, Images* cols, Long channels, Long h, Long w, Long n, Long first, Long rows, Long q) {
  unsigned length = (unsigned)(rows * q * n), lanes = (unsigned)n, across = (unsigned)q;
  for (Long line = blockIdx.y; line < channels * K * L; line += gridDim.y) {
    Long c = line / (K * L);
    int k = (int)(line / L % K), l = (int)(line % L);
    const Images* image = x + c * h * w * n;
    Images* to = cols + line * length;
    for (unsigned i = HERE; i < length; i += ALL) {
      unsigned place = i / lanes, lane = i - place * lanes, y = place / across;
      int row = (int)(y + first) * SH + k * DH - PH, column = (int)(place - y * across) * SW + l * DW - PW;
      bool inside = row >= 0 && row < h && column >= 0 && column < w;
      to[i] = inside ? image[(unsigned)(row * (int)w + column) * lanes + lane] : Images{};
    }
  }
}

// cols (C K L, P Q N) -> x (C, H, W, N)
extern "C" __global__ void image(
    const float* cols, float* x, Long channels, Long h, Long w, Long n, Long p, Long q) {
  Long length = p * q * n;
  for (Long c = blockIdx.y; c < channels; c += gridDim.y)
    for (Long i = HERE; i < h * w * n; i += ALL) {
      int at = (int)i, place = at / (int)n, lane = at % (int)n;
      int row = place / (int)w + PH, column = place % (int)w + PW;
      float sum = 0;
      for (int k = 0; k < K; k++) {
        int down = row - k * DH;
        if (down < 0 || down % SH || down / SH >= p) continue;
        for (int l = 0; l < L; l++) {
          int across = column - l * DW;
          if (across < 0 || across % SW || across / SW >= q) continue;
          sum += cols[((c * K + k) * L + l) * length + ((down / SH) * q + across / SW) * n + lane];
        }
      }
      x[c * h * w * n + i] = sum;
    }
}
"""

SUMS = """
// sums (rows, chunks) of x (rows, m)
extern "C" __global__ void rows(const float* x, float* sums, Long m) {
  __shared__ float parts[BLOCK / 32];
  const float* row = x + blockIdx.y * m;
  float sum = 0;
  for (Long i = HERE; i < m; i += ALL) sum += row[i];
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int other = 1; other < BLOCK / 32; other++) sum += parts[other];
    sums[blockIdx.y * gridDim.x + blockIdx.x] = sum;
  }
}

extern "C" __global__ void total(const float* sums, float* y, Long rows, Long chunks) {
  for (Long i = HERE; i < rows; i += ALL) {
    float sum = 0;
    for (Long j = 0; j < chunks; j++) sum += sums[i * chunks + j];
    y[i] = sum;
  }
}
"""


def conv2d(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """As lenetcli.kernels.conv.conv2d."""
    n, _, h, w = x.shape
    o, _, k, kl = weight.shape
    p, q = (extent(s, (k, kl)[d], stride[d], padding[d], dilation[d]) for d, s in enumerate((h, w)))
    if not (_takes(x, p * q) and weight.dtype is FLOAT):
        return reference.conv2d(x, weight, bias, stride, padding, dilation, groups)
    image, filters = stored(x), weight.reshape(groups, o // groups, -1)
    y = empty((groups, o // groups, p * q * n))
    rows = _rows_at_once(weight.size // o * groups, p, q * n)
    for first in range(0, p, rows):
        count = min(rows, p - first)
        cols = _columns(image, (k, kl), stride, padding, dilation, (first, count, q), groups)
        part = slice(first * q * n, (first + count) * q * n)
        for g in range(groups):
            if count == p:
                filters[g].dot(cols[g], out=y[g])
            else:
                y[g, :, part] = filters[g].dot(cols[g])
    if bias is not None:
        finish(y.reshape(o, -1), bias, by_row=True)
    return logical(y.reshape(o, p, q, n))


def channel_sums(x: Array) -> Array:
    """As lenetcli.kernels.conv.channel_sums."""
    if not (x.dtype is FLOAT and x.size and x.shape[1] < 2**16):
        return reference.channel_sums(x)
    rows = stored(x)
    c, m = len(rows), rows.size // len(rows)
    chunks = max(1, min(-(-m // 1024), MANY // c))
    sums, y = empty((c, chunks)), empty((c,))
    launch(SUMS, "rows", (chunks, c), (rows, sums, m))
    launch(SUMS, "total", (blocks(c),), (sums, y, c, chunks))
    return y


def conv2d_weight_grad(
    grad: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """As lenetcli.kernels.conv.conv2d_weight_grad."""
    n, o, p, q = grad.shape
    if not (_takes(x, p * q) and grad.dtype is FLOAT):
        return reference.conv2d_weight_grad(grad, x, kernel, stride, padding, dilation, groups)
    c = x.shape[1]
    image, d_y = stored(x), stored(grad).reshape(groups, o // groups, -1)
    d_weight = empty((groups, o // groups, c // groups * kernel[0] * kernel[1]))
    rows = _rows_at_once(c * kernel[0] * kernel[1], p, q * n)
    for first in range(0, p, rows):
        count = min(rows, p - first)
        cols = _columns(image, kernel, stride, padding, dilation, (first, count, q), groups)
        part = slice(first * q * n, (first + count) * q * n)
        for g in range(groups):
            if count == p:
                d_y[g].dot(cols[g].T, out=d_weight[g])
            elif first == 0:
                d_weight[g] = d_y[g][:, part].dot(cols[g].T)
            else:
                d_weight[g] += d_y[g][:, part].dot(cols[g].T)
    return d_weight.reshape(o, c // groups, *kernel)


def conv2d_input_grad(
    grad: Array, weight: Array, image: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """As lenetcli.kernels.conv.conv2d_input_grad."""
    n, o, p, q = grad.shape
    _, c, k, kl = weight.shape
    columns = c * groups * k * kl * p * q * n
    if (
        not (_takes(grad, p * q) and weight.dtype is FLOAT)
        or columns * 4 > _memory() // 4
        or n * image[0] * image[1] > LARGEST
    ):
        return reference.conv2d_input_grad(grad, weight, image, stride, padding, dilation, groups)
    d_y, filters = stored(grad).reshape(groups, o // groups, -1), weight.reshape(groups, o // groups, -1)
    cols = empty((groups, c * k * kl, p * q * n))
    for g in range(groups):
        filters[g].T.dot(d_y[g], out=cols[g])
    d_x = empty((c * groups, *image, n))
    grid = blocks(image[0] * image[1] * n), min(c * groups, 2**15)
    sizes = geometry((k, kl), stride, padding, dilation)
    launch(COLUMNS, "image", grid, (cols, d_x, c * groups, *image, n, p, q), **sizes, SOME=1)
    return logical(d_x)


def conv2d_backward(
    grad: Array,
    x: Array,
    weight: Array,
    needs: tuple[bool, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> tuple[Array | None, Array | None, Array | None]:
    """As lenetcli.kernels.conv.conv2d_backward."""
    geometry = stride, padding, dilation, groups
    return (
        conv2d_input_grad(grad, weight, (x.shape[2], x.shape[3]), *geometry) if needs[0] else None,
        conv2d_weight_grad(grad, x, (weight.shape[2], weight.shape[3]), *geometry) if needs[1] else None,
        channel_sums(grad) if needs[2] else None,
    )


def _takes(x: Array, places: int) -> bool:
    """Whether the kernels were made for such an image."""
    return x.dtype is FLOAT and x.size > 0 and places > 0 and max(places * len(x), x.size // x.shape[1]) <= LARGEST


def _rows_at_once(lines: int, rows: int, row: int) -> int:
    """Rows of the output whose columns find room."""
    return max(1, min(rows, min(ROOM, _memory() // 16) // max(4 * lines * row, 1)))


@functools.cache
def _memory() -> int:
    """Bytes of the GPU's memory."""
    return int(device.cupy().cuda.runtime.memGetInfo()[1])


def _columns(
    image: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, out: tuple[int, int, int], groups: int
) -> Array:
    """im2col of some rows of the output: out = first row, rows, columns. (C, H, W, N) -> (G, C / G K L, rows Q N)."""
    c, h, w, n = image.shape
    first, rows, q = out
    if kernel == stride == (1, 1) and padding == (0, 0):
        return image[:, first : first + rows].reshape(groups, c // groups, -1)
    lines, some = c * kernel[0] * kernel[1], 4 if n % 4 == 0 else 1
    cols = empty((groups, lines // groups, rows * q * n))
    grid = blocks(rows * q * n // some), min(lines, 2**15)
    sizes = geometry(kernel, stride, padding, dilation)
    launch(COLUMNS, "columns", grid, (image, cols, c, h, w, n // some, first, rows, q), **sizes, SOME=some)
    return cols


@functools.cache
def geometry(kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> dict[str, Any]:
    """The constants of a kernel over windows."""
    pairs = {"SH SW": stride, "PH PW": padding, "DH DW": dilation, "K L": kernel}
    return {name: size for names, pair in pairs.items() for name, size in zip(names.split(), pair)}
