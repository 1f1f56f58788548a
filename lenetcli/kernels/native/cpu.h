// Which of the instruction sets that kernels are compiled for this processor has: -march=x86-64-v4 and so on.
#pragma once

#include <string.h>

inline bool runs_here(const char* target) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  auto is = [&](const char* name) { return !strcmp(target, name); };
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2");
  if (is("v4"))
    return v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  if (is("v3")) return v3;
  if (is("v2")) return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
#endif
  return !strcmp(target, "plain");
}
