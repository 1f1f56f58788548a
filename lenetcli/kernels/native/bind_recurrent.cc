// The gates of recurrent layers: checks and threads. The kernels are in recurrent.h.
#include "recording.h"

namespace {

using Given = Dense<const float, 2>;
using Made = Dense<float, 2>;

// A step of n sequences: arrays (n, units), those of the gates `count` times as wide.
struct Step {
  Gates a = {};
  size_t rows, units;
  int count;

  Step(const Given& before, int count) : rows(before.shape(0)), units(before.shape(1)), count(count) {
    a.units = units, a.before = before.data();
  }
  template <class View>
  auto of(const View& x, bool gates = false) {
    check(x.shape(0) == rows && x.shape(1) == units * (gates ? count : 1), "sizes of a step");
    return x.data();
  }
  void run(void (*kernel)(const Gates&, int)) {
    auto item = [&](int i, int) { kernel(a, i); };
    spread(rows, 20.0 * count * rows * units, item);
  }
};

void gru_gates(Made gates, Given hidden, Given before, Made y) {
  Step step(before, 3);
  step.a.gates = step.of(gates, true), step.a.hidden = step.of(hidden, true), step.a.y = step.of(y);
  step.run(kernels->gru_gates);
}

void gru_gates_backward(Made grad, Given gates, Given hidden, Given before, Made d_gates, Made d_hidden) {
  Step step(before, 3);
  step.a.grad = step.of(grad), step.a.gates = const_cast<float*>(step.of(gates, true));
  step.a.hidden = step.of(hidden, true), step.a.d_gates = step.of(d_gates, true);
  step.a.d_hidden = step.of(d_hidden, true);
  step.run(kernels->gru_gates_backward);
}

void lstm_gates(Made gates, Given hidden, Given before, Made cell, Made y) {
  Step step(before, 4);
  step.a.gates = step.of(gates, true), step.a.hidden = step.of(hidden, true);
  step.a.cell = step.of(cell), step.a.y = step.of(y);
  step.run(kernels->lstm_gates);
}

void lstm_gates_backward(Given grad, Made d_cell, Given gates, Given before, Given cell, Made d_gates) {
  Step step(before, 4);
  step.a.grad = const_cast<float*>(step.of(grad)), step.a.d_cell = step.of(d_cell);
  step.a.gates = const_cast<float*>(step.of(gates, true)), step.a.cell = const_cast<float*>(step.of(cell));
  step.a.d_gates = step.of(d_gates, true);
  step.run(kernels->lstm_gates_backward);
}

}  // namespace

void bind_recurrent(nb::module_& m) {
  define(m, "gru_gates", &gru_gates, "gates"_a, "hidden"_a, "before"_a, "y"_a);
  define(m, "gru_gates_backward", &gru_gates_backward, "grad"_a, "gates"_a, "hidden"_a, "before"_a, "d_gates"_a,
         "d_hidden"_a);
  define(m, "lstm_gates", &lstm_gates, "gates"_a, "hidden"_a, "before"_a, "cell"_a, "y"_a);
  define(m, "lstm_gates_backward", &lstm_gates_backward, "grad"_a, "d_cell"_a, "gates"_a, "before"_a, "cell"_a,
         "d_gates"_a);
}
