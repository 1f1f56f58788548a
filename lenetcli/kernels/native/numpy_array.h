// NumPy's arrays as they lie in memory. Through Python's buffers each costs a quarter of a microsecond, and a step of
// one image hands over a hundred of them.
#pragma once

#include <nanobind/nanobind.h>

#include <stdint.h>

#include <type_traits>

namespace nb = nanobind;

// The beginning of PyArray_Descr and PyArrayObject_fields in numpy/ndarraytypes.h: the same from NumPy 1.7 to 2.x.
struct NumpyType {
  PyObject_HEAD
  PyTypeObject* scalar;
  char kind, letter, order, flags;
  int number;
};

struct NumpyArray {
  PyObject_HEAD
  char* data;
  int dimensions;
  Py_ssize_t *sizes, *steps;  // in bytes
  PyObject* base;
  NumpyType* type;
  int flags;

  static constexpr int C_ORDER = 0x1, ALIGNED = 0x100, WRITEABLE = 0x400;

  bool is(int wanted) const { return (flags & wanted) == wanted; }
};

inline PyTypeObject* numpy_array_type = nullptr;  // null where arrays do not lie as they are described here

template <class T>
constexpr int numpy_number() {
  using Plain = std::remove_const_t<T>;
  if (std::is_same_v<Plain, float>) return 11;
  if (std::is_same_v<Plain, double>) return 12;
  if (std::is_same_v<Plain, uint8_t>) return 2;
  if (std::is_same_v<Plain, int64_t>) return sizeof(long) == 8 ? 7 : 9;
  return -1;
}

// The array that an object is; null where it is none, or none of T in this machine's order: who asks goes the long way.
template <class T>
inline const NumpyArray* numpy_array(nb::handle object) {
  if (Py_TYPE(object.ptr()) != numpy_array_type) return nullptr;
  const NumpyArray* array = (const NumpyArray*)object.ptr();
  const int wanted = NumpyArray::ALIGNED | (std::is_const_v<T> ? 0 : NumpyArray::WRITEABLE);
  const bool fits = array->type->number == numpy_number<T>() && array->type->order != '>' && array->is(wanted);
  return fits ? array : nullptr;
}

// Compares what is read of an array with what NumPy says of it.
inline void find_numpy() {
  nb::module_ numpy = nb::module_::import_("numpy");
  nb::object type = numpy.attr("ndarray");
  nb::object probe = numpy.attr("zeros")(nb::make_tuple(2, 3), "float32").attr("T");
  const NumpyArray* read = (const NumpyArray*)probe.ptr();
  const uintptr_t data = nb::cast<uintptr_t>(probe.attr("ctypes").attr("data"));
  const bool alike = (size_t)Py_TYPE(probe.ptr())->tp_basicsize >= sizeof(NumpyArray) && (uintptr_t)read->data == data &&
                     read->dimensions == 2 && read->sizes[0] == 3 && read->sizes[1] == 2 && read->steps[0] == 4 &&
                     read->steps[1] == 12 && read->type->number == nb::cast<int>(probe.attr("dtype").attr("num")) &&
                     !read->is(NumpyArray::C_ORDER) && read->is(NumpyArray::ALIGNED | NumpyArray::WRITEABLE);
  if (alike) numpy_array_type = (PyTypeObject*)type.release().ptr();
}
