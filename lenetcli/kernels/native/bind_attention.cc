// Attention of many heads over many sequences: checks, strides, threads. The kernels are in attention.h.
#include "recording.h"

namespace {

using HeadsIn = Array<const float, 4>;  // (N, H, L or S, D or V)
using HeadsOut = Array<float, 4>;

template <class View>
HeadArray head_array(const View& x) {
  check(x.stride(2) == 1 || x.stride(3) == 1 || x.shape(2) <= 1 || x.shape(3) <= 1, "neighbours of a head");
  HeadArray found = {const_cast<float*>(x.data()), x.stride(0), x.stride(1), x.stride(2), x.stride(3)};
  if (x.shape(3) == 1 && found.row != 1) found.col = 1;  // of one column the step says nothing
  return found;
}

Attention attention_of(const HeadsIn& q, const HeadsIn& k, const HeadsIn& v, const Dense<const float, 4>& weights, float scale) {
  Attention a = {};
  a.heads = q.shape(1), a.queries = q.shape(2), a.width = q.shape(3);
  a.keys = k.shape(2), a.value_width = v.shape(3), a.scale = scale;
  for (int i : {0, 1}) check(q.shape(i) == k.shape(i) && q.shape(i) == v.shape(i), "sequences and heads");
  check(k.shape(3) == q.shape(3) && v.shape(2) == k.shape(2), "sizes of a head");
  check(weights.shape(0) == q.shape(0) && weights.shape(1) == q.shape(1) && weights.shape(2) == q.shape(2) &&
            weights.shape(3) == k.shape(2), "weights");
  a.q = head_array(q), a.k = head_array(k), a.v = head_array(v), a.weights = const_cast<float*>(weights.data());
  return a;
}

template <class View>
void check_like(const View& x, const HeadsIn& y, int width) {
  check(x.shape(0) == y.shape(0) && x.shape(1) == y.shape(1) && x.shape(2) == y.shape(2) && (int)x.shape(3) == width,
        "result of a head");
}

void run_attention(const Attention& a, size_t items, bool backward, void (*kernel)(const Attention&, int, float*)) {
  const double work = (backward ? 5.0 : 2.0) * items * a.queries * a.keys * (a.width + a.value_width + 8);
  const size_t room = rounded(kernels->attention_room(a, backward));
  float* memory = scratch(room * workers(work));
  auto item = [&](int i, int slot) { kernel(a, i, memory + slot * room); };
  spread(items, work, item);
}

// weights (N, H, L, S) = softmax(scale q k' + mask), y = weights v
void attention(HeadsIn q, HeadsIn k, HeadsIn v, optional<HeadsIn> mask, float scale, Dense<float, 4> weights, HeadsOut y) {
  Attention a = attention_of(q, k, v, Dense<const float, 4>(weights), scale);
  check_like(y, q, a.value_width);
  a.y = head_array(y);
  if (mask) {
    const size_t sizes[] = {q.shape(0), q.shape(1), q.shape(2), k.shape(2)};
    int64_t steps[4];
    for (int i = 0; i < 4; i++) {
      check(mask->shape(i) == sizes[i] || mask->shape(i) == 1, "mask");
      steps[i] = mask->shape(i) == 1 ? 0 : mask->stride(i);
    }
    a.mask = mask->data(), a.mask_sample = steps[0], a.mask_head = steps[1], a.mask_row = steps[2], a.mask_col = steps[3];
  }
  run_attention(a, q.shape(0) * q.shape(1), false, kernels->attention);
}

void attention_backward(HeadsIn grad, HeadsIn q, HeadsIn k, HeadsIn v, Dense<const float, 4> weights, float scale, HeadsOut d_q,
                        HeadsOut d_k, HeadsOut d_v) {
  Attention a = attention_of(q, k, v, weights, scale);
  check_like(grad, q, a.value_width), check_like(d_q, q, a.width), check_like(d_k, k, a.width);
  check_like(d_v, k, a.value_width);
  a.y = head_array(grad), a.d_q = head_array(d_q), a.d_k = head_array(d_k), a.d_v = head_array(d_v);
  run_attention(a, q.shape(0) * q.shape(1), true, kernels->attention_backward);
}

}  // namespace

void bind_attention(nb::module_& m) {
  define(m, "attention", &attention, "q"_a, "k"_a, "v"_a, "mask"_a.none(), "scale"_a, "weights"_a, "y"_a);
  define(m, "attention_backward", &attention_backward, "grad"_a, "q"_a, "k"_a, "v"_a, "weights"_a, "scale"_a, "d_q"_a,
         "d_k"_a, "d_v"_a);
}
