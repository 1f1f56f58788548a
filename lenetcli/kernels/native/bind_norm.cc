// Normalisation: which values share moments, checks and threads. The kernels are in norm.h.
#include <nanobind/stl/tuple.h>

#include <cmath>

#include "recording.h"

namespace {

using Slabs = Dense<const float, 3>;  // (slabs, rows, lanes)
using Vector = optional<Dense<const float, 1>>;

// Where weight and bias belong.
enum Place { OF_SLAB, OF_LANE, OF_ELEMENT };

// How values lie: units of several slabs have moments in common, one for all of a unit, or with columns one for every
// `adjacent` lanes.
using Scheme = std::tuple<int, bool, int, int>;  // units, columns, adjacent, place

constexpr int64_t CHUNK = 16384;  // elements of a piece of columns

struct Layout {
  int64_t slabs, rows, lanes;
  int units, adjacent, place;
  bool columns;
  int64_t per_unit, width, stats, part_rows, parts;

  Layout(const Slabs& x, const Scheme& scheme)
      : slabs(x.shape(0)), rows(x.shape(1)), lanes(x.shape(2)), units(std::get<0>(scheme)),
        adjacent(std::get<2>(scheme)), place(std::get<3>(scheme)), columns(std::get<1>(scheme)) {
    check(slabs > 0 && rows > 0 && lanes > 0 && units > 0 && slabs % units == 0 && adjacent > 0, "shape");
    check(columns ? lanes % adjacent == 0 : rows == 1, "rows and lanes");
    per_unit = slabs / units;
    width = columns ? lanes : 1;
    stats = width / (columns ? adjacent : 1);
    part_rows = columns ? std::max<int64_t>(16, CHUNK / lanes) : 1;
    parts = (rows + part_rows - 1) / part_rows;
  }

  int64_t unit_size() const { return per_unit * rows * lanes; }
  double count() const { return (double)unit_size() / stats; }
  int64_t pieces() const { return per_unit * parts; }  // of a unit
  int64_t stat(int64_t unit, int64_t lane) const { return unit * stats + (columns ? lane / adjacent : 0); }
  int64_t elements() const { return columns ? rows : lanes; }
  int64_t channels() const { return place == OF_LANE ? lanes : slabs; }  // at least as many slabs as channels
};

struct Units {
  int64_t first, end;
};

struct Arguments {
  const float *x, *grad, *weight, *bias;
  int64_t channels;  // weights there are; slabs beyond begin again
  float* y;
  double eps;
  bool given, centred, relu;
  float* centre;
  double *offset, *var;
};

class Norm {
  const Layout l;
  const Arguments a;
  // of each slab and lane: what kernels take; of each piece and lane: what they give
  std::vector<float> centre, factor, shift, down, up;
  std::vector<double> sums, products;

  // One phase for all pieces of some units, by all threads where there is no other unit: one(piece), the gradient's or not.
  template <class One>
  void each_piece(Units units, bool with_grad, One one) {
    const int64_t first = units.first * l.pieces(), count = (units.end - units.first) * l.pieces();
    auto item = [&](int i, int) {
      NormPiece p = piece(first + i, with_grad);
      one(p);
    };
    if (l.units == 1) return spread(l.pieces(), 4.0 * l.unit_size(), item);
    if (l.columns) {
      for (int i = 0; i < count; i++) item(i, 0);
      return;
    }
    NormPiece p = piece(first, with_grad);  // runs, one after the other
    p.count = count;
    one(p);
  }

  template <class One>
  void each_units(One one) {
    if (l.units == 1) return one(Units{0, 1});
    const int several = std::max<int64_t>(1, CHUNK / l.unit_size());
    auto item = [&](int i, int) { one(Units{i * several, std::min((i + 1) * several, l.units)}); };
    spread((l.units + several - 1) / several, 4.0 * l.units * l.unit_size(), item);
  }

  NormPiece piece(int64_t number, bool with_grad) {
    const int64_t slab = number / l.parts, row = number % l.parts * l.part_rows, at = slab * l.width;
    const int64_t from = (slab * l.rows + row) * l.lanes;
    NormPiece p = {};
    p.count = 1, p.step = l.lanes, p.columns = l.columns, p.relu = a.relu, p.rows = std::min(l.part_rows, l.rows - row), p.lanes = l.lanes;
    p.x = a.x + from, p.grad = with_grad ? a.grad + from : nullptr, p.y = a.y ? a.y + from : nullptr;
    if (l.place == OF_ELEMENT) p.weight = a.weight ? a.weight + row : nullptr, p.bias = a.bias ? a.bias + row : nullptr;
    p.centre = &centre[at], p.factor = &factor[at], p.shift = &shift[at];
    if (with_grad && !a.given) p.down = &down[at], p.up = &up[at];
    p.sums = &sums[number * l.width], p.products = &products[number * l.width];
    return p;
  }

  int64_t channel(int64_t slab, int64_t lane) const { return l.place == OF_LANE ? lane : slab % a.channels; }
  double weight(int64_t slab, int64_t lane) const {
    return a.weight && l.place != OF_ELEMENT ? a.weight[channel(slab, lane)] : 1;
  }

  // Calls one(slab, lane, stat) for all numbers of some units.
  template <class One>
  void each_number(Units units, One one) const {
    for (int64_t unit = units.first; unit < units.end; unit++)
      for (int64_t slab = unit * l.per_unit; slab < (unit + 1) * l.per_unit; slab++)
        for (int64_t lane = 0; lane < l.width; lane++) one(slab, lane, l.stat(unit, lane));
  }

  // Calls one(slab, lane, stat, sum, product) for the sums of all pieces of some units.
  template <class One>
  void each_sum(Units units, One one) {
    each_number(units, [&](int64_t slab, int64_t lane, int64_t stat) {
      double sum = 0, product = 0;
      for (int64_t i = (slab * l.parts) * l.width + lane; i < (slab + 1) * l.parts * l.width; i += l.width)
        sum += sums[i], product += products[i];
      one(slab, lane, stat, sum, product);
    });
  }

  void set_centre(Units units) {
    each_number(units, [&](int64_t slab, int64_t lane, int64_t stat) { centre[slab * l.width + lane] = a.centre[stat]; });
  }

  // An eighth of rows, or of lanes in whole vectors.
  int64_t few_of(int64_t size) const {
    const int64_t few = (size + 7) / 8;
    return l.columns ? few : std::min(size, (few + 15) / 16 * 16);
  }

  // Mean and variance by sums of differences from the mean of an eighth of the values.
  void find_moments(Units units) {
    const int64_t first = units.first * l.stats, end = units.end * l.stats;
    double few = 0;
    std::fill(a.offset + first, a.offset + end, 0.0);
    std::fill(a.var + first, a.var + end, 0.0);
    if (a.centred) {
      each_piece(units, false, [&](NormPiece& p) {
        p.relu = false, p.weight = nullptr, p.centre = nullptr;
        (l.columns ? p.rows : p.lanes) = few_of(l.columns ? p.rows : p.lanes);
        kernels->norm_sums(p);
      });
      for (int64_t i = 0; i < l.parts; i++)
        few += few_of(l.columns ? std::min(l.part_rows, l.rows - i * l.part_rows) : l.lanes);
      few *= l.per_unit * (l.columns ? l.adjacent : 1);
      each_sum(units, [&](int64_t, int64_t, int64_t stat, double sum, double) { a.offset[stat] += sum; });
    }
    for (int64_t i = first; i < end; i++) a.centre[i] = a.centred ? a.offset[i] / few : 0, a.offset[i] = 0;
    set_centre(units);
    each_piece(units, false, [&](NormPiece& p) {
      p.relu = false, p.weight = nullptr;
      kernels->norm_sums(p);
    });
    each_sum(units, [&](int64_t, int64_t, int64_t stat, double sum, double product) {
      a.offset[stat] += sum, a.var[stat] += product;
    });
    const double count = l.count();
    for (int64_t i = first; i < end; i++) {
      a.offset[i] = a.centred ? a.offset[i] / count : 0;
      const double found = a.var[i] / count - a.offset[i] * a.offset[i];
      a.var[i] = found < 0 ? 0 : found;
    }
  }

  void set_factors(Units units) {
    each_number(units, [&](int64_t slab, int64_t lane, int64_t stat) {
      const int64_t at = slab * l.width + lane;
      const double scale = weight(slab, lane) / std::sqrt(a.var[stat] + a.eps);
      const double bias = a.bias && l.place != OF_ELEMENT ? a.bias[channel(slab, lane)] : 0;
      factor[at] = scale, shift[at] = bias - a.offset[stat] * scale;
    });
  }

 public:
  Norm(const Layout& layout, const Arguments& arguments)
      : l(layout), a(arguments), centre(l.slabs * l.width), factor(centre.size()), shift(centre.size()),
        down(a.grad ? centre.size() : 0), up(down.size()), sums(l.slabs * l.parts * l.width), products(sums.size()) {}

  void moments() {
    each_units([&](Units units) { find_moments(units); });
  }

  void forward() {
    each_units([&](Units units) {
      a.given ? set_centre(units) : find_moments(units);
      set_factors(units);
      each_piece(units, false, [&](NormPiece& p) { kernels->norm_apply(p); });
    });
  }

  // d_weight and d_bias have one number for each channel; those of elements are found by `elements`.
  void backward(bool wanted, float* d_weight, float* d_bias) {
    std::vector<double> share(l.slabs * l.width), whole(share.size());  // of each slab and lane
    std::vector<double> total(l.units * l.stats), dot(total.size());
    each_units([&](Units units) {
      set_centre(units);
      set_factors(units);
      each_piece(units, true, [&](NormPiece& p) { kernels->norm_sums(p); });
      each_sum(units, [&](int64_t slab, int64_t lane, int64_t stat, double sum, double product) {
        const double inverse = 1 / std::sqrt(a.var[stat] + a.eps), w = weight(slab, lane);
        const int64_t at = slab * l.width + lane;
        whole[at] = sum;
        share[at] = (product - a.offset[stat] * sum) * inverse;
        total[stat] += w * sum, dot[stat] += w * share[at];
      });
      if (!wanted) return;
      const double count = l.count();
      each_number(units, [&](int64_t slab, int64_t lane, int64_t stat) {
        const int64_t at = slab * l.width + lane;
        const double inverse = 1 / std::sqrt(a.var[stat] + a.eps), slope = inverse * inverse * dot[stat] / count;
        down[at] = slope, up[at] = slope * a.offset[stat] - (a.centred ? inverse * total[stat] / count : 0);
      });
      each_piece(units, true, [&](NormPiece& p) { kernels->norm_apply(p); });
    });
    if (l.place == OF_ELEMENT) return;
    std::vector<double> sum(a.channels), product(a.channels);
    for (int64_t slab = 0; slab < l.slabs; slab++)
      for (int64_t lane = 0; lane < l.width; lane++) {
        const int64_t at = slab * l.width + lane, c = channel(slab, lane);
        sum[c] += whole[at], product[c] += share[at];
      }
    std::copy(sum.begin(), sum.end(), d_bias);
    std::copy(product.begin(), product.end(), d_weight);
  }

  // Of weights of single elements, after `backward`: each thread takes some elements through all units.
  void elements(float* d_weight, float* d_bias) {
    constexpr int SOME = 512, UNITS = 64;  // elements of one item; sums that are taken in floats
    auto item = [&](int number, int) {
      const int64_t first = number * SOME, count = std::min<int64_t>(SOME, l.elements() - first);
      double sum[SOME] = {}, product[SOME] = {};
      for (int64_t slab = 0; slab < l.slabs;) {
        float d_b[SOME] = {}, d_w[SOME] = {};
        for (const int64_t end = std::min(slab + UNITS, l.slabs); slab < end;) {
          NormPiece p = piece(slab * l.parts, true);
          p.count = l.columns ? 1 : end - slab;
          const int64_t from = first * (l.columns ? l.lanes : 1);
          (l.columns ? p.rows : p.lanes) = count;
          p.x = a.x + slab * l.rows * l.lanes + from, p.grad = a.grad + slab * l.rows * l.lanes + from;
          p.d_weight = d_w, p.d_bias = d_b;
          kernels->norm_elements(p);
          slab += p.count;
        }
        for (int i = 0; i < count; i++) sum[i] += d_b[i], product[i] += d_w[i];
      }
      std::copy(sum, sum + count, d_bias + first);
      std::copy(product, product + count, d_weight + first);
    };
    spread((l.elements() + SOME - 1) / SOME, 4.0 * l.slabs * l.rows * l.lanes, item);
  }
};

template <class Float, class Double>
Arguments arguments(const Layout& l, const Slabs& x, const Vector& weight, double eps, bool given, bool centred,
                    bool relu, const Float& centre, const Double& offset, const Double& var) {
  const size_t stats = l.units * l.stats;
  check(!relu || l.place != OF_ELEMENT, "relu");
  check(centre.size() == stats && offset.size() == stats && var.size() == stats, "moments");
  Arguments a = {};
  a.x = x.data(), a.weight = weight ? weight->data() : nullptr, a.eps = eps, a.given = given, a.centred = centred;
  a.relu = relu, a.centre = const_cast<float*>(centre.data());
  a.offset = const_cast<double*>(offset.data()), a.var = const_cast<double*>(var.data());
  a.channels = weight ? weight->shape(0) : l.channels();
  return a;
}

template <class T>
void check_weights(const Layout& l, const T& weight) {
  const int64_t size = weight.shape(0);
  check(l.place == OF_ELEMENT ? size == l.elements() : l.place == OF_LANE ? size == l.lanes : l.slabs % size == 0,
        "weights");
}

template <class Float, class Double>
void run_forward(const Slabs& x, const Scheme& scheme, const Vector& weight, const Vector& bias, double eps, bool given,
                 bool centred, bool relu, const Float& centre, const Double& offset, const Double& var,
                 const Dense<float, 3>& y) {
  const Layout l(x, scheme);
  Arguments a = arguments(l, x, weight, eps, given, centred, relu, centre, offset, var);
  for (int i = 0; i < 3; i++) check(y.shape(i) == x.shape(i), "shapes");
  if (weight) check_weights(l, *weight);
  if (bias) check_weights(l, *bias), a.channels = bias->shape(0);
  check(!weight || !bias || weight->shape(0) == bias->shape(0), "weights");
  a.bias = bias ? bias->data() : nullptr, a.y = y.data();
  Norm(l, a).forward();
}

bool finite_moments(const Dense<double, 1>& var) {
  return std::all_of(var.data(), var.data() + var.size(), [](double v) { return std::isfinite(v); });
}

// The moments alone.
bool norm_moments(Slabs x, Scheme scheme, bool centred, Dense<float, 1> centre, Dense<double, 1> offset,
                  Dense<double, 1> var) {
  const Layout l(x, scheme);
  Norm(l, arguments(l, x, {}, 0, false, centred, false, centre, offset, var)).moments();
  return finite_moments(var);
}

// What they make of x.
void norm_apply(Slabs x, Scheme scheme, Vector weight, Vector bias, double eps, bool relu, Dense<const float, 1> centre,
                Dense<const double, 1> offset, Dense<const double, 1> var, Dense<float, 3> y) {
  run_forward(x, scheme, weight, bias, eps, true, true, relu, centre, offset, var, y);
}

// False where a variance, which is a result as the other moments are, is not finite.
bool norm_forward(Slabs x, Scheme scheme, Vector weight, Vector bias, double eps, bool centred, bool relu,
                  Dense<float, 1> centre, Dense<double, 1> offset, Dense<double, 1> var, Dense<float, 3> y) {
  run_forward(x, scheme, weight, bias, eps, false, centred, relu, centre, offset, var, y);
  return finite_moments(var);
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

// y = norm of x by moments of channels that are given.
void norm_given(Slabs x, Scheme scheme, Vector weight, Vector bias, double eps, bool relu, Dense<const float, 1> mean,
                Dense<const float, 1> var, Dense<float, 3> y) {
  std::vector<double> none(mean.size()), wide(var.data(), var.data() + var.size());
  run_forward(x, scheme, weight, bias, eps, true, true, relu, mean, none, wide, y);
}

void norm_backward(Slabs grad, Slabs x, Scheme scheme, Vector weight, Vector bias, double eps, bool given, bool centred,
                   bool relu, Dense<const float, 1> centre, Dense<const double, 1> offset, Dense<const double, 1> var,
                   optional<Dense<float, 3>> d_x, optional<Dense<float, 1>> d_weight,
                   optional<Dense<float, 1>> d_bias) {
  const Layout l(x, scheme);
  Arguments a = arguments(l, x, weight, eps, given, centred, relu, centre, offset, var);
  for (int i = 0; i < 3; i++) check(grad.shape(i) == x.shape(i) && (!d_x || d_x->shape(i) == x.shape(i)), "shapes");
  if (weight) check_weights(l, *weight);
  check(!d_weight == !d_bias, "gradients of weights");
  if (d_weight) check_weights(l, *d_weight), check_weights(l, *d_bias), a.channels = d_weight->shape(0);
  a.bias = bias ? bias->data() : nullptr;
  a.grad = grad.data(), a.y = d_x ? d_x->data() : nullptr;
  std::vector<float> unwanted(d_weight ? 0 : a.channels);
  Norm norm(l, a);
  norm.backward((bool)d_x, d_weight ? d_weight->data() : unwanted.data(), d_bias ? d_bias->data() : unwanted.data());
  if (d_weight && l.place == OF_ELEMENT) norm.elements(d_weight->data(), d_bias->data());
}

}  // namespace

void bind_norm(nb::module_& m) {
  define(m, "norm_forward", &norm_forward, "x"_a, "scheme"_a, "weight"_a.none(), "bias"_a.none(), "eps"_a, "centred"_a,
         "relu"_a, "centre"_a, "offset"_a, "var"_a, "y"_a);
  define(m, "norm_given", &norm_given, "x"_a, "scheme"_a, "weight"_a.none(), "bias"_a.none(), "eps"_a, "relu"_a,
         "mean"_a, "var"_a, "y"_a);
  define(m, "norm_moments", &norm_moments, "x"_a, "scheme"_a, "centred"_a, "centre"_a, "offset"_a, "var"_a);
  define(m, "norm_apply", &norm_apply, "x"_a, "scheme"_a, "weight"_a.none(), "bias"_a.none(), "eps"_a, "relu"_a,
         "centre"_a, "offset"_a, "var"_a, "y"_a);
  define(m, "track", &track, "mean"_a, "var"_a, "centre"_a, "offset"_a, "batch_var"_a, "momentum"_a, "count"_a);
  define(m, "norm_backward", &norm_backward, "grad"_a, "x"_a, "scheme"_a, "weight"_a.none(), "bias"_a.none(), "eps"_a,
         "given"_a, "centred"_a, "relu"_a, "centre"_a, "offset"_a, "var"_a, "d_x"_a.none(), "d_weight"_a.none(),
         "d_bias"_a.none());
}
