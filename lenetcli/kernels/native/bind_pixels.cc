// Channels-last convolutions: checks, units of work, threads. The kernels are in winograd.h and pixels.h.
#include <atomic>
#include <cmath>

#include "recording.h"

namespace {

using Two = std::vector<int>;

// An axis of one element may have any stride: it gets the one of channels-last memory.
template <class T>
Image pixels(const T& x) {
  const int64_t c = x.shape(1) == 1 ? 1 : x.stride(1), few = x.shape(0) == 1 ? x.shape(1) : x.stride(0);
  const int64_t w = x.shape(3) > 1 ? x.stride(3) : x.shape(2) > 1 ? x.stride(2) : few;
  const int64_t h = x.shape(2) == 1 ? x.shape(3) * w : x.stride(2);
  return {const_cast<float*>(x.data()), x.shape(0) == 1 ? (int64_t)x.shape(2) * h : x.stride(0), c, h, w};
}

int extent(int size, int kernel, int stride, int pad, int dilation) {
  return (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
}

// A convolution of x (N, C, H, W) with result or gradient y (N, O, P, Q).
template <class X, class Y>
PixelConv pixel_conv(const X& x, const Y& y, int kernel_h, int kernel_w, const Two& stride, const Two& padding,
                     const Two& dilation) {
  PixelConv a = {};
  check(stride.size() == 2 && padding.size() == 2 && dilation.size() == 2, "geometry");
  a.batch = x.shape(0), a.channels = x.shape(1), a.height = x.shape(2), a.width = x.shape(3);
  a.out = y.shape(1), a.rows = y.shape(2), a.columns = y.shape(3);
  a.kernel_h = kernel_h, a.kernel_w = kernel_w, a.stride_h = stride[0], a.stride_w = stride[1];
  a.pad_h = padding[0], a.pad_w = padding[1], a.dilation_h = dilation[0], a.dilation_w = dilation[1];
  check(kernel_h > 0 && kernel_w > 0 && a.stride_h > 0 && a.stride_w > 0 && a.pad_h >= 0 && a.pad_w >= 0 &&
            a.dilation_h > 0 && a.dilation_w > 0 && a.rows > 0 && a.columns > 0,
        "geometry");
  check((int)y.shape(0) == a.batch && a.rows <= extent(a.height, kernel_h, a.stride_h, a.pad_h, a.dilation_h) &&
            a.columns <= extent(a.width, kernel_w, a.stride_w, a.pad_w, a.dilation_w),
        "output shape");
  a.x = pixels(x), a.y = pixels(y);
  return a;
}

// Pixels lie one after the other; `all`: with nothing between them, as there is between those of a group of channels.
bool in_order(const Image& x, int channels, int height, int width, bool all = false) {
  return x.c == 1 && (all ? x.w == channels : x.w >= channels) && x.h == (int64_t)width * x.w &&
         x.n == (int64_t)height * x.h;
}
void check_order(const PixelConv& a, bool all = false) {
  check(in_order(a.y, a.out, a.rows, a.columns, all), "output order");
}

double multiply_adds(const PixelConv& a) {
  return (double)a.batch * a.rows * a.columns * a.out * a.channels * a.kernel_h * a.kernel_w;
}

// Winograd ------------------------------------------------------------------------------------------------------------

constexpr int64_t TILE_FLOATS = 144 * 1024;  // floats of transformed tiles that stay in the cache
constexpr int LEAST = 24, MOST = 192;   // tiles that are transformed together
constexpr double SAVED = 0.3;           // of the multiply-adds are left

// Cuts kernels into blocks of 3x3 and dilated images into phases, see winograd.h.
void cut(PixelConv& a) {
  a.blocks_h = (a.kernel_h + 2) / 3, a.blocks_w = (a.kernel_w + 2) / 3;
  a.phases_h = a.dilation_h, a.phases_w = a.dilation_w;
  const auto part = [](int& size, int phases) { check(size % phases == 0, "phases"), size /= phases; };
  part(a.height, a.phases_h), part(a.rows, a.phases_h), part(a.pad_h, a.phases_h);
  part(a.width, a.phases_w), part(a.columns, a.phases_w), part(a.pad_w, a.phases_w);
  a.batch *= a.phases_h * a.phases_w;
  for (Image* image : {&a.x, &a.y}) image->h *= a.phases_h, image->w *= a.phases_w;
}

int sources_of(const PixelConv& a) { return a.channels * a.blocks_h * a.blocks_w; }

// Calls one(filter, source, from, to) for each of the 3x3 filters (O, blocks, C) that a weight (O, C, K, L) is cut into:
// their places in it, and in theirs; -1 for what is not there. `turned` weights are (C, O, K, L) and turned round.
template <class One>
void each_block_tap(const PixelConv& a, One one) {
  const int blocks = a.blocks_h * a.blocks_w, taps = a.kernel_h * a.kernel_w;
  for (int64_t o = 0; o < a.out; o++)
    for (int block = 0; block < blocks; block++)
      for (int c = 0; c < a.channels; c++)
        for (int tap = 0; tap < 9; tap++) {
          const int k = block / a.blocks_w * 3 + tap / 3, l = block % a.blocks_w * 3 + tap % 3, at = k * a.kernel_w + l;
          const bool is = k < a.kernel_h && l < a.kernel_w;
          const int64_t filter = a.turned ? c * a.out + o : o * a.channels + c;
          one(is ? filter * taps + (a.turned ? taps - 1 - at : at) : -1, ((o * blocks + block) * a.channels + c) * 9 + tap);
        }
}

int winograd_tiles(const PixelConv& a) { return (a.rows + 3) / 4 * ((a.columns + 3) / 4) * a.batch; }

int strip(int channels, int unit) {
  const int64_t fit = TILE_FLOATS / (36 * channels) / unit * unit;
  return fit < LEAST ? LEAST : fit > MOST ? MOST : fit;
}

// The channels of one of several groups, whose weights lie one after the other, as a convolution of its own.
PixelConv group_of(const PixelConv& all, int groups, int group) {
  PixelConv a = all;
  a.channels /= groups, a.out /= groups;
  a.x.data += group * a.channels, a.y.data += group * a.out;
  if (a.weight) a.weight += (int64_t)group * a.channels * a.out * a.kernel_h * a.kernel_w;
  if (a.bias) a.bias += group * a.out;
  return a;
}

constexpr int64_t GROUP_FLOATS = 32 * 1024;  // of the pixels of a chunk that all groups read, one after the other

// y = conv(x), or with turned weights an input's gradient; false where that has to go another way. Of several groups
// where kernels are one block.
bool run_winograd(const PixelConv& all, int groups) {
  PixelConv a = group_of(all, groups, 0);
  const int total = winograd_tiles(a), panels = (a.out + kernels->panel - 1) / kernels->panel;
  const double work = SAVED * multiply_adds(a) * groups;
  const int slots = workers(work), wanted = slots == 1 ? 1 : 2 * slots;
  TileUnit u = {0, total, strip(sources_of(a) + kernels->panel, kernels->tile), 0, panels, false};
  if (groups > 1) u.strip = std::min(u.strip, std::max<int>(kernels->tile, GROUP_FLOATS / (16 * all.channels)));
  int chunks = (total + u.strip - 1) / u.strip, shares = 1;  // of panels
  if (chunks * groups < wanted) {
    chunks = std::max(1, std::min(wanted, total / kernels->tile));
    shares = std::min(panels, (wanted + chunks - 1) / chunks);
    u.strip = std::min(u.strip, (total + chunks - 1) / chunks);
  }
  u.own_weight = chunks == 1;
  const size_t weight_size = kernels->winograd_weight_size(a), filters = (size_t)sources_of(a) * 9;
  const size_t front = u.own_weight ? 0 : rounded(groups * panels * weight_size);
  const size_t need = rounded(std::max(kernels->winograd_forward_room(a, u), filters * kernels->panel));
  const size_t own = a.blocks_h * a.blocks_w > 1 ? rounded(filters * a.out) : 0;
  float *cut_weight = scratch(own + front + need * slots), *weight = cut_weight + own, *memory = weight + front;
  auto part = [&](int group) {
    if (groups > 1) return group_of(all, groups, group);
    return a;
  };
  if (own) {
    each_block_tap(a, [&](int64_t from, int64_t to) { cut_weight[to] = from < 0 ? 0 : a.weight[from]; });
    a.weight = cut_weight, a.turned = false;
  }
  if (!u.own_weight) {
    auto panel = [&](int i, int slot) {
      kernels->winograd_weight(part(i / panels), i % panels, memory + slot * need, weight + i * weight_size);
    };
    spread(groups * panels, work, panel);
  }
  std::atomic<bool> done{true};
  auto item = [&](int i, int slot) {
    TileUnit own = u;
    const int share = i % shares, group = i / shares % groups, chunk = i / shares / groups;
    own.first = (int64_t)total * chunk / chunks, own.end = (int64_t)total * (chunk + 1) / chunks;
    own.panel = panels * share / shares, own.panel_end = panels * (share + 1) / shares;
    const float* panel = weight + (u.own_weight ? 0 : group * panels * weight_size);
    if (!kernels->winograd_forward(part(group), own, panel, memory + slot * need)) done = false;
  };
  spread(chunks * groups * shares, work, item);
  return done;
}

// Of 3x3 and of 5x5 to 7x7, stride 1.
void check_cut(const PixelConv& a, int lanes) {
  const auto fits = [&](int kernel) { return kernel == 3 || (kernel > 4 && kernel < 8); };
  check(fits(a.kernel_h) && fits(a.kernel_w) && (a.kernel_h * a.kernel_w == 9 || a.channels % lanes == 0), "kernel");
}

bool winograd(Array<const float, 4> x, Dense<const float, 4> weight, optional<Dense<const float, 1>> bias, Two padding,
              Two dilation, bool relu, bool turned, Array<float, 4> y, optional<Dense<uint8_t, 4>> winner, int groups) {
  PixelConv a = pixel_conv(x, y, weight.shape(2), weight.shape(3), {1, 1}, padding, dilation);
  check(groups > 0 && a.channels % groups == 0 && a.out % groups == 0 && (groups == 1 || !winner), "groups");
  check(in_order(a.x, a.channels, a.height, a.width), "input order");
  check_order(a, winner.has_value());
  check_cut(group_of(a, groups, 0), kernels->lanes);
  if (winner) {
    check(winner->size() == y.size(), "winners");
    a.rows = a.height + 2 * a.pad_h - a.kernel_h + 1, a.columns = a.width + 2 * a.pad_w - a.kernel_w + 1;
    a.winner = winner->data();
    check((int)y.shape(2) == a.rows / 2 && (int)y.shape(3) == a.columns / 2 && dilation == Two({1, 1}), "output shape");
  }
  check((int)weight.shape(0) == (turned ? a.channels : a.out) &&
            (int)weight.shape(1) == (turned ? a.out : a.channels) / groups && (!bias || (int)bias->shape(0) == a.out),
        "weight shape");
  a.weight = weight.data(), a.bias = bias ? bias->data() : nullptr, a.relu = relu, a.turned = turned;
  cut(a);
  if (a.blocks_h * a.blocks_w == 1) return run_winograd(a, groups);
  for (int group = 0; group < groups; group++)
    if (!run_winograd(group_of(a, groups, group), 1)) return false;
  return true;
}

// Sums of sums: so many parts, each made by one thread at a time, whatever the number of threads.
int parts_of(size_t size, int units) { return std::min(units, size > (1 << 18) ? 2 : size > (1 << 16) ? 4 : 16); }

void add_parts(float* parts, int count, size_t size) {
  for (int i = 1; i < count; i++)
    for (size_t j = 0; j < size; j++) parts[j] += parts[size * i + j];
}

constexpr int GRADIENT_TILES = 64;  // a part has at least so many
constexpr int BLOCK = 32;           // out-channels that one thread takes at least

bool run_winograd_gradient(const PixelConv& all, int groups, float* d_weight) {
  const PixelConv a = group_of(all, groups, 0);
  const int total = winograd_tiles(a), sources = sources_of(a);
  const size_t every = (size_t)a.out * sources * 36;
  const int parts = parts_of(every, (total + GRADIENT_TILES - 1) / GRADIENT_TILES);
  const double work = SAVED * multiply_adds(a) * groups;
  const int slots = workers(work);
  const int shares = std::max(1, std::min((2 * slots + parts * groups - 1) / (parts * groups), a.out / BLOCK));
  TileUnit u = {0, 0, strip(sources + a.out, 8), 0, 0, false};
  // a share of a group's out-channels as a convolution of its own; shares of all groups have one after the other's number
  auto part_of = [&](int number) {
    PixelConv own = group_of(all, groups, number / shares);
    const int share = number % shares, first = a.out / BLOCK * share / shares * BLOCK;
    own.out = (share + 1 == shares ? a.out : a.out / BLOCK * (share + 1) / shares * BLOCK) - first;
    own.y.data += first;
    return own;
  };
  const int numbers = groups * shares;
  std::vector<size_t> begin(numbers + 1, 0);
  size_t need = 0;
  for (int i = 0; i < numbers; i++) {
    const PixelConv own = part_of(i);
    begin[i + 1] = begin[i] + rounded(kernels->winograd_sums_size(own));
    need = std::max(need, rounded(kernels->winograd_gradient_room(own, u)));
  }
  const size_t size = begin[numbers], blocks = sources > a.channels ? rounded((size_t)a.out * sources * 9) : 0;
  float *made = scratch(blocks + size * parts + need * slots), *sums = made + blocks, *memory = sums + size * parts;
  if (!blocks) made = d_weight;
  auto item = [&](int i, int slot) {
    const int part = i / numbers, number = i % numbers;
    TileUnit share = u;
    share.first = (int64_t)total * part / parts, share.end = (int64_t)total * (part + 1) / parts;
    kernels->winograd_gradient(part_of(number), share, memory + slot * need, sums + size * part + begin[number]);
  };
  spread(parts * numbers, work, item);
  add_parts(sums, parts, size);
  std::atomic<bool> done{true};
  auto filters = [&](int number, int) {
    const PixelConv own = part_of(number);
    const int64_t first = own.y.data - all.y.data;
    for (int o = 0; o < own.out; o++)
      if (!kernels->winograd_filter(own, sums + begin[number], o, made + (first + o) * sources * 9)) done = false;
  };
  spread(numbers, work, filters);
  if (blocks)
    each_block_tap(a, [&](int64_t to, int64_t from) {
      if (to >= 0) d_weight[to] = made[from];
    });
  return done;
}

bool winograd_gradient(Array<const float, 4> grad, Array<const float, 4> x, Two padding, Two dilation,
                       Dense<float, 4> d_weight, int groups) {
  PixelConv a = pixel_conv(x, grad, d_weight.shape(2), d_weight.shape(3), {1, 1}, padding, dilation);
  check(groups > 0 && a.channels % groups == 0 && a.out % groups == 0, "groups");
  check((int)d_weight.shape(0) == a.out && (int)d_weight.shape(1) == a.channels / groups, "weight shape");
  check(in_order(a.x, a.channels, a.height, a.width), "input order");
  check_order(a);
  check_cut(group_of(a, groups, 0), kernels->lanes);
  cut(a);
  if (a.blocks_h * a.blocks_w == 1) return run_winograd_gradient(a, groups, d_weight.data());
  for (int group = 0; group < groups; group++)
    if (!run_winograd_gradient(group_of(a, groups, group), 1, d_weight.data() + d_weight.size() / groups * group))
      return false;
  return true;
}

// Any window ----------------------------------------------------------------------------------------------------------

// With a turned weight, of a convolution of stride 1 that makes x out of y, its input's gradient.
void pixel_forward(Array<const float, 4> x, Dense<const float, 4> weight, optional<Dense<const float, 1>> bias,
                   Two stride, Two padding, Two dilation, bool relu, bool turned, Array<float, 4> y) {
  PixelConv a = pixel_conv(x, y, weight.shape(2), weight.shape(3), stride, padding, dilation);
  check((int)weight.shape(turned) == a.out && (int)weight.shape(!turned) == a.channels &&
            (!bias || (int)bias->shape(0) == a.out),
        "weight shape");
  check_order(a);
  a.weight = weight.data(), a.bias = bias ? bias->data() : nullptr, a.relu = relu, a.turned = turned;
  const double work = multiply_adds(a);
  const int slots = workers(work), rows = a.batch * a.rows, count = slots == 1 ? 1 : std::min(rows, 4 * slots);
  const size_t front = rounded(kernels->pixel_weight_size(a, false)), need = rounded(kernels->pixel_room(a));
  const size_t lines = rounded(weight.size());
  float *packed = scratch(front + std::max(need * slots, lines)), *memory = packed + front;
  kernels->pixel_weight(a, false, memory, packed);
  auto item = [&](int i, int slot) {
    kernels->pixel_forward(a, (int64_t)rows * i / count, (int64_t)rows * (i + 1) / count, packed,
                           memory + slot * need);
  };
  spread(count, work, item);
}

// Turned: where x and grad have changed places.
void pixel_gradient(Array<const float, 4> grad, Array<const float, 4> x, Two stride, Two padding, Two dilation,
                    bool turned, Dense<float, 4> d_weight) {
  PixelConv a = pixel_conv(x, grad, d_weight.shape(2), d_weight.shape(3), stride, padding, dilation);
  check((int)d_weight.shape(turned) == a.out && (int)d_weight.shape(!turned) == a.channels, "weight shape");
  check_order(a);
  a.turned = turned;
  const double work = multiply_adds(a);
  const int slots = workers(work), rows = a.batch * a.rows, least = std::max(1, GRADIENT_TILES / a.columns);
  const size_t size = rounded(d_weight.size()), need = rounded(kernels->pixel_room(a));
  const int parts = parts_of(size, (rows + least - 1) / least);
  float *sums = scratch(size * parts + need * slots), *memory = sums + size * parts;
  auto item = [&](int i, int slot) {
    kernels->pixel_gradient(a, (int64_t)rows * i / parts, (int64_t)rows * (i + 1) / parts, memory + slot * need,
                            sums + size * i);
  };
  spread(parts, work, item);
  add_parts(sums, parts, size);
  kernels->pixel_filters(a, sums, d_weight.data());
}

// With a turned weight, the forward pass of a convolution of stride 1, with bias and relu.
void pixel_input(Array<const float, 4> grad, Dense<const float, 4> weight, optional<Dense<const float, 1>> bias,
                 Two stride, Two padding, Two dilation, bool relu, bool turned, Array<float, 4> d_x) {
  PixelConv a = pixel_conv(d_x, grad, weight.shape(2), weight.shape(3), stride, padding, dilation);
  check((int)weight.shape(turned) == a.out && (int)weight.shape(!turned) == a.channels &&
            (!bias || (int)bias->shape(0) == a.channels),
        "weight shape");
  check(in_order(a.x, a.channels, a.height, a.width), "input order");
  check_order(a);
  a.weight = weight.data(), a.bias = bias ? bias->data() : nullptr, a.relu = relu, a.turned = turned;
  const double work = multiply_adds(a);
  const int slots = workers(work), count = slots == 1 ? 1 : std::min(a.batch, 4 * slots);
  const size_t front = rounded(kernels->pixel_weight_size(a, true)), need = rounded(kernels->pixel_room(a));
  const size_t lines = rounded(weight.size());
  float *packed = scratch(front + std::max(need * slots, lines)), *memory = packed + front;
  kernels->pixel_weight(a, true, memory, packed);
  auto item = [&](int i, int slot) {
    kernels->pixel_input(a, (int64_t)a.batch * i / count, (int64_t)a.batch * (i + 1) / count, packed,
                         memory + slot * need);
  };
  spread(count, work, item);
}

// A 2x2 pool as a window over channels of their own.
PixelConv pool_conv(const Image& x, const Image& y, const int64_t* image, int rows, int columns) {
  PixelConv a = {};
  a.batch = image[0], a.channels = a.out = image[1], a.height = image[2], a.width = image[3];
  a.rows = rows, a.columns = columns, a.x = x, a.y = y;
  check(rows == a.height / 2 && columns == a.width / 2 && rows > 0 && columns > 0, "pool shape");
  check(in_order(x, a.channels, a.height, a.width, true), "input order");
  check_order(a, true);
  return a;
}

template <class Row>
void pool_rows(const PixelConv& a, Row row) {
  const int rows = a.batch * a.rows, count = std::min(rows, 32);
  auto item = [&](int i, int) { row((int64_t)rows * i / count, (int64_t)rows * (i + 1) / count); };
  spread(count, (double)a.batch * a.height * a.width * a.channels, item);
}

// y and winner (N, P, Q, C) of 2x2 max-pooling.
void pixel_pool(Array<const float, 4> x, Array<float, 4> y, Dense<uint8_t, 4> winner) {
  const PixelConv a = pool_conv(pixels(x), pixels(y), x.sizes, y.shape(2), y.shape(3));
  check(winner.size() == y.size(), "winners");
  pool_rows(a, [&](int from, int to) { kernels->pixel_pool(a, winner.data(), from, to); });
}

void pixel_pool_backward(Array<const float, 4> grad, Dense<const uint8_t, 4> winner, Array<float, 4> d_x) {
  const PixelConv a = pool_conv(pixels(d_x), pixels(grad), d_x.sizes, grad.shape(2), grad.shape(3));
  check(winner.size() == grad.size(), "winners");
  pool_rows(a, [&](int from, int to) { kernels->pixel_pool_backward(a, winner.data(), from, to); });
}

constexpr int64_t SUMMED = 4096;  // pixels of a part

// The sum of each channel of pixels (M, C).
void pixel_sums(Dense<const float, 2> x, Dense<float, 1> sums) {
  const int64_t pixels = x.shape(0);
  const int channels = x.shape(1), parts = std::max<int64_t>(1, std::min<int64_t>(16, pixels / SUMMED));
  check((int)sums.shape(0) == channels, "sums");
  float* memory = scratch((size_t)parts * channels);
  std::fill(memory, memory + (size_t)parts * channels, 0.0f);
  auto item = [&](int i, int) {
    kernels->pixel_sums(x.data(), pixels * i / parts, pixels * (i + 1) / parts, channels, memory + i * channels);
  };
  spread(parts, x.size(), item);
  add_parts(memory, parts, channels);
  std::copy(memory, memory + channels, sums.data());
}

}  // namespace

void bind_pixels(nb::module_& m) {
  define(m, "winograd", &winograd, "x"_a, "weight"_a, "bias"_a.none(), "padding"_a, "dilation"_a, "relu"_a, "turned"_a,
         "y"_a, "winner"_a.none(), "groups"_a);
  define(m, "winograd_gradient", &winograd_gradient, "grad"_a, "x"_a, "padding"_a, "dilation"_a, "d_weight"_a,
         "groups"_a);
  define(m, "pixel_forward", &pixel_forward, "x"_a, "weight"_a, "bias"_a.none(), "stride"_a, "padding"_a,
         "dilation"_a, "relu"_a, "turned"_a, "y"_a);
  define(m, "pixel_gradient", &pixel_gradient, "grad"_a, "x"_a, "stride"_a, "padding"_a, "dilation"_a, "turned"_a,
         "d_weight"_a);
  define(m, "pixel_input", &pixel_input, "grad"_a, "weight"_a, "bias"_a.none(), "stride"_a, "padding"_a, "dilation"_a,
         "relu"_a, "turned"_a, "d_x"_a);
  define(m, "pixel_pool", &pixel_pool, "x"_a, "y"_a, "winner"_a);
  define(m, "pixel_pool_backward", &pixel_pool_backward, "grad"_a, "winner"_a, "d_x"_a);
  define(m, "pixel_sums", &pixel_sums, "x"_a, "sums"_a);
}
