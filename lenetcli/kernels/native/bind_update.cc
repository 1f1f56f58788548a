// Update rules over many parameters in one call. The kernels are in update.h.
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdint.h>

#include <cmath>

#include "bind.h"

namespace {

constexpr size_t STRETCH = 16384;  // elements of one item

// One unbroken block of floats, in row order, in column order, or in both (a vector).
struct Block {
  float* data;
  size_t size;
  bool by_rows, by_columns;
};

Block block(const NumpyArray& a) {
  Block b = {(float*)a.data, 1, true, true};
  Py_ssize_t step = sizeof(float);
  for (int i = a.dimensions; i-- > 0; step *= a.sizes[i]) b.by_rows &= a.sizes[i] == 1 || a.steps[i] == step;
  b.size = step / sizeof(float);
  step = sizeof(float);
  for (int i = 0; i < a.dimensions; step *= a.sizes[i], i++) b.by_columns &= a.sizes[i] == 1 || a.steps[i] == step;
  return b;
}

// One list for each argument of a rule, the parameters first. A list with anything but float32 fits no kernel.
struct Lists {
  std::vector<std::vector<Block>> blocks;
  bool fit = true;

  template <class T>
  void add(const nb::list& arrays) {
    if (!fit) return;
    check(blocks.empty() || arrays.size() == blocks[0].size(), "as many arrays as parameters");
    std::vector<Block>& found = blocks.emplace_back();
    found.reserve(arrays.size());
    for (nb::handle array : arrays) {
      if (const NumpyArray* a = numpy_array<T>(array)) {
        found.push_back(block(*a));
        continue;
      }
      nb::ndarray<T, nb::device::cpu> a;
      if (!nb::try_cast(array, a, false) || (uintptr_t)a.data() % sizeof(float)) {
        fit = false;
        return;
      }
      Block b = {const_cast<float*>(a.data()), a.size(), true, true};
      int64_t step = 1;
      for (size_t i = a.ndim(); i-- > 0; step *= a.shape(i)) b.by_rows &= a.shape(i) == 1 || a.stride(i) == step;
      step = 1;
      for (size_t i = 0; i < a.ndim(); step *= a.shape(i), i++) b.by_columns &= a.shape(i) == 1 || a.stride(i) == step;
      found.push_back(b);
    }
  }
};

struct Piece {
  int tensor;
  size_t first, count;
};

// Pieces of every parameter whose arrays lie in one order; the numbers of the others go into `left`.
std::vector<Piece> pieces(const Lists& lists, nb::list& left) {
  std::vector<Piece> found;
  for (size_t t = 0; t < lists.blocks[0].size(); t++) {
    const size_t size = lists.blocks[0][t].size;
    bool by_rows = true, by_columns = true;
    for (const auto& list : lists.blocks) {
      check(list[t].size == size, "the parameter's size");
      by_rows &= list[t].by_rows;
      by_columns &= list[t].by_columns;
    }
    if (!by_rows && !by_columns) {
      left.append(t);
      continue;
    }
    for (size_t first = 0; first < size; first += STRETCH)
      found.push_back({(int)t, first, std::min(STRETCH, size - first)});
  }
  return found;
}

using Shared = std::tuple<bool, float, float>;  // Objective of kernels/update.py

Objective made(const Shared& o) { return {std::get<0>(o), std::get<1>(o), std::get<2>(o)}; }

// Runs kernel(parameter's number, array of each list, elements) on every piece; gives the numbers of those left out.
template <class Kernel>
nb::list update(const Lists& lists, size_t count, double work, const Kernel& kernel) {
  nb::list left;
  if (!lists.fit) {
    for (size_t t = 0; t < count; t++) left.append(t);
    return left;
  }
  const std::vector<Piece> all = pieces(lists, left);
  auto item = [&](int i, int) {
    const Piece& p = all[i];
    float* at[5] = {};
    for (size_t k = 0; k < lists.blocks.size(); k++) at[k] = lists.blocks[k][p.tensor].data + p.first;
    kernel(p.tensor, at, p.count);
  };
  nb::gil_scoped_release released;
  spread(all.size(), work * all.size() * STRETCH, item);
  return left;
}

nb::list sgd(nb::list params, nb::list grads, Shared objective, std::tuple<float, float, double, bool> constants,
             optional<nb::list> buffers) {
  Lists lists;
  lists.add<float>(params);
  lists.add<const float>(grads);
  if (buffers) lists.add<float>(*buffers);
  const auto [lr, momentum, dampening, nesterov] = constants;
  const Objective o = made(objective);
  const Sgd rule = {lr, momentum, (float)(1 - dampening), nesterov};
  return update(lists, params.size(), awake() ? 3 : 1,
                [&](int, float** at, size_t n) { kernels->sgd(o, rule, at[0], at[1], at[2], n); });
}

nb::list adam(nb::list params, nb::list grads, Shared objective, std::tuple<double, double, double, float> constants,
              std::vector<double> steps, nb::list averages, nb::list squares) {
  check(steps.size() == params.size(), "as many steps as parameters");
  Lists lists;
  lists.add<float>(params);
  lists.add<const float>(grads);
  lists.add<float>(averages);
  lists.add<float>(squares);
  const auto [lr, beta1, beta2, eps] = constants;
  const Objective o = made(objective);
  std::vector<Adam> rules;
  for (double t : steps)  // pow, not sqrt: as Python has it, to the bit
    rules.push_back({(float)(1 - beta1), (float)beta2, (float)(1 - beta2), eps,
                     (float)(lr / (1 - std::pow(beta1, t))), (float)std::pow(1 - std::pow(beta2, t), 0.5)});
  return update(lists, params.size(), 4,
                [&](int i, float** at, size_t n) { kernels->adam(o, rules[i], at[0], at[1], at[2], at[3], n); });
}

// A rule by its name, with the numbers of each parameter.
nb::list rule(const char* name, nb::list params, nb::list grads, Shared objective,
              std::vector<std::vector<float>> numbers, std::vector<nb::list> state) {
#define RULE(name, Rule) #name,
  const int number = index_of(name, {RULES});
#undef RULE
  check(numbers.size() == params.size() && state.size() <= 3, "as many numbers as parameters");
  for (auto& each : numbers) each.resize(MOST_NUMBERS);
  Lists lists;
  lists.add<float>(params);
  lists.add<const float>(grads);
  for (const nb::list& each : state) lists.add<float>(each);
  const Objective o = made(objective);
  return update(lists, params.size(), 4,
                [&](int i, float** at, size_t n) { kernels->rule(number, o, numbers[i].data(), at, n); });
}

}  // namespace

void bind_update(nb::module_& m) {
  m.def("sgd", &sgd, "params"_a, "grads"_a, "objective"_a, "constants"_a, "buffers"_a.none());
  m.def("adam", &adam, "params"_a, "grads"_a, "objective"_a, "constants"_a, "steps"_a, "exp_avgs"_a, "exp_avg_sqs"_a);
  m.def("rule", &rule, "name"_a, "params"_a, "grads"_a, "objective"_a, "numbers"_a, "state"_a);
}
