// A recording: the calls of native functions that a thread makes, kept with their arguments so that they can be made
// again, by one call, in the same or other memory. lenetcli/kernels/recording.py says which memory is what.
#pragma once

#include <memory>
#include <tuple>

#include "bind.h"

struct Call {
  const char* name;

  explicit Call(const char* given) : name(given) {}
  virtual ~Call() = default;
  virtual bool run() = 0;  // false where the kernel leaves it to its reference
};

// What a call reads or writes: from `low` to `high`, found by the pointer in its arguments.
struct Place {
  size_t call;
  char** pointer;
  char *low, *high;
  size_t element;  // bytes, of which its address is a multiple
  bool writes;
};

// Memory that can be put elsewhere: all places in it go along.
struct Block {
  char* begin;
  size_t element;
  std::vector<char**> pointers;
};

class Recording {
  std::vector<std::unique_ptr<Call>> calls;
  std::vector<Place> places;
  std::vector<Block> blocks;
  std::vector<nb::object> arrays;  // while it is made
  std::vector<size_t> order;

  template <class R, class... A>
  struct Made : Call {
    R (*function)(A...);
    std::tuple<A...> arguments;

    Made(const char* given, R (*f)(A...), const A&... a) : Call(given), function(f), arguments(a...) {}
    bool run() override {
      if constexpr (std::is_same_v<R, bool>) return std::apply(function, arguments);
      std::apply(function, arguments);
      return true;
    }
  };

  template <class T>
  void find(T&) {}
  template <class T>
  void find(optional<T>& view) {
    if (view) find(*view);
  }
  template <class T, int N, bool dense>
  void find(View<T, N, dense>& view) {
    if (!view.size()) return;
    char *low = (char*)view.memory, *high = low + sizeof(T);
    for (int i = 0; i < N; i++) {
      const int64_t reach = (view.sizes[i] - 1) * view.steps[i] * (int64_t)sizeof(T);
      (reach < 0 ? low : high) += reach;
    }
    places.push_back({calls.size(), (char**)&view.memory, low, high, sizeof(T), !std::is_const_v<T>});
  }

 public:
  Recording() = default;
  Recording(const Recording&) = delete;

  template <class R, class... A>
  void note(const char* name, R (*function)(A...), const A&... a) {
    auto made = std::make_unique<Made<R, A...>>(name, function, a...);
    std::apply([&](auto&... argument) { (find(argument), ...); }, made->arguments);
    calls.push_back(std::move(made));
  }

  void begin();
  void end();

  nb::list names() const {
    nb::list all;
    for (const auto& call : calls) all.append(call->name);
    return all;
  }

  nb::list all_places() const {
    nb::list all;
    for (const Place& p : places)
      all.append(nb::make_tuple(p.call, (uintptr_t)p.low, (uintptr_t)p.high, p.writes));
    return all;
  }

  // From now on calls are made in the order of these numbers.
  void arrange(std::vector<size_t> numbers) {
    for (size_t i : numbers) check(i < calls.size(), "a recording's order");
    order = std::move(numbers);
  }

  // Makes blocks, each of the places with these numbers.
  void tie(const std::vector<std::vector<size_t>>& members) {
    for (const auto& numbers : members) {
      Block block = {nullptr, 1, {}};
      for (size_t i : numbers) {
        const Place& p = places.at(i);
        if (!block.begin || p.low < block.begin) block.begin = p.low;
        block.element = std::max(block.element, p.element);
        block.pointers.push_back(p.pointer);
      }
      blocks.push_back(std::move(block));
    }
  }

  bool put(size_t number, uintptr_t address) {
    Block& block = blocks.at(number);
    if (address % block.element) return false;
    const intptr_t by = (intptr_t)(address - (uintptr_t)block.begin);
    if (!by) return true;
    for (char** pointer : block.pointers) *pointer += by;
    block.begin = (char*)address;
    return true;
  }

  static uintptr_t address(nb::handle array) {
    if (Py_TYPE(array.ptr()) == numpy_array_type) return (uintptr_t)((const NumpyArray*)array.ptr())->data;
    return (uintptr_t)nb::cast<nb::ndarray<nb::ro, nb::device::cpu>>(array, false).data();
  }

  // Puts blocks, by number, where arrays are and makes the calls from `first` to `last` of the order
  // again; false where one fails, or an array lies at no address of its type.
  bool play(size_t first, size_t last, const std::vector<size_t>& numbers, nb::list arrays) {
    check(numbers.size() == arrays.size() && last <= order.size(), "a recording's arguments");
    for (size_t i = 0; i < numbers.size(); i++)
      if (!put(numbers[i], address(arrays[i]))) return false;
    nb::gil_scoped_release released;
    for (size_t i = first; i < last; i++)
      if (!calls[order[i]]->run()) return false;
    return true;
  }
};

inline thread_local Recording* recording = nullptr;  // the one that this thread's calls go into

inline void Recording::begin() { recording = this, held = &arrays; }

inline void Recording::end() {
  recording = nullptr, held = nullptr;
  arrays.clear();
}

// Binds a function that works without Python, so that its calls can be recorded.
template <class R, class... A, class... Extra>
void define(nb::module_& m, const char* name, R (*function)(A...), const Extra&... extra) {
  m.def(
      name,
      [name, function](A... a) -> R {
        if (recording) recording->note(name, function, a...);
        nb::gil_scoped_release released;
        return function(a...);
      },
      extra...);
}

// Copies an array into row order; NumPy's copies are not recorded.
inline void copy(Array<const float, 4> from, Dense<float, 4> to) {
  for (int i = 0; i < 4; i++) check(from.shape(i) == to.shape(i), "shapes");
  float* next = to.data();
  for (size_t i = 0; i < from.shape(0); i++)
    for (size_t j = 0; j < from.shape(1); j++)
      for (size_t k = 0; k < from.shape(2); k++) {
        const float* row = from.data() + i * from.stride(0) + j * from.stride(1) + k * from.stride(2);
        for (size_t l = 0; l < from.shape(3); l++) *next++ = row[l * from.stride(3)];
      }
}

inline void bind_recording(nb::module_& m) {
  define(m, "copy", &copy, "from_"_a, "to"_a);
  m.def("recording", [] { return recording != nullptr; });
  nb::class_<Recording>(m, "Recording")
      .def(nb::init<>())
      .def("begin", &Recording::begin)
      .def("end", &Recording::end)
      .def("names", &Recording::names)
      .def("places", &Recording::all_places)
      .def("arrange", &Recording::arrange, "numbers"_a)
      .def("tie", &Recording::tie, "members"_a)
      .def("put", &Recording::put, "block"_a, "address"_a)
      .def("play", &Recording::play, "first"_a, "last"_a, "blocks"_a, "arrays"_a);
}
