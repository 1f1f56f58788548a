// What the bindings of the families share. Arrays come in with torch's logical shapes and any strides; results go into
// arrays that the caller made. The NumPy functions beside the wrappers (native/*.py) are the reference of every
// function.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels.h"
#include "threads.h"

namespace nb = nanobind;
using nb::literals::operator""_a;
using std::optional;

template <class T, int N>
using Array = nb::ndarray<T, nb::ndim<N>, nb::device::cpu>;
template <class T, int N>
using Dense = nb::ndarray<T, nb::ndim<N>, nb::device::cpu, nb::c_contig>;

extern const Kernels* kernels;  // those of the instruction set in use

inline void check(bool fits, const char* what) {
  if (!fits) throw std::invalid_argument(std::string("native kernel: ") + what);
}

inline size_t rounded(size_t floats) { return (floats + 15) / 16 * 16; }  // so that the next part begins aligned

constexpr double ALONE = 4e5;  // multiply-adds, or as much other work, below which waking other threads does not pay

// Runs item(index, slot) for every index below `count`, on all threads where the work is worth it.
template <class Item>
void spread(int count, double work, Item& item) {
  if (work >= ALONE) return parallel(count, item);
  for (int i = 0; i < count; i++) item(i, 0);
}

inline int workers(double work) { return work < ALONE ? 1 : threads(); }

void bind_conv(nb::module_& m);
void bind_norm(nb::module_& m);
void bind_pointwise(nb::module_& m);
void bind_product(nb::module_& m);
void bind_update(nb::module_& m);
void bind_window(nb::module_& m);
