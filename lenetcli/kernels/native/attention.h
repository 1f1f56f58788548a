// Attention of one head over one sequence: queries (L, D), keys (S, D), values (S, V) of any strides. Reference twins:
// lenetcli/kernels/attention.py.
//
//     w = softmax(scale q k' + mask), rows that nothing counts for 0; y = w v
//     d_v = w' grad, d_s = scale w (grad v' - sum(w grad v')), d_q = d_s k, d_k = d_s' q
#pragma once

#include "kernels.h"
#include "product.h"
#include "softmax.h"

namespace {

struct Matrix {
  float* p;
  int64_t row, col;
  Matrix turned() const { return {p, col, row}; }
};

inline Matrix matrix(const HeadArray& a, int sample, int head) {
  return {a.p + sample * a.sample + head * a.head, a.row, a.col};
}

inline size_t panels_size(int columns, int depth) { return (size_t)(columns + PANEL - 1) / PANEL * PANEL * depth; }

// c (m, n) = a (m, k) b (k, n), whose rows or columns are neighbours.
void multiply(int m, int n, int k, Matrix a, Matrix b, Matrix c, float* packed) {
  if (c.col != 1) return multiply(n, m, k, b.turned(), a.turned(), c.turned(), packed);
  Product p = {};
  p.m = m, p.n = n, p.k = k;
  p.a = a.p, p.a_row = a.row, p.a_col = a.col, p.b = b.p, p.b_row = b.row, p.b_col = b.col;
  p.c = c.p, p.c_row = c.row, p.c_col = 1;
  const ProductUnit all = {0, 0, (n + PANEL - 1) / PANEL, 0, (m + ROWS - 1) / ROWS};
  product_pack(p, all, packed);
  product_unit(p, all, packed);
}

// Floats that an item needs: panels of the largest product and, backward, the gradient of the scores.
size_t attention_room(const Attention& a, bool backward) {
  const int L_ = a.queries, S = a.keys, widest = a.width > a.value_width ? a.width : a.value_width;
  const int most = L_ > S ? L_ : S;
  const size_t wide = panels_size(most, most > widest ? most : widest), thin = panels_size(widest, most);
  return (wide > thin ? wide : thin) + (backward ? (size_t)L_ * S : 0);
}

// Scores as weights, row by row; `mask` has -infinity where a key does not count.
void weigh(const Attention& a, int sample, int head, float* w) {
  const int S = a.keys;
  const float* mask = a.mask ? a.mask + sample * a.mask_sample + head * a.mask_head : nullptr;
  for (int i = 0; i < a.queries; i++) {
    float* row = w + (int64_t)i * S;
    for (int j = 0; j < S; j++) row[j] *= a.scale;
    bool counts = S > 0;
    if (mask) {
      counts = false;
      const float* more = mask + i * a.mask_row;
      for (int j = 0; j < S; j++) row[j] += more[j * a.mask_col], counts |= !(row[j] == -INFINITY);
    }
    if (counts)
      softmax(Softmax{S, 1, false, row, nullptr, row}, 0);
    else
      for (int j = 0; j < S; j++) row[j] = 0;
  }
}

void attention(const Attention& a, int item, float* scratch) {
  const int sample = item / a.heads, head = item % a.heads, S = a.keys;
  const Matrix w = {a.weights + (int64_t)item * a.queries * S, S, 1};
  multiply(a.queries, S, a.width, matrix(a.q, sample, head), matrix(a.k, sample, head).turned(), w, scratch);
  weigh(a, sample, head, w.p);
  multiply(a.queries, a.value_width, S, w, matrix(a.v, sample, head), matrix(a.y, sample, head), scratch);
}

void attention_backward(const Attention& a, int item, float* scratch) {
  const int sample = item / a.heads, head = item % a.heads, S = a.keys;
  const Matrix w = {a.weights + (int64_t)item * a.queries * S, S, 1}, grad = matrix(a.y, sample, head);
  const Matrix d_s = {scratch, S, 1};
  scratch += (int64_t)a.queries * S;
  multiply(S, a.value_width, a.queries, w.turned(), grad, matrix(a.d_v, sample, head), scratch);
  multiply(a.queries, S, a.value_width, grad, matrix(a.v, sample, head).turned(), d_s, scratch);
  for (int i = 0; i < a.queries; i++) {
    float* row = d_s.p + (int64_t)i * S;
    softmax(Softmax{S, 1, false, w.p + (int64_t)i * S, row, row}, 0);
    for (int j = 0; j < S; j++) row[j] *= a.scale;
  }
  multiply(a.queries, a.width, S, d_s, matrix(a.k, sample, head), matrix(a.d_q, sample, head), scratch);
  multiply(S, a.width, a.queries, d_s.turned(), matrix(a.q, sample, head), matrix(a.d_k, sample, head), scratch);
}

}  // namespace
