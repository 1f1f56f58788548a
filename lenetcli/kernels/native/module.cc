// The Python module: which instruction set runs, how many threads, and the families' functions.
#include <string.h>

#include "bind.h"

#ifdef LENET_X86
extern const Kernels lenet_kernels_v4, lenet_kernels_v3, lenet_kernels_v2;
#else
extern const Kernels lenet_kernels_plain;
#endif

const Kernels* kernels = nullptr;

namespace {

const Kernels* const tables[] = {  // the best first
#ifdef LENET_X86
    &lenet_kernels_v4, &lenet_kernels_v3, &lenet_kernels_v2,
#else
    &lenet_kernels_plain,
#endif
};

bool runs_here(const char* target) {
#ifdef LENET_X86
  __builtin_cpu_init();
  auto is = [&](const char* name) { return !strcmp(target, name); };
  bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
            __builtin_cpu_supports("bmi2");
  if (is("v4"))
    return v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  if (is("v3")) return v3;
  if (is("v2")) return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
#endif
  return target != nullptr;
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
  for (const Kernels* table : tables)
    if (!kernels && runs_here(table->name)) kernels = table;
  if (!kernels) throw std::runtime_error("this processor has none of the instruction sets the kernels were built for");
  m.def("target", [] { return kernels->name; });
  m.def("targets", &targets);
  m.def("set_target", &set_target, "name"_a);
  m.def("set_threads", &set_threads, "count"_a);
  m.def("threads", &threads);
  bind_conv(m);
  bind_norm(m);
  bind_pointwise(m);
  bind_product(m);
  bind_update(m);
  bind_window(m);
}
