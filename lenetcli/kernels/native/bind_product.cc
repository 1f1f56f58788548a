// Matrix products and Linear layers made of them: checks, strides, threads. The kernels are in product.h.
#include "bind.h"

namespace {

// The transposed product: C' = B' A'.
void transpose(Product& p) {
  std::swap(p.m, p.n);
  std::swap(p.a, p.b);
  std::swap(p.a_row, p.b_col);
  std::swap(p.a_col, p.b_row);
  std::swap(p.c_row, p.c_col);
  p.bias_columns = !p.bias_columns;
}

// Turns a product so that the kernels take it: few rows where there are few rows or columns, else neighbouring columns.
void turn(Product& p) {
  const bool turned = p.n < p.m;
  if (turned) transpose(p);
  p.few = p.m < FEW && p.m > 0 && (p.b_row == 1 || p.b_col == 1);
  if (p.few) return;
  if (turned) transpose(p);
  if (p.c_col != 1) transpose(p);
  check(p.c_col == 1 && !(p.bias && p.bias_columns), "result order");
}

size_t products_scratch(const Product* products, int count) {
  size_t need = 0;
  for (int i = 0; i < count; i++) need += rounded(kernels->product_scratch(products[i]));
  return need;
}

// Products that do not depend on each other, on all threads; `memory` holds products_scratch floats.
void run_products(Product* products, int count, float* memory) {
  double work = 0;
  std::vector<std::pair<int, int>> panels, units;
  for (int i = 0; i < count; i++) {
    Product& p = products[i];
    work += (double)p.m * p.n * p.k;
    p.packed = memory;
    memory += rounded(kernels->product_scratch(p));
    for (int j = 0; j < kernels->product_panels(p); j++) panels.push_back({i, j});
    for (int j = 0; j < kernels->product_units(p); j++) units.push_back({i, j});
  }
  auto pack = [&](int i, int) { kernels->product_pack(products[panels[i].first], panels[i].second); };
  auto unit = [&](int i, int) { kernels->product_unit(products[units[i].first], units[i].second); };
  spread(panels.size(), work, pack);
  spread(units.size(), work, unit);
}

// c = a @ b; c has neighbouring columns or neighbouring rows.
void product(Array<const float, 2> a, Array<const float, 2> b, Array<float, 2> c) {
  check(a.shape(1) == b.shape(0) && c.shape(0) == a.shape(0) && c.shape(1) == b.shape(1), "matrix shapes");
  Product p = {};
  p.m = c.shape(0), p.n = c.shape(1), p.k = a.shape(1), p.c = c.data();
  p.a = a.data(), p.a_row = a.stride(0), p.a_col = a.stride(1);
  p.b = b.data(), p.b_row = b.stride(0), p.b_col = b.stride(1);
  p.c_row = c.stride(0), p.c_col = c.stride(1);
  turn(p);
  nb::gil_scoped_release released;
  run_products(&p, 1, scratch(products_scratch(&p, 1)));
}

// y (N, O), batch-last = x (N, I) @ weight (O, I)' + bias, relu'd where asked.
void linear(Array<const float, 2> x, Array<const float, 2> weight, optional<Dense<const float, 1>> bias, bool relu,
            Array<float, 2> y) {
  check(x.shape(1) == weight.shape(1) && y.shape(0) == x.shape(0) && y.shape(1) == weight.shape(0), "linear shapes");
  check(!bias || bias->shape(0) == weight.shape(0), "bias shape");
  Product p = {};
  p.m = weight.shape(0), p.n = x.shape(0), p.k = x.shape(1);
  p.a = weight.data(), p.a_row = weight.stride(0), p.a_col = weight.stride(1);
  p.b = x.data(), p.b_row = x.stride(1), p.b_col = x.stride(0);
  p.c = y.data(), p.c_row = y.stride(1), p.c_col = y.stride(0), p.bias = bias ? bias->data() : nullptr, p.relu = relu;
  turn(p);
  nb::gil_scoped_release released;
  run_products(&p, 1, scratch(products_scratch(&p, 1)));
}

// Gradients of x, weight and bias, those that are given; with y (the relu'd output), grad counts where y is above zero.
void linear_backward(Array<const float, 2> grad, Array<const float, 2> x, Array<const float, 2> weight,
                     optional<Array<const float, 2>> y, optional<Array<float, 2>> d_x, optional<Dense<float, 2>> d_weight,
                     optional<Dense<float, 1>> d_bias) {
  const int batch = x.shape(0), in = x.shape(1), out = weight.shape(0);
  check((int)weight.shape(1) == in && (int)grad.shape(0) == batch && (int)grad.shape(1) == out, "linear shapes");
  check(!y || ((int)y->shape(0) == batch && (int)y->shape(1) == out), "output shape");
  check(!d_x || ((int)d_x->shape(0) == batch && (int)d_x->shape(1) == in), "input shape");
  check(!d_weight || ((int)d_weight->shape(0) == out && (int)d_weight->shape(1) == in), "weight shape");
  check(!d_bias || (int)d_bias->shape(0) == out, "bias shape");
  Rows rows = {batch, grad.data(), y ? y->data() : nullptr, grad.stride(1), grad.stride(0), y ? y->stride(1) : 0,
               y ? y->stride(0) : 0, nullptr, d_bias ? d_bias->data() : nullptr};
  Product products[2] = {};
  int count = 0;
  // the gradient as an operand, (O, N) in row order, has its place in memory (null here) from `scratch` below
  if (d_x) {  // (I, N) = weight' grad'
    Product& p = products[count++];
    p.m = in, p.n = batch, p.k = out;
    p.a = weight.data(), p.a_row = weight.stride(1), p.a_col = weight.stride(0);
    p.b_row = batch, p.b_col = 1;
    p.c = d_x->data(), p.c_row = d_x->stride(1), p.c_col = d_x->stride(0);
    turn(p);
  }
  if (d_weight) {  // (O, I) = grad' x
    Product& p = products[count++];
    p.m = out, p.n = in, p.k = batch;
    p.a_row = batch, p.a_col = 1;
    p.b = x.data(), p.b_row = x.stride(0), p.b_col = x.stride(1);
    p.c = d_weight->data(), p.c_row = in, p.c_col = 1;
    turn(p);
  }
  nb::gil_scoped_release released;
  const size_t room = rounded((size_t)out * batch);
  rows.d = scratch(room + products_scratch(products, count));
  for (int i = 0; i < count; i++) (products[i].a ? products[i].b : products[i].a) = rows.d;
  auto item = [&](int i, int) { kernels->masked_rows(rows, i * 8, std::min(i * 8 + 8, out)); };
  spread((out + 7) / 8, room, item);
  run_products(products, count, rows.d + room);
}

}  // namespace

void bind_product(nb::module_& m) {
  m.def("product", &product, "a"_a, "b"_a, "c"_a);
  m.def("linear", &linear, "x"_a, "weight"_a, "bias"_a.none(), "relu"_a, "y"_a);
  m.def("linear_backward", &linear_backward, "grad"_a, "x"_a, "weight"_a, "y"_a.none(), "d_x"_a.none(),
        "d_weight"_a.none(), "d_bias"_a.none());
}
