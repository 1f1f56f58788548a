// Recurrent layers: checks, the weights' panels, threads. The kernels are in recurrent.h.
#include "recording.h"

namespace {

using Given = Dense<const float, 2>;
using Made = Dense<float, 2>;
using Weight = Array<const float, 2>;
using Numbers = std::vector<int>;

struct Layer {
  Walk w = {};
  size_t rows, sequences;

  Layer(bool lstm, const Made& h, size_t units, size_t rows, const Numbers& starts, const Numbers& sizes)
      : rows(rows), sequences(h.shape(0)) {
    w.lstm = lstm, w.units = units, w.outputs = h.shape(1), w.h = h.data();
    w.steps = sizes.size(), w.starts = starts.data(), w.sizes = sizes.data();
    check(starts.size() == sizes.size(), "steps");
    for (size_t s = 0; s < sizes.size(); s++)
      check(sizes[s] >= 0 && sizes[s] <= (int)sequences && starts[s] >= 0 && starts[s] + sizes[s] <= (int)rows, "a step");
  }
  template <class View>
  float* all(const View& x, size_t width) const {  // of every row
    check(x.shape(0) == rows && x.shape(1) == width, "sizes of a layer");
    return const_cast<float*>(x.data());
  }
  float* state(const Made& x, size_t width) const {
    check(x.shape(0) == sequences && x.shape(1) == width, "sizes of a state");
    return x.data();
  }
  size_t gates() const { return (w.lstm ? 4 : 3) * w.units; }

  // Packs the weights, for the products a @ weight and a @ down, and runs the kernel for shares of the sequences.
  template <class Kernel>
  void run(const Weight& weight, const optional<Weight>& down, size_t room, Kernel kernel) {
    const double work = (double)rows * (weight.size() + (down ? down->size() : 0) + 40 * w.units);
    const int slots = workers(work);
    const int tiles = (sequences + kernels->tile - 1) / kernels->tile, shares = std::max(1, std::min(slots, tiles));
    const Product products[] = {matrix(weight), down ? matrix(*down) : Product{}};
    const size_t first = panels(products[0]), second = down ? panels(products[1]) : 0, each = rounded(room * sequences);
    float* memory = scratch(first + second + each);
    pack(products[0], memory), w.weight = memory;
    if (down) pack(products[1], memory + first), w.down = memory + first;
    float* rest = memory + first + second;
    auto item = [&](int i, int) {
      const int from = tiles * i / shares * kernels->tile, end = tiles * (i + 1) / shares * kernels->tile;
      kernel(w, from, std::min<int>(end, sequences), rest + (size_t)from * room);
    };
    spread(shares, work, item);
  }

 private:
  static Product matrix(const Weight& b) {
    Product p = {};
    p.k = b.shape(0), p.n = b.shape(1), p.b = b.data(), p.b_row = b.stride(0), p.b_col = b.stride(1);
    return p;
  }
  static int count(const Product& p) { return (p.n + kernels->panel - 1) / kernels->panel; }
  static size_t panels(const Product& p) { return rounded((size_t)count(p) * kernels->panel * p.k); }
  static void pack(const Product& p, float* to) { kernels->product_pack(p, {0, 0, count(p), 0, 0}, to); }
};

void check_weight(const Weight& x, size_t rows, size_t columns) {
  check(x.shape(0) == rows && x.shape(1) == columns, "sizes of a weight");
}

auto walk_forward = [](const Walk& w, int first, int end, float*) { kernels->walk(w, first, end); };
auto walk_back = [](const Walk& w, int first, int end, float* room) { kernels->walk_backward(w, first, end, room); };

void gru_walk(Made gates, Made hidden, Weight weight, Made h, Made before, Made y, Numbers starts, Numbers sizes) {
  const size_t H = h.shape(1);
  Layer layer(false, h, H, gates.shape(0), starts, sizes);
  check_weight(weight, H, layer.gates());
  layer.w.gates = layer.all(gates, layer.gates()), layer.w.hidden = layer.all(hidden, layer.gates());
  layer.w.before = layer.all(before, H), layer.w.y = layer.w.out = layer.all(y, H);
  layer.run(weight, {}, 0, walk_forward);
}

void gru_walk_backward(Made d_y, Given gates, Given hidden, Given before, Weight weight, Made d_h, Made d_gates,
                       Made d_hidden, Numbers starts, Numbers sizes) {
  const size_t H = d_h.shape(1);
  Layer layer(false, d_h, H, gates.shape(0), starts, sizes);
  check_weight(weight, layer.gates(), H);
  layer.w.gates = layer.all(gates, layer.gates()), layer.w.hidden = layer.all(hidden, layer.gates());
  layer.w.before = layer.all(before, H), layer.w.y = layer.all(d_y, H);
  layer.w.d_gates = layer.all(d_gates, layer.gates()), layer.w.d_hidden = layer.all(d_hidden, layer.gates());
  layer.run(weight, {}, 0, walk_back);
}

void lstm_walk(Made gates, Weight weight, optional<Weight> down, Made h, Made c, Made before, Made cell_before, Made cell,
               Made out, Made y, Numbers starts, Numbers sizes) {
  const size_t H = c.shape(1), R = h.shape(1);
  Layer layer(true, h, H, gates.shape(0), starts, sizes);
  check_weight(weight, R, layer.gates());
  if (down) check_weight(*down, H, R);
  check(down || H == R, "a projection");
  layer.w.c = layer.state(c, H), layer.w.gates = layer.all(gates, layer.gates()), layer.w.before = layer.all(before, R);
  layer.w.cell_before = layer.all(cell_before, H), layer.w.cell = layer.all(cell, H);
  layer.w.out = layer.all(out, H), layer.w.y = layer.all(y, R);
  check(down || layer.w.out == layer.w.y, "a projection");
  layer.run(weight, down, 0, walk_forward);
}

void lstm_walk_backward(Made d_y, Given gates, Given cell_before, Given cell, Weight weight, optional<Weight> down,
                        Made d_h, Made d_c, Made d_gates, Numbers starts, Numbers sizes) {
  const size_t H = d_c.shape(1), R = d_h.shape(1);
  Layer layer(true, d_h, H, gates.shape(0), starts, sizes);
  check_weight(weight, layer.gates(), R);
  if (down) check_weight(*down, R, H);
  check(down || H == R, "a projection");
  layer.w.c = layer.state(d_c, H), layer.w.gates = layer.all(gates, layer.gates());
  layer.w.cell_before = layer.all(cell_before, H), layer.w.cell = layer.all(cell, H), layer.w.y = layer.all(d_y, R);
  layer.w.d_gates = layer.all(d_gates, layer.gates());
  layer.run(weight, down, down ? H : 0, walk_back);
}

}  // namespace

void bind_recurrent(nb::module_& m) {
  define(m, "gru_walk", &gru_walk, "gates"_a, "hidden"_a, "weight"_a, "h"_a, "before"_a, "y"_a, "starts"_a, "sizes"_a);
  define(m, "gru_walk_backward", &gru_walk_backward, "d_y"_a, "gates"_a, "hidden"_a, "before"_a, "weight"_a, "d_h"_a,
         "d_gates"_a, "d_hidden"_a, "starts"_a, "sizes"_a);
  define(m, "lstm_walk", &lstm_walk, "gates"_a, "weight"_a, "down"_a.none(), "h"_a, "c"_a, "before"_a, "cell_before"_a,
         "cell"_a, "out"_a, "y"_a, "starts"_a, "sizes"_a);
  define(m, "lstm_walk_backward", &lstm_walk_backward, "d_y"_a, "gates"_a, "cell_before"_a, "cell"_a, "weight"_a,
         "down"_a.none(), "d_h"_a, "d_c"_a, "d_gates"_a, "starts"_a, "sizes"_a);
}
