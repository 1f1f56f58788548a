// What the bindings of the families share. Arrays come in with torch's logical shapes and any strides; results go into
// arrays that the caller made. The NumPy functions beside the wrappers (native/*.py) are the reference of every
// function.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels.h"
#include "numpy_array.h"
#include "threads.h"

using nb::literals::operator""_a;
using std::optional;

// An array of N dimensions as it comes from Python, whose caller keeps it alive: a Dense one is in row order.
template <class T, int N, bool dense>
struct View {
  T* memory = nullptr;
  int64_t sizes[N] = {}, steps[N] = {};

  T* data() const { return memory; }
  size_t shape(int i) const { return sizes[i]; }
  int64_t stride(int i) const { return steps[i]; }
  size_t size() const {
    size_t all = 1;
    for (int64_t size : sizes) all *= size;
    return all;
  }

  View() = default;
  template <class Other>
  explicit View(const Other& other) : memory(other.data()) {
    for (int i = 0; i < N; i++) sizes[i] = other.shape(i), steps[i] = other.stride(i);
  }
};

template <class T, int N>
using Array = View<T, N, false>;
template <class T, int N>
using Dense = View<T, N, true>;

inline thread_local std::vector<nb::object>* held = nullptr;  // arrays of calls that are recorded, so that none is freed

template <class T, int N, bool dense>
struct nanobind::detail::type_caster<View<T, N, dense>> {
  using Dense = nb::ndarray<T, nb::ndim<N>, nb::device::cpu, nb::c_contig>;
  using Source = std::conditional_t<dense, Dense, nb::ndarray<T, nb::ndim<N>, nb::device::cpu>>;
  using Found = View<T, N, dense>;
  NB_TYPE_CASTER(Found, make_caster<Source>::Name)

  bool from_python(handle source, uint8_t flags, cleanup_list* cleanup) noexcept {
    if (!read(source)) {
      make_caster<Source> caster;
      if (!caster.from_python(source, flags & ~(uint8_t)cast_flags::convert, cleanup)) return false;
      value = Found(caster.value);
    }
    if (held) held->push_back(borrow(source));
    return true;
  }

  bool read(handle source) noexcept {
    const NumpyArray* array = numpy_array<T>(source);
    if (!array || array->dimensions != N || (dense && !array->is(NumpyArray::C_ORDER))) return false;
    value.memory = (T*)array->data;
    for (int i = 0; i < N; i++) {
      if (array->steps[i] % (Py_ssize_t)sizeof(T)) return false;
      value.sizes[i] = array->sizes[i], value.steps[i] = array->steps[i] / (Py_ssize_t)sizeof(T);
    }
    return true;
  }
};

extern const Kernels* kernels;  // those of the instruction set in use

inline void check(bool fits, const char* what) {
  if (!fits) throw std::invalid_argument(std::string("native kernel: ") + what);
}

inline int index_of(const std::string& name, std::initializer_list<const char*> names) {
  int i = 0;
  for (const char* each : names) {
    if (name == each) return i;
    i++;
  }
  throw std::invalid_argument("native kernel: " + name);
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

void bind_attention(nb::module_& m);
void bind_checksum(nb::module_& m);
void bind_conv(nb::module_& m);
void bind_norm(nb::module_& m);
void bind_pixels(nb::module_& m);
void bind_pointwise(nb::module_& m);
void bind_product(nb::module_& m);
void bind_recurrent(nb::module_& m);
void bind_update(nb::module_& m);
void bind_window(nb::module_& m);
