/* What all steps of a program share: walks through tensors, which are Float32Arrays in C order.
 *
 * A step has
 * forward(s, x, y): from the inputs x (null: left out) to the result y; s is the step, with its sizes.
 * backward(s, x, y, g, dx): adds to dx, the gradients of the inputs (null: not wanted), what the gradient g of the
 *   result says.
 * terms(s, x, y, at): what made y[at]: {says, rows: [[input, place, factor's input or -1, its place, factor]]}, where a row
 *   stands for x[input][place] times the factor; `rest`, [input, place, value], is added; `best` is the row that counts
 *   alone; `whole` says that the rows are shown without a sum. */
"use strict";


/** Calls f(from, to) for every element of a walk: sizes, and what one step in each dimension is here and there. */
function walk(size, from, to, f) {
  const dims = size.length, index = new Int32Array(dims), last = dims - 1;
  let a = 0, b = 0;
  for (;;) {
    const count = size[last], da = from[last], db = to[last];
    for (let i = 0; i < count; i++) f(a + i * da, b + i * db);
    let d = last - 1;
    for (; d >= 0; d--) {
      a += from[d];
      b += to[d];
      if (++index[d] < size[d]) break;
      a -= index[d] * from[d];
      b -= index[d] * to[d];
      index[d] = 0;
    }
    if (d < 0) return;
  }
}

/** So many whole numbers. */
function range(first, count) {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** The sum of so many numbers. */
function total(values, first, count) {
  let sum = 0;
  for (let i = first; i < first + count; i++) sum += values[i];
  return sum;
}
