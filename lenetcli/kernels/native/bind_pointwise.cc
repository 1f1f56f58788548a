// Relu and log-softmax: checks and threads. The kernels are in pointwise.h.
#include "bind.h"

namespace {

constexpr size_t PIECE = 16384;  // elements of one item

// Images (C, H, W, N) and whatever else has N as its fastest axis comes as one dense array.
using Flat = Dense<const float, 1>;

void relu(Flat x, Dense<float, 1> y) {
  const size_t n = x.shape(0);
  check(y.shape(0) == n, "size");
  const float* from = x.data();
  float* to = y.data();
  nb::gil_scoped_release released;
  auto item = [&](int i, int) { kernels->relu(from + i * PIECE, to + i * PIECE, std::min(PIECE, n - i * PIECE)); };
  spread((n + PIECE - 1) / PIECE, 4.0 * n, item);
}

void relu_backward(Flat grad, Flat y, Dense<float, 1> d_x) {
  const size_t n = grad.shape(0);
  check(y.shape(0) == n && d_x.shape(0) == n, "size");
  const float *g = grad.data(), *seen = y.data();
  float* to = d_x.data();
  nb::gil_scoped_release released;
  auto item = [&](int i, int) {
    kernels->relu_backward(g + i * PIECE, seen + i * PIECE, to + i * PIECE, std::min(PIECE, n - i * PIECE));
  };
  spread((n + PIECE - 1) / PIECE, 4.0 * n, item);
}

// Sums of rows (M, N).
void row_sums(Dense<const float, 2> x, Dense<float, 1> sums) {
  const int count = x.shape(0);
  check((int)sums.shape(0) == count, "rows");
  Rows rows = {};
  rows.n = x.shape(1), rows.grad = x.data(), rows.grad_row = rows.n, rows.grad_col = 1, rows.sums = sums.data();
  nb::gil_scoped_release released;
  auto item = [&](int i, int) { kernels->masked_rows(rows, i, i + 1); };
  spread(count, x.size(), item);
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
  nb::gil_scoped_release released;
  each_vector(a, a.row, kernels->log_softmax);
}

void log_softmax_backward(Dense<const float, 2> grad, Dense<const float, 2> y, Dense<float, 2> d_x) {
  for (int i = 0; i < 2; i++) check(grad.shape(i) == y.shape(i) && d_x.shape(i) == y.shape(i), "scores");
  Classes a = {};
  a.classes = y.shape(0), a.row = y.shape(1), a.grad = grad.data(), a.y = const_cast<float*>(y.data()), a.d_x = d_x.data();
  nb::gil_scoped_release released;
  each_vector(a, a.row, kernels->log_softmax_backward);
}

}  // namespace

void bind_pointwise(nb::module_& m) {
  m.def("relu", &relu, "x"_a, "y"_a);
  m.def("relu_backward", &relu_backward, "grad"_a, "y"_a, "d_x"_a);
  m.def("row_sums", &row_sums, "x"_a, "sums"_a);
  m.def("log_softmax", &log_softmax, "x"_a, "y"_a);
  m.def("log_softmax_backward", &log_softmax_backward, "grad"_a, "y"_a, "d_x"_a);
}
