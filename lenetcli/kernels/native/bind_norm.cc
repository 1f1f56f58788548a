// Batch norm over rows (C, M): checks and threads. The kernels are in norm.h.
#include <cmath>

#include "recording.h"

namespace {

using Matrix = Dense<const float, 2>;
using Vector = optional<Dense<const float, 1>>;

template <class Float, class Double>
Norm rows(const Matrix& x, const Vector& weight, double eps, const Float& centre, const Double& offset,
          const Double& var) {
  const size_t channels = x.shape(0);
  check(x.shape(1) > 0 && centre.size() == channels && offset.size() == channels && var.size() == channels &&
            (!weight || weight->shape(0) == channels),
        "channels");
  Norm a = {};
  a.count = x.shape(1), a.eps = eps, a.x = x.data(), a.weight = weight ? weight->data() : nullptr;
  a.centre = const_cast<float*>(centre.data());
  a.offset = const_cast<double*>(offset.data()), a.var = const_cast<double*>(var.data());
  return a;
}

void run_forward(Norm a, const Matrix& x, const Vector& bias, const Dense<float, 2>& y) {
  check(y.shape(0) == x.shape(0) && y.shape(1) == x.shape(1) && (!bias || bias->shape(0) == x.shape(0)), "shapes");
  a.bias = bias ? bias->data() : nullptr, a.y = y.data();
  auto item = [&](int c, int) { kernels->norm_forward(a, c); };
  spread(x.shape(0), 4.0 * x.size(), item);
}

// y = norm of x, by moments that are results, too; false where a variance is not finite.
bool norm_forward(Matrix x, Vector weight, Vector bias, double eps, Dense<float, 1> centre, Dense<double, 1> offset,
                  Dense<double, 1> var, Dense<float, 2> y) {
  run_forward(rows(x, weight, eps, centre, offset, var), x, bias, y);
  return std::all_of(var.data(), var.data() + var.size(), [](double v) { return std::isfinite(v); });
}

// Moves running statistics towards a batch's, see lenetcli/kernels/norm.py.
void track(Dense<float, 1> mean, Dense<float, 1> var, Dense<const float, 1> centre, Dense<const double, 1> offset,
           Dense<const double, 1> batch_var, double momentum, int64_t count) {
  const size_t channels = mean.shape(0);
  check(var.shape(0) == channels && centre.shape(0) == channels && offset.shape(0) == channels &&
            batch_var.shape(0) == channels,
        "channels");
  const auto moved = [&](float kept, double now) { return (float)(kept * (float)(1 - momentum) + now * momentum); };
  for (size_t c = 0; c < channels; c++) {
    mean.data()[c] = moved(mean.data()[c], centre.data()[c] + offset.data()[c]);
    var.data()[c] = moved(var.data()[c], batch_var.data()[c] * (double)count / (double)(count - 1));
  }
}

// y = norm of x, by moments that are given.
void norm_given(Matrix x, Vector weight, Vector bias, double eps, Dense<const float, 1> mean, Dense<const float, 1> var,
                Dense<float, 2> y) {
  check(mean.size() == x.shape(0) && var.size() == x.shape(0), "channels");
  std::vector<double> none(mean.size()), wide(var.data(), var.data() + var.size());
  Norm a = rows(x, weight, eps, mean, none, wide);
  a.given = true;
  run_forward(a, x, bias, y);
}

void norm_backward(Matrix grad, Matrix x, Vector weight, double eps, bool given, Dense<const float, 1> centre,
                   Dense<const double, 1> offset, Dense<const double, 1> var, Dense<float, 2> d_x,
                   Dense<float, 1> d_weight, Dense<float, 1> d_bias) {
  Norm a = rows(x, weight, eps, centre, offset, var);
  for (int i = 0; i < 2; i++) check(grad.shape(i) == x.shape(i) && d_x.shape(i) == x.shape(i), "shapes");
  check(d_weight.shape(0) == x.shape(0) && d_bias.shape(0) == x.shape(0), "channels");
  a.grad = grad.data(), a.y = d_x.data(), a.given = given, a.d_weight = d_weight.data(), a.d_bias = d_bias.data();
  auto item = [&](int c, int) { kernels->norm_backward(a, c); };
  spread(x.shape(0), 6.0 * x.size(), item);
}

}  // namespace

void bind_norm(nb::module_& m) {
  define(m, "norm_forward", &norm_forward, "x"_a, "weight"_a.none(), "bias"_a.none(), "eps"_a, "centre"_a, "offset"_a,
         "var"_a, "y"_a);
  define(m, "track", &track, "mean"_a, "var"_a, "centre"_a, "offset"_a, "batch_var"_a, "momentum"_a, "count"_a);
  define(m, "norm_given", &norm_given, "x"_a, "weight"_a.none(), "bias"_a.none(), "eps"_a, "mean"_a, "var"_a, "y"_a);
  define(m, "norm_backward", &norm_backward, "grad"_a, "x"_a, "weight"_a.none(), "eps"_a, "given"_a, "centre"_a,
         "offset"_a, "var"_a, "d_x"_a, "d_weight"_a, "d_bias"_a);
}
