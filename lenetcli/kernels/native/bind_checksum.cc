// CRC-32 of zip and PNG by carry-less multiplication, where the processor has it: 16 bytes in one step. It runs in one
// thread, which calls it for a part that is still in its cache, without Python's lock.
// Source: Gopal et al., Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction (Intel, 2009).
#include <string.h>

#include "bind.h"

#if defined(__x86_64__)

#define FOLDING __attribute__((target("pclmul")))

namespace {

typedef long long Bits128 __attribute__((vector_size(16)));

FOLDING inline __attribute__((always_inline)) Bits128 bits_at(const uint8_t* p) {
  Bits128 x;
  memcpy(&x, p, sizeof x);
  return x;
}

// What stands as many bits further on as the powers in `by` say, and the next.
FOLDING inline __attribute__((always_inline)) Bits128 fold(Bits128 x, Bits128 by, Bits128 next) {
  return (Bits128)__builtin_ia32_pclmulqdq128(x, by, 0x00) ^ (Bits128)__builtin_ia32_pclmulqdq128(x, by, 0x11) ^ next;
}

uint32_t by_bit(uint32_t state, const uint8_t* p, size_t size) {
  for (const uint8_t* end = p + size; p < end; p++) {
    state ^= *p;
    for (int bit = 0; bit < 8; bit++) state = state >> 1 ^ (state & 1 ? 0xEDB88320 : 0);
  }
  return state;
}

FOLDING uint32_t crc32(Dense<const uint8_t, 1> data, uint32_t start) {
  const uint8_t *p = data.data(), *end = p + data.size();
  uint32_t state = ~start;
  if (end - p >= 64) {
    const Bits128 by_512 = {0x154442bd4, 0x1c6e41596}, by_128 = {0x1751997d0, 0x0ccaa009e};  // x to 544 and 480, 160 and 96
    Bits128 a = bits_at(p) ^ Bits128{state, 0}, b = bits_at(p + 16), c = bits_at(p + 32), d = bits_at(p + 48);
    for (p += 64; end - p >= 64; p += 64) {
      a = fold(a, by_512, bits_at(p)), b = fold(b, by_512, bits_at(p + 16));
      c = fold(c, by_512, bits_at(p + 32)), d = fold(d, by_512, bits_at(p + 48));
    }
    a = fold(fold(fold(a, by_128, b), by_128, c), by_128, d);
    for (; end - p >= 16; p += 16) a = fold(a, by_128, bits_at(p));
    uint8_t rest[sizeof a];
    memcpy(rest, &a, sizeof a);
    state = by_bit(0, rest, sizeof a);
  }
  return ~by_bit(state, p, end - p);
}

}  // namespace

void bind_checksum(nb::module_& m) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("pclmul"))
    m.def("crc32", &crc32, "data"_a, "start"_a, nb::call_guard<nb::gil_scoped_release>());
}

#else

void bind_checksum(nb::module_&) {}

#endif
