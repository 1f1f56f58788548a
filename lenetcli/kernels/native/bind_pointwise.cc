// Relu, log-softmax and the likelihood of targets: checks and threads. The kernels are in pointwise.h.
#include <cmath>

#include "recording.h"

namespace {

constexpr size_t PIECE = 16384;  // elements of one item

// Images (C, H, W, N) and whatever else has N as its fastest axis comes as one dense array.
using Flat = Dense<const float, 1>;

void relu(Flat x, Dense<float, 1> y) {
  const size_t n = x.shape(0);
  check(y.shape(0) == n, "size");
  const float* from = x.data();
  float* to = y.data();
  auto item = [&](int i, int) { kernels->relu(from + i * PIECE, to + i * PIECE, std::min(PIECE, n - i * PIECE)); };
  spread((n + PIECE - 1) / PIECE, 4.0 * n, item);
}

void relu_backward(Flat grad, Flat y, Dense<float, 1> d_x) {
  const size_t n = grad.shape(0);
  check(y.shape(0) == n && d_x.shape(0) == n, "size");
  const float *g = grad.data(), *seen = y.data();
  float* to = d_x.data();
  auto item = [&](int i, int) {
    kernels->relu_backward(g + i * PIECE, seen + i * PIECE, to + i * PIECE, std::min(PIECE, n - i * PIECE));
  };
  spread((n + PIECE - 1) / PIECE, 4.0 * n, item);
}

// An activation function by its name, or with a gradient of y its gradient of x.
void curve(std::string name, std::vector<float> constants, Flat x, optional<Flat> grad, Dense<float, 1> y) {
#define CURVE(name, Function) #name,
  Curve a = {index_of(name, {CURVES}), {}};
#undef CURVE
  const size_t n = x.shape(0);
  check(y.shape(0) == n && (!grad || grad->shape(0) == n) && constants.size() <= 3, "size");
  std::copy(constants.begin(), constants.end(), a.constants);
  const float *from = x.data(), *g = grad ? grad->data() : nullptr;
  float* to = y.data();
  auto item = [&](int i, int) {
    const size_t at = i * PIECE;
    kernels->curve(a, from + at, g ? g + at : nullptr, to + at, std::min(PIECE, n - at));
  };
  spread((n + PIECE - 1) / PIECE, 10.0 * n, item);
}

void times(Flat x, Flat y, Dense<float, 1> z) {
  const size_t n = x.shape(0);
  check(y.shape(0) == n && z.shape(0) == n, "size");
  for (size_t i = 0; i < n; i++) z.data()[i] = x.data()[i] * y.data()[i];
}

void plus(Flat x, Flat y, Dense<float, 1> z) {
  const size_t n = x.shape(0);
  check(y.shape(0) == n && z.shape(0) == n, "size");
  for (size_t i = 0; i < n; i++) z.data()[i] = x.data()[i] + y.data()[i];
}

// Sums of rows (M, N).
void row_sums(Dense<const float, 2> x, Dense<float, 1> sums) {
  const int count = x.shape(0);
  check((int)sums.shape(0) == count, "rows");
  Rows rows = {};
  rows.n = x.shape(1), rows.grad = x.data(), rows.grad_row = rows.n, rows.grad_col = 1, rows.sums = sums.data();
  auto item = [&](int i, int) { kernels->masked_rows(rows, i, i + 1); };
  spread(count, x.size(), item);
}

// Softmax or its logarithm of (outer, classes, inner); with a gradient, x is the result and y the gradient of its input.
void softmax(Dense<const float, 3> x, optional<Dense<const float, 3>> grad, bool log, Dense<float, 3> y) {
  for (int i = 0; i < 3; i++) check(y.shape(i) == x.shape(i) && (!grad || grad->shape(i) == x.shape(i)), "shapes");
  check(x.size() > 0, "scores");
  const Softmax a = {(int64_t)x.shape(1), (int64_t)x.shape(2), log, x.data(), grad ? grad->data() : nullptr, y.data()};
  const int64_t outer = x.shape(0), several = std::max<int64_t>(1, PIECE / (a.classes * a.inner));
  auto item = [&](int i, int) {
    for (int64_t o = i * several; o < std::min((i + 1) * several, outer); o++) kernels->softmax(a, o);
  };
  spread((outer + several - 1) / several, 20.0 * x.size(), item);
}

template <class One>
void each_vector(const Classes& a, int batch, One one) {
  const int lanes = kernels->lanes;
  auto item = [&](int i, int) { one(a, i * lanes, std::min(lanes, batch - i * lanes)); };
  spread((batch + lanes - 1) / lanes, 20.0 * a.classes * batch, item);
}

// Scores (C, N).
void log_softmax(Dense<const float, 2> x, Dense<float, 2> y) {
  check(x.shape(0) == y.shape(0) && x.shape(1) == y.shape(1) && x.shape(0) > 0, "scores");
  Classes a = {};
  a.classes = x.shape(0), a.row = x.shape(1), a.x = x.data(), a.y = y.data();
  each_vector(a, a.row, kernels->log_softmax);
}

void log_softmax_backward(Dense<const float, 2> grad, Dense<const float, 2> y, Dense<float, 2> d_x) {
  for (int i = 0; i < 2; i++) check(grad.shape(i) == y.shape(i) && d_x.shape(i) == y.shape(i), "scores");
  Classes a = {};
  a.classes = y.shape(0), a.row = y.shape(1), a.grad = grad.data(), a.y = const_cast<float*>(y.data()),
  a.d_x = d_x.data();
  each_vector(a, a.row, kernels->log_softmax_backward);
}

template <class T, class Matrix>
Array<T, 2> turned(const Matrix& x) {
  Array<T, 2> y;
  y.memory = x.data();
  for (int i = 0; i < 2; i++) y.sizes[i] = x.shape(1 - i), y.steps[i] = x.stride(1 - i);
  return y;
}

// The mean of minus the log-probabilities (N, C) of the targets, but those that are `ignore`, NaN where one is no class;
// and how many they are. Few and scattered numbers: no vectors, no threads. Twin: lenetcli/kernels/nll.py.
void nll(Array<const float, 2> log_p, Dense<const int64_t, 1> target, int64_t ignore, Dense<float, 1> mean_and_count) {
  check(log_p.shape(0) == target.shape(0) && mean_and_count.shape(0) == 2, "targets");
  double sum = 0, count = 0;
  for (size_t n = 0; n < target.shape(0); n++) {
    const int64_t c = target.data()[n];
    if (c == ignore) continue;
    sum -= c >= 0 && c < (int64_t)log_p.shape(1) ? log_p.data()[n * log_p.stride(0) + c * log_p.stride(1)] : NAN;
    count++;
  }
  mean_and_count.data()[0] = count ? sum / count : NAN;
  mean_and_count.data()[1] = count;
}

// Its gradient: -grad / count at the targets that count, zeros elsewhere.
void nll_backward(Dense<const float, 1> grad, Dense<const float, 1> count, Dense<const int64_t, 1> target,
                  int64_t ignore, Array<float, 2> d) {
  check(d.shape(0) == target.shape(0) && grad.shape(0) == 1 && count.shape(0) == 1, "targets");
  const float share = -(double)*grad.data() / (double)*count.data();
  for (size_t n = 0; n < d.shape(0); n++)
    for (size_t c = 0; c < d.shape(1); c++) {
      const int64_t t = target.data()[n];
      d.data()[(int64_t)n * d.stride(0) + (int64_t)c * d.stride(1)] = t == (int64_t)c && t != ignore ? share : 0;
    }
}

// Of scores (C, N), how many targets that count are the class of the highest one, the first of several.
int64_t right(Dense<const float, 2> x, Dense<const int64_t, 1> target, int64_t ignore) {
  int64_t found = 0;
  for (size_t n = 0; n < x.shape(1); n++) {
    size_t best = 0;
    for (size_t c = 1; c < x.shape(0); c++)
      if (x.data()[c * x.shape(1) + n] > x.data()[best * x.shape(1) + n]) best = c;
    found += (int64_t)best == target.data()[n] && (int64_t)best != ignore;
  }
  return found;
}

// log_softmax and nll of scores (C, N), with the count of right answers; and the gradient of both together.
void cross_entropy(Dense<const float, 2> x, Dense<const int64_t, 1> target, int64_t ignore, Dense<float, 2> log_p,
                   Dense<float, 1> mean_count_right) {
  check(mean_count_right.shape(0) == 3, "numbers");
  log_softmax(x, log_p);
  Dense<float, 1> mean_and_count = mean_count_right;
  mean_and_count.sizes[0] = 2;
  nll(turned<const float>(log_p), target, ignore, mean_and_count);
  mean_count_right.data()[2] = right(x, target, ignore);
}

void cross_entropy_backward(Dense<const float, 1> grad, Dense<const float, 1> count, Dense<const int64_t, 1> target,
                            int64_t ignore, Dense<const float, 2> log_p, Dense<float, 2> d_x) {
  nll_backward(grad, count, target, ignore, turned<float>(d_x));
  log_softmax_backward(Dense<const float, 2>(d_x), log_p, d_x);
}

// Whether all numbers of all arrays are finite, each one unbroken block; nothing where one is not, or no float32.
std::optional<bool> all_finite(nb::list arrays) {
  bool finite = true;
  for (nb::handle array : arrays) {
    nb::ndarray<const float, nb::device::cpu> a;
    if (!nb::try_cast(array, a, false) || (uintptr_t)a.data() % sizeof(float)) return {};
    int64_t span = 1;
    for (size_t i = 0; i < a.ndim(); i++) span += (a.shape(i) - 1) * std::abs(a.stride(i));
    if (span != (int64_t)a.size()) return {};
    const float* first = a.data();
    for (size_t i = 0; i < a.ndim(); i++)
      if (a.stride(i) < 0) first += (a.shape(i) - 1) * a.stride(i);
    finite = finite && kernels->all_finite(first, a.size());
  }
  return finite;
}

bool is_finite(Dense<const float, 1> x) { return kernels->all_finite(x.data(), x.size()); }

}  // namespace

void bind_pointwise(nb::module_& m) {
  m.def("all_finite", &all_finite, "arrays"_a);
  define(m, "is_finite", &is_finite, "x"_a);
  define(m, "relu", &relu, "x"_a, "y"_a);
  define(m, "relu_backward", &relu_backward, "grad"_a, "y"_a, "d_x"_a);
  define(m, "curve", &curve, "name"_a, "constants"_a, "x"_a, "grad"_a.none(), "y"_a);
  define(m, "softmax", &softmax, "x"_a, "grad"_a.none(), "log"_a, "y"_a);
  define(m, "times", &times, "x"_a, "y"_a, "z"_a);
  define(m, "plus", &plus, "x"_a, "y"_a, "z"_a);
  define(m, "row_sums", &row_sums, "x"_a, "sums"_a);
  define(m, "log_softmax", &log_softmax, "x"_a, "y"_a);
  define(m, "nll", &nll, "log_p"_a, "target"_a, "ignore"_a, "mean_and_count"_a);
  define(m, "nll_backward", &nll_backward, "grad"_a, "count"_a, "target"_a, "ignore"_a, "d"_a);
  define(m, "cross_entropy", &cross_entropy, "x"_a, "target"_a, "ignore"_a, "log_p"_a,
         "mean_count_right"_a);
  define(m, "cross_entropy_backward", &cross_entropy_backward, "grad"_a, "count"_a, "target"_a, "ignore"_a, "log_p"_a,
         "d_x"_a);
  define(m, "log_softmax_backward", &log_softmax_backward, "grad"_a, "y"_a, "d_x"_a);
}
