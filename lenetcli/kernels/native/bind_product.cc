// Matrix products and Linear layers made of them: checks, strides, threads. The kernels are in product.h.
#include "recording.h"

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

constexpr size_t PACKED = 1 << 17;  // floats that a unit has packed at most: a part of the second-level cache
constexpr size_t CACHED = 1 << 17;  // of an A that every thread may read as a whole

// Units of a product, as many as are wanted or more. Panels are shared out first: then a thread has the columns, which
// are images, to itself from one product to the next. Only the rows of a large A are shared out, so that it is read
// once.
void plan(const Product& p, int number, int wanted, std::vector<ProductUnit>& units) {
  const int panels = (p.n + kernels->panel - 1) / kernels->panel,
            tiles = p.few ? 1 : (p.m + kernels->tile - 1) / kernels->tile;
  const int fitting = (int)std::min<size_t>(PACKED / ((size_t)kernels->panel * std::max(p.k, 1)), panels);
  const bool cached = p.few || (size_t)p.m * p.k <= CACHED;
  const int group = std::max(1, std::min(fitting, cached ? (panels + wanted - 1) / wanted : panels));
  const int groups = (panels + group - 1) / group, parts = std::min(tiles, (wanted + groups - 1) / std::max(groups, 1));
  for (int g = 0; g < groups; g++)
    for (int t = 0; t < parts; t++)
      units.push_back(
          {number, g * group, std::min(panels, (g + 1) * group), tiles * t / parts, tiles * (t + 1) / parts});
}

size_t packed_size(const Product& p, const ProductUnit& u) {
  return rounded(p.few ? (size_t)p.m * p.k : (size_t)(u.panel_end - u.panel) * kernels->panel * p.k);
}

// Products that do not depend on each other, on all threads. `front` floats of scratch memory are left to the caller,
// who is given them before any product is computed.
template <class Prepare>
void run_products(Product* products, int count, size_t front, Prepare prepare) {
  double work = 0;
  for (int i = 0; i < count; i++) work += (double)products[i].m * products[i].n * products[i].k;
  const int slots = workers(work);
  std::vector<ProductUnit> units;
  for (int i = 0; i < count; i++) plan(products[i], i, slots == 1 ? 1 : 2 * slots, units);
  size_t need = 0;
  for (const ProductUnit& u : units) need = std::max(need, packed_size(products[u.product], u));
  float* memory = scratch(front + need * slots);
  prepare(memory);
  std::vector<const ProductUnit*> holds(slots, nullptr);  // what each thread has packed
  auto item = [&](int i, int slot) {
    const ProductUnit &u = units[i], *held = holds[slot];
    const Product& p = products[u.product];
    float* packed = memory + front + slot * need;
    if (!held || held->product != u.product || (!p.few && (held->panel != u.panel || held->panel_end != u.panel_end)))
      kernels->product_pack(p, u, packed);
    holds[slot] = &u;
    kernels->product_unit(p, u, packed);
  };
  spread(units.size(), work, item);
}

void run_product(Product& p) {
  run_products(&p, 1, 0, [](float*) {});
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
  run_product(p);
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
  run_product(p);
}

// Gradients of x, weight (which may be missing where d_x is) and bias, those that are given; with y (the relu'd output), grad counts where y is above zero.
void linear_backward(Array<const float, 2> grad, Array<const float, 2> x, optional<Array<const float, 2>> weight,
                     optional<Array<const float, 2>> y, optional<Array<float, 2>> d_x,
                     optional<Dense<float, 2>> d_weight, optional<Dense<float, 1>> d_bias) {
  const int batch = x.shape(0), in = x.shape(1), out = grad.shape(1);
  check((int)grad.shape(0) == batch, "linear shapes");
  check(!weight || ((int)weight->shape(0) == out && (int)weight->shape(1) == in), "weight shape");
  check(weight || !d_x, "the input gradient needs the weight");
  check(!y || ((int)y->shape(0) == batch && (int)y->shape(1) == out), "output shape");
  check(!d_x || ((int)d_x->shape(0) == batch && (int)d_x->shape(1) == in), "input shape");
  check(!d_weight || ((int)d_weight->shape(0) == out && (int)d_weight->shape(1) == in), "weight shape");
  check(!d_bias || (int)d_bias->shape(0) == out, "bias shape");
  Rows rows = {batch, grad.data(), y ? y->data() : nullptr, grad.stride(1), grad.stride(0), y ? y->stride(1) : 0,
               y ? y->stride(0) : 0, nullptr, d_bias ? d_bias->data() : nullptr};
  Product products[2] = {};
  int count = 0;
  // the gradient as an operand, (O, N) in row order, gets its place in memory (null here) below
  if (d_x) {  // (I, N) = weight' grad'
    Product& p = products[count++];
    p.m = in, p.n = batch, p.k = out;
    p.a = weight->data(), p.a_row = weight->stride(1), p.a_col = weight->stride(0);
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
  const size_t room = rounded((size_t)out * batch);
  run_products(products, count, room, [&](float* memory) {
    rows.d = memory;
    for (int i = 0; i < count; i++) (products[i].a ? products[i].b : products[i].a) = memory;
    auto item = [&](int i, int) { kernels->masked_rows(rows, i * 8, std::min(i * 8 + 8, out)); };
    spread((out + 7) / 8, room, item);
  });
}

}  // namespace

void bind_product(nb::module_& m) {
  define(m, "product", &product, "a"_a, "b"_a, "c"_a);
  define(m, "linear", &linear, "x"_a, "weight"_a, "bias"_a.none(), "relu"_a, "y"_a);
  define(m, "linear_backward", &linear_backward, "grad"_a, "x"_a, "weight"_a.none(), "y"_a.none(), "d_x"_a.none(),
        "d_weight"_a.none(), "d_bias"_a.none());
}
