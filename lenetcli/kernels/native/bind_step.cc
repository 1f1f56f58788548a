// Optimizer steps over many parameters in one call. The kernels are in step.h.
#include <nanobind/stl/vector.h>

#include "bind.h"

namespace {

constexpr size_t PIECE = 16384;  // elements of one item

// One unbroken block of floats, in row order, in column order, or in both (a vector).
struct Block {
  float* data;
  size_t size;
  bool by_rows, by_columns;
};

template <class T>
Block block(nb::handle array) {
  auto a = nb::cast<nb::ndarray<T, nb::device::cpu>>(array);
  Block b = {const_cast<float*>(a.data()), a.size(), true, true};
  int64_t step = 1;
  for (size_t i = a.ndim(); i-- > 0; step *= a.shape(i)) b.by_rows &= a.shape(i) == 1 || a.stride(i) == step;
  step = 1;
  for (size_t i = 0; i < a.ndim(); step *= a.shape(i), i++) b.by_columns &= a.shape(i) == 1 || a.stride(i) == step;
  return b;
}

template <class T>
std::vector<Block> blocks(const nb::list& list, size_t count) {
  check(list.size() == count, "as many arrays as parameters");
  std::vector<Block> found;
  found.reserve(count);
  for (nb::handle array : list) found.push_back(block<T>(array));
  return found;
}

struct Piece {
  int tensor;
  size_t first, count;
};

// Pieces of every parameter whose arrays (one of each list, the parameters first) lie in one order; the numbers of the
// others go into `left`.
std::vector<Piece> pieces(const std::vector<std::vector<Block>>& lists, nb::list& left) {
  std::vector<Piece> found;
  for (size_t t = 0; t < lists[0].size(); t++) {
    const size_t size = lists[0][t].size;
    bool by_rows = true, by_columns = true;
    for (const auto& list : lists) {
      check(list[t].size == size, "the parameter's size");
      by_rows &= list[t].by_rows;
      by_columns &= list[t].by_columns;
    }
    if (!by_rows && !by_columns) {
      left.append(t);
      continue;
    }
    for (size_t first = 0; first < size; first += PIECE) found.push_back({(int)t, first, std::min(PIECE, size - first)});
  }
  return found;
}

nb::list sgd_steps(nb::list params, nb::list grads, optional<nb::list> buffers, float lr, float momentum, float keep,
                   float weight_decay, bool nesterov, bool maximize) {
  const size_t count = params.size();
  std::vector<std::vector<Block>> arrays = {blocks<float>(params, count), blocks<const float>(grads, count)};
  if (buffers) arrays.push_back(blocks<float>(*buffers, count));
  nb::list left;
  const std::vector<Piece> work = pieces(arrays, left);
  const Sgd rule = {lr, momentum, keep, weight_decay, nesterov, maximize};
  auto item = [&](int i, int) {
    const Piece& p = work[i];
    auto at = [&](int list) { return arrays[list][p.tensor].data + p.first; };
    kernels->sgd(rule, at(0), at(1), buffers ? at(2) : nullptr, p.count);
  };
  nb::gil_scoped_release released;
  spread(work.size(), (awake() ? 3.0 : 1.0) * work.size() * PIECE, item);
  return left;
}

// `rates` and `roots` hold the corrections of bias, one for each parameter.
nb::list adam_steps(nb::list params, nb::list grads, nb::list averages, nb::list squares, std::vector<float> rates,
                    std::vector<float> roots, float share, float beta2, float eps, float weight_decay, float shrink,
                    bool maximize) {
  const size_t count = params.size();
  check(rates.size() == count && roots.size() == count, "as many rates as parameters");
  std::vector<std::vector<Block>> arrays = {blocks<float>(params, count), blocks<const float>(grads, count),
                                            blocks<float>(averages, count), blocks<float>(squares, count)};
  nb::list left;
  const std::vector<Piece> work = pieces(arrays, left);
  auto item = [&](int i, int) {
    const Piece& p = work[i];
    auto at = [&](int list) { return arrays[list][p.tensor].data + p.first; };
    Adam rule = {share, beta2, eps, rates[p.tensor], roots[p.tensor], weight_decay, shrink, maximize};
    kernels->adam(rule, at(0), at(1), at(2), at(3), p.count);
  };
  nb::gil_scoped_release released;
  spread(work.size(), 4.0 * work.size() * PIECE, item);
  return left;
}

}  // namespace

void bind_step(nb::module_& m) {
  m.def("sgd_steps", &sgd_steps, "params"_a, "grads"_a, "buffers"_a.none(), "lr"_a, "momentum"_a, "keep"_a,
        "weight_decay"_a, "nesterov"_a, "maximize"_a);
  m.def("adam_steps", &adam_steps, "params"_a, "grads"_a, "averages"_a, "squares"_a, "rates"_a, "roots"_a, "share"_a,
        "beta2"_a, "eps"_a, "weight_decay"_a, "shrink"_a, "maximize"_a);
}
