// Convolutions: checks, units of work, threads. The kernels are in conv.h.
#include <atomic>
#include <cmath>

#include "recording.h"

namespace {

template <class T>
Image image(const T& x) {
  return {const_cast<float*>(x.data()), x.stride(0), x.stride(1), x.stride(2), x.stride(3)};
}

double multiply_adds(const Conv& a) {
  return (double)a.batch * a.rows * a.columns * a.out * a.channels * a.kernel * a.kernel;
}

void finish(Conv& a) {
  a.rows = a.height + 2 * a.pad_h - a.kernel + 1;
  a.columns = a.width + 2 * a.pad_w - a.kernel + 1;
  check(a.kernel >= 1 && a.kernel <= 7 && a.pad_h >= 0 && a.pad_w >= 0, "kernel size");
  check(a.rows >= (a.pooled ? 2 : 1) && a.columns >= (a.pooled ? 2 : 1), "image size");
}

void run_forward(const Conv& a) {
  const double work = multiply_adds(a);
  const int slots = workers(work), wanted = slots == 1 ? 1 : 2 * slots;
  std::vector<ConvUnit> units(kernels->conv_units(a, wanted, nullptr));
  kernels->conv_units(a, wanted, units.data());
  size_t need = 0;
  for (const ConvUnit& u : units) need = std::max(need, rounded(kernels->conv_scratch(a, u, false)));
  float* memory = scratch(need * slots);
  auto item = [&](int i, int slot) { kernels->conv_forward(a, units[i], memory + slot * need); };
  spread(units.size(), work, item);
}

// Checks an image-shaped array against the output of `a`.
template <class T>
void check_output(const Conv& a, const T& y) {
  int rows = a.pooled ? a.rows / 2 : a.rows, columns = a.pooled ? a.columns / 2 : a.columns;
  check((int)y.shape(0) == a.batch && (int)y.shape(1) == a.out && (int)y.shape(2) == rows && (int)y.shape(3) == columns,
        "output shape");
}

template <class T>
void take_winner(Conv& a, const T& winner) {
  a.group = winner.shape(4);
  a.winner = const_cast<uint8_t*>(winner.data());
  check(a.group > 0 && (int)winner.shape(0) * a.group >= a.batch && (int)winner.shape(1) == a.out &&
            (int)winner.shape(2) == a.rows / 2 && (int)winner.shape(3) == a.columns / 2 &&
            (int)winner.shape(4) == a.group,
        "winner shape");
}

// With `chosen`, winners are given; else they are found.
void conv_forward(Array<const float, 4> x, Dense<const float, 4> weight, optional<Dense<const float, 1>> bias,
                  int pad_h, int pad_w, bool relu, Array<float, 4> y, optional<Dense<uint8_t, 5>> winner,
                  bool chosen) {
  Conv a = {};
  a.batch = x.shape(0), a.channels = x.shape(1), a.height = x.shape(2), a.width = x.shape(3);
  a.out = weight.shape(0), a.kernel = weight.shape(2), a.pad_h = pad_h, a.pad_w = pad_w;
  a.pooled = winner.has_value(), a.relu = relu, a.chosen = chosen;
  check((int)weight.shape(1) == a.channels && weight.shape(2) == weight.shape(3), "weight shape");
  check(!bias || (int)bias->shape(0) == a.out, "bias shape");
  finish(a);
  check_output(a, y);
  check(y.stride(0) == 1 || a.batch == 1, "output order");
  check(y.stride(2) == y.shape(3) * y.stride(3), "output rows");
  if (winner) take_winner(a, *winner);
  a.x = image(x), a.y = image(y);
  a.weight = weight.data(), a.bias = bias ? bias->data() : nullptr;

  run_forward(a);
}

// Gradients of input, weight and bias, those that are given. x may be missing where d_weight is, weight where d_x is.
// False where it cannot be done because of infinities or NaN, see kernels.h.
bool conv_backward(Array<const float, 4> grad, optional<Array<const float, 4>> x,
                   optional<Dense<const float, 4>> weight, optional<Dense<const uint8_t, 5>> winner, int pad_h,
                   int pad_w, optional<Array<float, 4>> d_x, optional<Dense<float, 4>> d_weight,
                   optional<Dense<float, 1>> d_bias) {
  check((x || d_x) && (weight || d_weight), "nothing to do");
  check(!d_weight || x, "the weight gradient needs x");
  check(!d_x || weight, "the input gradient needs the weight");
  Conv a = {};
  auto shape = [&](int i) { return (int)(x ? x->shape(i) : d_x->shape(i)); };
  auto weight_shape = [&](int i) { return (int)(weight ? weight->shape(i) : d_weight->shape(i)); };
  a.batch = shape(0), a.channels = shape(1), a.height = shape(2), a.width = shape(3);
  a.out = weight_shape(0), a.kernel = weight_shape(2), a.pad_h = pad_h, a.pad_w = pad_w;
  a.pooled = winner.has_value();
  check(weight_shape(1) == a.channels && weight_shape(3) == a.kernel, "weight shape");
  check(!d_bias || (int)d_bias->shape(0) == a.out, "bias shape");
  if (d_x)
    for (int i = 0; i < 4; i++) check((int)d_x->shape(i) == shape(i), "input shape");
  if (d_weight)
    for (int i = 0; i < 4; i++) check((int)d_weight->shape(i) == weight_shape(i), "weight shape");
  finish(a);
  check_output(a, grad);
  if (winner) take_winner(a, *winner);
  a.y = image(grad);
  if (x) a.x = image(*x);
  if (d_x) a.d_x = image(*d_x);
  a.weight = weight ? weight->data() : nullptr;

  const size_t filters = rounded(kernels->conv_filters(a, nullptr));
  if (a.d_x.data && (a.rows % 2 || a.columns % 2 || filters) && !kernels->all_finite(a.weight, weight->size()))
    return false;
  std::vector<ConvUnit> units(kernels->conv_units(a, 0, nullptr));
  kernels->conv_units(a, 0, units.data());
  const double work = multiply_adds(a);
  const int slots = workers(work);
  // weight gradients are summed per chunk of units, then over chunks: the same order for any number of threads
  const size_t size = (size_t)a.out * a.channels * a.kernel * a.kernel, part = rounded(size + a.out);
  const int most = size > 65536 ? 4 : 16, chunks = std::min((int)units.size(), most);
  size_t need = 0;
  for (const ConvUnit& u : units) need = std::max(need, rounded(kernels->conv_scratch(a, u, true)));
  float *parts = scratch(part * chunks + filters + need * slots), *memory = parts + part * chunks + filters;
  if (filters) kernels->conv_filters(a, parts + part * chunks);
  std::atomic<bool> done{true};
  auto item = [&](int i, int slot) {
    float *sums = parts + part * i, *bias_sums = sums + size;
    std::fill(sums, sums + part, 0.0f);
    for (size_t u = units.size() * i / chunks; u < units.size() * (i + 1) / chunks; u++) {
      float* own = memory + slot * need;
      if (!kernels->conv_backward(a, units[u], own, d_weight ? sums : nullptr, bias_sums)) done = false;
    }
  };
  spread(chunks, work, item);
  if (!done) return false;
  for (int i = 1; i < chunks; i++)
    for (size_t j = 0; j < size + a.out; j++) parts[j] += parts[part * i + j];
  if (chunks == 0) std::fill(parts, parts + part, 0.0f);
  if (d_weight) std::copy(parts, parts + size, d_weight->data());
  if (d_bias) std::copy(parts + size, parts + size + a.out, d_bias->data());
  return true;
}

}  // namespace

void bind_conv(nb::module_& m) {
  define(m, "conv_forward", &conv_forward, "x"_a, "weight"_a, "bias"_a.none(), "pad_h"_a, "pad_w"_a, "relu"_a, "y"_a,
        "winner"_a.none(), "chosen"_a = false);
  define(m, "conv_backward", &conv_backward, "grad"_a, "x"_a.none(), "weight"_a.none(), "winner"_a.none(), "pad_h"_a,
        "pad_w"_a, "d_x"_a.none(), "d_weight"_a.none(), "d_bias"_a.none());
}
