// The Python module: which instruction set runs, how many threads, and the families' functions.
#include <string.h>

#include "recording.h"
#include "cpu.h"

// CMakeLists.txt says for which instruction sets: LENET_TARGETS is BUILT(v4) BUILT(v3) ..., the best first.
#define BUILT(target) extern const Kernels lenet_kernels_##target;
LENET_TARGETS
#undef BUILT

const Kernels* kernels = nullptr;

namespace {

#define BUILT(target) &lenet_kernels_##target,
const Kernels* const tables[] = {LENET_TARGETS};
#undef BUILT

nb::list built() {
  nb::list names;
  for (const Kernels* table : tables) names.append(table->name);
  return names;
}

nb::list targets() {
  nb::list names;
  for (const Kernels* table : tables)
    if (runs_here(table->name)) names.append(table->name);
  return names;
}

void set_target(const char* name) {
  for (const Kernels* table : tables)
    if (!strcmp(table->name, name) && runs_here(name)) {
      kernels = table;
      return;
    }
  throw std::invalid_argument(std::string("no kernels for ") + name + " on this machine");
}

}  // namespace

NB_MODULE(_native, m) {
  nb::set_leak_warnings(false);  // a net that lives to the end keeps its recordings; its user need not read of that
  for (const Kernels* table : tables)
    if (!kernels && runs_here(table->name)) kernels = table;
  m.def("built", &built);
  m.def("targets", &targets);
  if (!kernels) return;  // built for other processors; nothing else can be called
  find_numpy();
  m.def("target", [] { return kernels->name; });
  m.def("set_target", &set_target, "name"_a);
  m.def("set_threads", &set_threads, "count"_a);
  m.def("threads", &threads);
  bind_attention(m);
  bind_checksum(m);
  bind_conv(m);
  bind_norm(m);
  bind_pixels(m);
  bind_pointwise(m);
  bind_product(m);
  bind_recurrent(m);
  bind_update(m);
  bind_window(m);
  bind_recording(m);
}
