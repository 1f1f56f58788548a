// Sliding windows: checks, what each place gathers, threads. The kernels are in window.h.
#include <nanobind/stl/pair.h>

#include <numeric>

#include "recording.h"

namespace {

using Pair = std::pair<int, int>;  // rows, columns
using Images = Dense<const float, 4>;

// One axis: windows of `kernel` taps over `size` pixels, `out` of them.
struct Slide {
  int size, out, kernel, stride, padding, dilation;
};

int up(int a, int b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }  // a / b, rounded up

// What each window gathers: its pixels.
std::vector<Reach> forward_reach(const Slide& s) {
  std::vector<Reach> reach;
  for (int q = 0; q < s.out; q++) {
    const int begin = q * s.stride - s.padding, first = std::max(0, up(-begin, s.dilation));
    const int last = std::min(s.kernel, up(s.size - begin, s.dilation));
    reach.push_back({first, begin + first * s.dilation, std::max(0, last - first)});
  }
  return reach;
}

// What each pixel gathers: the windows that hold it.
std::vector<Reach> backward_reach(const Slide& s) {
  std::vector<Reach> reach(s.size);
  for (int w = 0; w < s.size; w++)
    for (int tap = 0; tap < s.kernel; tap++) {
      const int begin = w + s.padding - tap * s.dilation;
      if (begin < 0 || begin % s.stride || begin / s.stride >= s.out) continue;
      if (!reach[w].count++) reach[w].tap = tap, reach[w].place = begin / s.stride;
    }
  return reach;
}

Axis axis(const Slide& s, bool backward) {
  if (!backward) return {s.out, s.size, 1, s.dilation, 1, s.stride};
  const int common = std::gcd(s.stride, s.dilation);
  return {s.size, s.out, s.stride / common, -s.dilation / common, s.stride, 1};
}

std::vector<Run> all_runs(const Axis& a, const std::vector<Reach>& reach) {
  std::vector<Run> runs;
  for (int phase = 0; phase < a.step; phase++)
    for (int w = phase; w < a.size; w += a.step) {
      const Reach& r = reach[w];
      if (w > phase) {
        Run& last = runs.back();
        const Reach& before = last.reach;
        if (r.tap == before.tap && r.count == before.count && r.place == before.place + last.number * a.source_step) {
          last.number++;
          continue;
        }
      }
      runs.push_back({w, 1, r});
    }
  return runs;
}

struct Geometry {
  Slide rows, columns;
  std::vector<Reach> reach;
  std::vector<Run> runs;

  // image and windows are (C, H, W, N) and (C, P, Q, N).
  template <class Image, class Windowed>
  Geometry(const Image& image, const Windowed& windows, Pair kernel, Pair stride, Pair padding, Pair dilation)
      : rows{(int)image.shape(1), (int)windows.shape(1), kernel.first, stride.first, padding.first, dilation.first},
        columns{(int)image.shape(2), (int)windows.shape(2), kernel.second,
                stride.second,       padding.second,        dilation.second} {
    check(image.shape(3) == windows.shape(3), "batch");
    for (const Slide& s : {rows, columns})
      check(s.kernel > 0 && s.stride > 0 && s.padding >= 0 && s.dilation > 0, "window");
    check(kernel.first * kernel.second <= MOST_TAPS, "window");
  }

  Windows windows(bool backward, int n, const float* x, float* y) {
    Windows a = {};
    a.n = n, a.x = x, a.y = y, a.taps_across = columns.kernel, a.taps = taps();
    a.rows = axis(rows, backward), a.columns = axis(columns, backward);
    reach = backward ? backward_reach(rows) : forward_reach(rows);
    runs = all_runs(a.columns, backward ? backward_reach(columns) : forward_reach(columns));
    a.reach = reach.data(), a.runs = runs.data(), a.runs_end = a.runs + runs.size();
    return a;
  }

  double backward_taps() const { return (double)taps() / (rows.stride * columns.stride); }  // on average
  int64_t taps() const { return (int64_t)rows.kernel * columns.kernel; }
};

template <class A, class B>
bool same(const A& a, const B& b) {
  for (int i = 0; i < 4; i++)
    if (a.shape(i) != b.shape(i)) return false;
  return true;
}

// one(row) for each row of a result, where each element is as much work as `cost` multiply-adds.
template <class Result, class One>
void each_row(const Result& y, double cost, One one) {
  const int rows = y.shape(0) * y.shape(1);
  const double work = cost * y.size() * (y.shape(3) < 4 ? 4 : 1);  // few images fill no vectors
  auto item = [&](int i, int) {
    for (int row = i * 4; row < std::min(i * 4 + 4, rows); row++) one(row);
  };
  spread((rows + 3) / 4, work, item);
}

void max_pool(Images x, Pair kernel, Pair stride, Pair padding, Pair dilation, Dense<float, 4> y,
              Dense<uint8_t, 4> winner) {
  Geometry g(x, y, kernel, stride, padding, dilation);
  check(x.shape(0) == y.shape(0) && same(y, winner), "pooled shape");
  Windows a = g.windows(false, x.shape(3), x.data(), y.data());
  a.winner = winner.data();
  each_row(y, 4 + 2 * g.taps(), [&](int row) { kernels->max_pool(a, row); });
}

void max_pool_backward(Images grad, Dense<const uint8_t, 4> winner, Pair kernel, Pair stride, Pair padding,
                       Pair dilation, Dense<float, 4> d_x) {
  Geometry g(d_x, grad, kernel, stride, padding, dilation);
  check(d_x.shape(0) == grad.shape(0) && same(grad, winner), "pooled shape");
  Windows a = g.windows(true, d_x.shape(3), grad.data(), d_x.data());
  a.winner = const_cast<uint8_t*>(winner.data());
  each_row(d_x, 4 + 2 * g.backward_taps(), [&](int row) { kernels->max_pool_backward(a, row); });
}

void avg_pool(Images x, Dense<const float, 2> divisor, Pair kernel, Pair stride, Pair padding, Dense<float, 4> y) {
  Geometry g(x, y, kernel, stride, padding, {1, 1});
  check(x.shape(0) == y.shape(0) && divisor.shape(0) == y.shape(1) && divisor.shape(1) == y.shape(2), "pooled shape");
  Windows a = g.windows(false, x.shape(3), x.data(), y.data());
  a.divisor = divisor.data();
  each_row(y, 4 + g.taps(), [&](int row) { kernels->window_sums(a, row); });
}

void avg_pool_backward(Images grad, Dense<const float, 2> divisor, Pair kernel, Pair stride, Pair padding,
                       Dense<float, 4> d_x) {
  Geometry g(d_x, grad, kernel, stride, padding, {1, 1});
  check(d_x.shape(0) == grad.shape(0) && divisor.shape(0) == grad.shape(1) && divisor.shape(1) == grad.shape(2),
        "pooled shape");
  const float *from = grad.data(), *by = divisor.data();
  const int n = grad.shape(3), columns = grad.shape(2), height = grad.shape(1);
  float* share = scratch(grad.size());
  each_row(grad, 4, [&](int row) {
    for (int64_t q = (int64_t)row * columns, end = q + columns; q < end; q++) {
      const float count = by[q % ((int64_t)height * columns)];
      for (int64_t i = q * n; i < (q + 1) * n; i++) share[i] = from[i] / count;
    }
  });
  Windows a = g.windows(true, n, share, d_x.data());
  each_row(d_x, 4 + g.backward_taps(), [&](int row) { kernels->window_sums(a, row); });
}

// Images (C, H, W, N) as sums of columns (C, K, L, P, Q, N): each adds to the pixel that its window's tap meets.
void image_sums(Dense<const float, 6> columns, Pair stride, Pair padding, Pair dilation, Dense<float, 4> image) {
  struct {
    int64_t p, q, n;
    size_t shape(int i) const { return i == 1 ? p : i == 2 ? q : n; }
  } windows = {(int64_t)columns.shape(3), (int64_t)columns.shape(4), (int64_t)columns.shape(5)};
  Geometry g(image, windows, {(int)columns.shape(1), (int)columns.shape(2)}, stride, padding, dilation);
  check(image.shape(0) == columns.shape(0), "channels");
  Windows a = g.windows(true, image.shape(3), columns.data(), image.data());
  each_row(image, 4 + g.backward_taps(), [&](int row) { kernels->tap_sums(a, row); });
}

// Convolutions of groups of few channels: `sources` of the in-channels make `results` of the out-channels.
struct Groups {
  int sources, results;

  template <class Weight>
  Groups(const Weight& weight, int in, int out) : sources(weight.shape(1)), results(0) {
    const int groups = in / sources;
    check(in == groups * sources && (int)weight.shape(0) == out && groups > 0 && out % groups == 0, "channels");
    results = out / groups;
  }
};

template <class Weight>
Pair side(const Weight& weight) { return {weight.shape(2), weight.shape(3)}; }

void grouped_forward(Images x, Images weight, optional<Dense<const float, 1>> bias, Pair stride, Pair padding,
                     Pair dilation, Dense<float, 4> y) {
  const Groups groups(weight, x.shape(0), y.shape(0));
  Geometry g(x, y, side(weight), stride, padding, dilation);
  check(!bias || bias->shape(0) == y.shape(0), "bias shape");
  Windows a = g.windows(false, x.shape(3), x.data(), y.data());
  a.sources = groups.sources, a.results = groups.results;
  a.weight = weight.data(), a.bias = bias ? bias->data() : nullptr;
  a.weight_source = g.taps(), a.weight_result = a.weight_source * a.sources,
  a.weight_group = a.weight_result * a.results;
  each_row(y, g.taps() * a.sources, [&](int row) { kernels->weighted_sums(a, row); });
}

void grouped_input(Images grad, Images weight, Pair stride, Pair padding, Pair dilation, Dense<float, 4> d_x) {
  const Groups groups(weight, d_x.shape(0), grad.shape(0));
  Geometry g(d_x, grad, side(weight), stride, padding, dilation);
  Windows a = g.windows(true, d_x.shape(3), grad.data(), d_x.data());
  a.sources = groups.results, a.results = groups.sources;
  a.weight = weight.data();
  a.weight_result = g.taps(), a.weight_source = a.weight_result * groups.sources;
  a.weight_group = a.weight_source * groups.results;
  each_row(d_x, g.backward_taps() * a.sources, [&](int row) { kernels->weighted_sums(a, row); });
}

void grouped_weight(Images grad, Images x, Pair stride, Pair padding, Pair dilation, Dense<float, 4> d_weight) {
  const Groups groups(d_weight, x.shape(0), grad.shape(0));
  Geometry g(x, grad, side(d_weight), stride, padding, dilation);
  Windows a = g.windows(false, x.shape(3), x.data(), const_cast<float*>(grad.data()));
  a.sources = groups.sources, a.results = groups.results;
  a.d_weight = d_weight.data();
  a.weight_source = g.taps(), a.weight_result = a.weight_source * a.sources,
  a.weight_group = a.weight_result * a.results;
  const double work = (double)grad.size() * g.taps() * a.sources * (grad.shape(3) < 4 ? 4 : 1);
  const int pairs = d_weight.shape(0) * d_weight.shape(1);
  auto item = [&](int pair, int) { kernels->weighted_gradient(a, pair); };
  spread(pairs, work, item);
}

// Where channels are the fastest axis: groups of as many out- as in-channels, up to 8 of them, or 32 for the input's
// gradient. Images are (N, H, W, C).
int group_of(const Images& weight, int channels, int most = 8) {
  const int size = weight.shape(1);
  check((int)weight.shape(0) == channels && size > 0 && size <= most && (size & (size - 1)) == 0 &&
            channels % size == 0,
        "channels");
  return size;
}

// Weights (O, C, K, L) as (taps, C, O), or with in- and out-channels of each group having changed places.
void lane_weights(const Images& weight, int64_t taps, bool turned, float* to) {
  const int out = weight.shape(0), size = weight.shape(1);
  for (int o = 0; o < out; o++)
    for (int c = 0; c < size; c++) {
      const float* from = weight.data() + (o * size + c) * taps;
      const int lane = turned ? o / size * size + c : o, which = turned ? o % size : c;
      for (int64_t t = 0; t < taps; t++) to[(t * size + which) * out + lane] = from[t];
    }
}

void lanes_forward(Images x, Images weight, optional<Dense<const float, 1>> bias, Pair stride, Pair padding,
                   Pair dilation, Dense<float, 4> y) {
  const int group = group_of(weight, x.shape(3));
  Geometry g(x, y, side(weight), stride, padding, dilation);
  check(x.shape(0) == y.shape(0) && (!bias || bias->shape(0) == y.shape(3)), "shapes");
  float* packed = scratch(weight.size());
  lane_weights(weight, g.taps(), false, packed);
  Windows a = g.windows(false, x.shape(3), x.data(), y.data());
  a.sources = group, a.weight = packed, a.bias = bias ? bias->data() : nullptr;
  each_row(y, g.taps() * group, [&](int row) { kernels->lane_sums(a, row); });
}

void lanes_input(Images grad, Images weight, Pair stride, Pair padding, Pair dilation, Dense<float, 4> d_x) {
  const int group = group_of(weight, grad.shape(3), 32);
  Geometry g(d_x, grad, side(weight), stride, padding, dilation);
  check(grad.shape(0) == d_x.shape(0), "shapes");
  float* packed = scratch(weight.size());
  lane_weights(weight, g.taps(), true, packed);
  Windows a = g.windows(true, d_x.shape(3), grad.data(), d_x.data());
  a.sources = group, a.weight = packed;
  each_row(d_x, g.backward_taps() * group, [&](int row) { kernels->lane_sums(a, row); });
}

void lanes_weight(Images grad, Images x, Pair stride, Pair padding, Pair dilation, Dense<float, 4> d_weight) {
  constexpr int LANES = 16, SHARES = 16;  // of a vector; of the batch, at most
  const Images shape(d_weight);
  const int group = group_of(shape, grad.shape(3)), channels = grad.shape(3), images = x.shape(0);
  Geometry g(x, grad, side(d_weight), stride, padding, dilation);
  check(grad.shape(0) == x.shape(0), "shapes");
  Windows a = g.windows(false, channels, x.data(), const_cast<float*>(grad.data()));
  a.sources = group;
  const int vectors = (channels + LANES - 1) / LANES, each = (images + SHARES - 1) / SHARES;
  const int shares = (images + each - 1) / each, units = vectors * group;
  const int64_t size = g.taps() * LANES;
  std::vector<double> totals(shares * units * size);
  auto item = [&](int i, int) {
    const int first = i / units * each, unit = i % units;
    kernels->lane_gradient(a, first, std::min(first + each, images), unit % group, unit / group * LANES,
                           totals.data() + i * size);
  };
  spread(shares * units, (double)grad.size() * g.taps() * group, item);
  for (int o = 0; o < channels; o++)
    for (int c = 0; c < group; c++)
      for (int64_t t = 0; t < g.taps(); t++) {
        double total = 0;
        for (int share = 0; share < shares; share++)
          total += totals[(share * units + o / LANES * group + c) * size + t * LANES + o % LANES];
        d_weight.data()[(o * group + c) * g.taps() + t] = total;
      }
}

// y (outer, out, inner) of x (outer, size, inner), see resample.h.
void resample(Dense<const float, 3> x, Dense<const int64_t, 1> starts, Dense<const int64_t, 1> index,
              Dense<const float, 1> weight, optional<Dense<const float, 1>> divisor, Dense<float, 3> y) {
  Taps a = {};
  a.size = x.shape(1), a.out = y.shape(1), a.inner = x.shape(2);
  check(y.shape(0) == x.shape(0) && y.shape(2) == x.shape(2) && (int64_t)starts.shape(0) == a.out + 1 &&
            index.shape(0) == weight.shape(0) && (!divisor || (int64_t)divisor->shape(0) == a.out),
        "shapes");
  check(std::is_sorted(starts.data(), starts.data() + a.out + 1) && starts.data()[0] == 0 &&
            starts.data()[a.out] == (int64_t)index.shape(0),
        "taps");
  for (size_t i = 0; i < index.shape(0); i++) check(index.data()[i] >= 0 && index.data()[i] < a.size, "index");
  a.starts = starts.data(), a.index = index.data(), a.weight = weight.data();
  a.divisor = divisor ? divisor->data() : nullptr, a.x = x.data(), a.y = y.data();
  const int64_t places = x.shape(0) * a.out, several = std::max<int64_t>(1, 16384 / a.inner);
  auto item = [&](int i, int) {
    for (int64_t place = i * several, end = std::min(place + several, places); place < end;) {
      const int64_t first = place % a.out, last = std::min(a.out, first + end - place);
      kernels->resample(a, place / a.out, first, last);
      place += last - first;
    }
  };
  spread((places + several - 1) / several, 2.0 * x.shape(0) * a.inner * index.shape(0) + y.size(), item);
}

}  // namespace

void bind_window(nb::module_& m) {
  define(m, "max_pool", &max_pool, "x"_a, "kernel"_a, "stride"_a, "padding"_a, "dilation"_a, "y"_a, "winner"_a);
  define(m, "max_pool_backward", &max_pool_backward, "grad"_a, "winner"_a, "kernel"_a, "stride"_a, "padding"_a,
        "dilation"_a, "d_x"_a);
  define(m, "avg_pool", &avg_pool, "x"_a, "divisor"_a, "kernel"_a, "stride"_a, "padding"_a, "y"_a);
  define(m, "avg_pool_backward", &avg_pool_backward, "grad"_a, "divisor"_a, "kernel"_a, "stride"_a, "padding"_a, "d_x"_a);
  define(m, "image_sums", &image_sums, "columns"_a, "stride"_a, "padding"_a, "dilation"_a, "image"_a);
  define(m, "grouped_forward", &grouped_forward, "x"_a, "weight"_a, "bias"_a.none(), "stride"_a, "padding"_a, "dilation"_a,
        "y"_a);
  define(m, "grouped_input", &grouped_input, "grad"_a, "weight"_a, "stride"_a, "padding"_a, "dilation"_a, "d_x"_a);
  define(m, "lanes_forward", &lanes_forward, "x"_a, "weight"_a, "bias"_a.none(), "stride"_a, "padding"_a, "dilation"_a,
         "y"_a);
  define(m, "lanes_input", &lanes_input, "grad"_a, "weight"_a, "stride"_a, "padding"_a, "dilation"_a, "d_x"_a);
  define(m, "lanes_weight", &lanes_weight, "grad"_a, "x"_a, "stride"_a, "padding"_a, "dilation"_a, "d_weight"_a);
  define(m, "resample", &resample, "x"_a, "starts"_a, "index"_a, "weight"_a, "divisor"_a.none(), "y"_a);
  define(m, "grouped_weight", &grouped_weight, "grad"_a, "x"_a, "stride"_a, "padding"_a, "dilation"_a, "d_weight"_a);
}
