/* Steps that multiply, normalise, compare and move numbers; see walks.js for what each has. */
"use strict";

const linear = {
  place: (s, j, k) => (s.turned ? j * s.inner + k : k * s.columns + j),
  forward(s, [x, w, b], y) {
    for (let i = 0; i < s.rows; i++) {
      for (let j = 0; j < s.columns; j++) {
        const from = i * s.inner, step = s.turned ? 1 : s.columns, at = linear.place(s, j, 0);
        let sum = 0;
        for (let k = 0; k < s.inner; k++) sum += x[from + k] * w[at + k * step];
        y[i * s.columns + j] = s.alpha * sum + (b ? s.beta * b[j] : 0);
      }
    }
  },
  backward(s, [x, w], y, g, [dx, dw, db]) {
    for (let i = 0; i < s.rows; i++) {
      for (let j = 0; j < s.columns; j++) {
        const from = i * s.inner, step = s.turned ? 1 : s.columns, at = linear.place(s, j, 0);
        const slope = g[i * s.columns + j], part = s.alpha * slope;
        if (slope === 0) continue;
        if (db) db[j] += s.beta * slope;
        if (dw) for (let k = 0; k < s.inner; k++) dw[at + k * step] += part * x[from + k];
        if (dx) for (let k = 0; k < s.inner; k++) dx[from + k] += part * w[at + k * step];
      }
    }
  },
  terms(s, [x, w, b], y, at) {
    const i = Math.floor(at / s.columns), j = at % s.columns;
    const row = (k) => [0, i * s.inner + k, 1, linear.place(s, j, k), s.alpha * w[linear.place(s, j, k)]];
    return {
      says: "the sum of inputs times weights" + (b ? ", plus the bias" : ""), rows: range(0, s.inner).map(row),
      rest: b ? [2, j, s.beta * b[j]] : null,
    };
  },
};

const matmul = {
  forward(s, [a, b], y) {
    for (let n = 0; n < s.times; n++) {
      for (let i = 0; i < s.rows; i++) {
        for (let j = 0; j < s.columns; j++) {
          let sum = 0;
          for (let k = 0; k < s.inner; k++) sum += a[n * s.stepA + i * s.inner + k] * b[n * s.stepB + k * s.columns + j];
          y[(n * s.rows + i) * s.columns + j] = sum;
        }
      }
    }
  },
  backward(s, [a, b], y, g, [da, db]) {
    for (let n = 0; n < s.times; n++) {
      for (let i = 0; i < s.rows; i++) {
        for (let j = 0; j < s.columns; j++) {
          const slope = g[(n * s.rows + i) * s.columns + j];
          if (slope === 0) continue;
          for (let k = 0; k < s.inner; k++) {
            const here = n * s.stepA + i * s.inner + k, there = n * s.stepB + k * s.columns + j;
            if (da) da[here] += slope * b[there];
            if (db) db[there] += slope * a[here];
          }
        }
      }
    }
  },
  terms(s, [a, b], y, at) {
    const j = at % s.columns, i = Math.floor(at / s.columns) % s.rows, n = Math.floor(at / s.columns / s.rows);
    const row = (k) => {
      const there = n * s.stepB + k * s.columns + j;
      return [0, n * s.stepA + i * s.inner + k, 1, there, b[there]];
    };
    return { says: "the sum of products, row by column", rows: range(0, s.inner).map(row) };
  },
};

const batchNorm = {
  channel: (s, i) => Math.floor(i / s.size) % s.channels,
  forward(s, [x, w, b, mean, variance], y) {
    for (let i = 0; i < y.length; i++) {
      const c = batchNorm.channel(s, i);
      y[i] = ((x[i] - mean[c]) / Math.sqrt(variance[c] + s.epsilon)) * w[c] + b[c];
    }
  },
  backward(s, [x, w, b, mean, variance], y, g, [dx, dw, db]) {
    for (let i = 0; i < y.length; i++) {
      const c = batchNorm.channel(s, i), root = Math.sqrt(variance[c] + s.epsilon);
      if (dx) dx[i] += (g[i] * w[c]) / root;
      if (dw) dw[c] += (g[i] * (x[i] - mean[c])) / root;
      if (db) db[c] += g[i];
    }
  },
  terms(s, [x, w, b, mean, variance], y, at) {
    const c = batchNorm.channel(s, at), root = Math.sqrt(variance[c] + s.epsilon);
    const unit = `(x − mean ${figure(mean[c])}) / √(variance ${figure(variance[c])} + ${figure(s.epsilon)})`;
    return {
      says: `${unit}, times weight ${figure(w[c])}, plus bias ${figure(b[c])}: the channel's own numbers, from training`,
      rows: [[0, at, -1, 0, w[c] / root]], rest: [-1, 0, b[c] - (mean[c] * w[c]) / root],
    };
  },
};

const normalize = {
  figures(s, x, i) {
    const mean = total(x, i * s.size, s.size) / s.size;
    let squares = 0;
    for (let j = i * s.size; j < (i + 1) * s.size; j++) squares += (x[j] - mean) ** 2;
    return [mean, Math.sqrt(squares / s.size + s.epsilon)];
  },
  forward(s, [x, w, b], y) {
    for (let i = 0; i < s.runs; i++) {
      const [mean, root] = normalize.figures(s, x, i);
      for (let j = 0; j < s.size; j++) {
        const at = s.turn ? i % s.turn : j, p = i * s.size + j;
        y[p] = ((x[p] - mean) / root) * (w ? w[at] : 1) + (b ? b[at] : 0);
      }
    }
  },
  backward(s, [x, w], y, g, [dx, dw, db]) {
    for (let i = 0; i < s.runs; i++) {
      const [mean, root] = normalize.figures(s, x, i), first = i * s.size;
      let slopes = 0, along = 0;
      for (let j = 0; j < s.size; j++) {
        const at = s.turn ? i % s.turn : j, p = first + j, unit = (x[p] - mean) / root, slope = g[p] * (w ? w[at] : 1);
        slopes += slope;
        along += slope * unit;
        if (dw) dw[at] += g[p] * unit;
        if (db) db[at] += g[p];
      }
      if (!dx) continue;
      for (let j = 0; j < s.size; j++) {
        const at = s.turn ? i % s.turn : j, p = first + j, unit = (x[p] - mean) / root;
        dx[p] += (g[p] * (w ? w[at] : 1) - slopes / s.size - (unit * along) / s.size) / root;
      }
    }
  },
  terms(s, [x, w, b], y, p) {
    const i = Math.floor(p / s.size), [mean, root] = normalize.figures(s, x, i), at = s.turn ? i % s.turn : p % s.size;
    const factor = w ? w[at] : 1, shift = b ? b[at] : 0;
    const unit = `(x − mean ${figure(mean)}) / deviation ${figure(root)} of the ${s.size} numbers it is among`;
    return {
      says: `${unit}, times weight ${figure(factor)}, plus bias ${figure(shift)}`,
      rows: [[0, p, -1, 0, factor / root]], rest: [-1, 0, shift - (mean * factor) / root],
    };
  },
};

const softmax = {
  run(s, at) {
    const i = Math.floor(at / s.inner / s.size), first = i * s.size * s.inner + (at % s.inner);
    return range(0, s.size).map((k) => first + k * s.inner);
  },
  each(s, f) {
    for (let i = 0; i < s.outer; i++) for (let j = 0; j < s.inner; j++) f(softmax.run(s, i * s.size * s.inner + j));
  },
  forward(s, [x], y) {
    softmax.each(s, (places) => {
      const most = places.reduce((best, p) => Math.max(best, x[p]), -Infinity);
      const sum = places.reduce((t, p) => t + Math.exp(x[p] - most), 0);
      for (const p of places) y[p] = s.logarithm ? x[p] - most - Math.log(sum) : Math.exp(x[p] - most) / sum;
    });
  },
  backward(s, [x], y, g, [dx]) {
    softmax.each(s, (places) => {
      const sum = places.reduce((t, p) => t + g[p] * (s.logarithm ? 1 : y[p]), 0);
      for (const p of places) dx[p] += s.logarithm ? g[p] - Math.exp(y[p]) * sum : y[p] * (g[p] - sum);
    });
  },
  terms(s, [x], y, at) {
    const places = softmax.run(s, at), sum = places.reduce((t, p) => t + Math.exp(x[p]), 0);
    const says = s.logarithm ? "x − log of the sum of exp" : "exp of x, divided by the sum of exp";
    const rows = places.map((p) => [0, p, -1, 0, 1]);
    return { says: `${says} of all ${s.size}, which is ${figure(sum)}`, rows, best: places.indexOf(at), whole: true };
  },
};

const each = {
  forward(s, [x], y) {
    const f = EACH[s.f][0];
    for (let i = 0; i < y.length; i++) y[i] = f(x[i], s);
  },
  backward(s, [x], y, g, [dx]) {
    const slope = EACH[s.f][1];
    for (let i = 0; i < y.length; i++) if (g[i] !== 0) dx[i] += g[i] * slope(x[i], y[i], s);
  },
  terms(s, x, y, at) {
    const says = EACH[s.f][2];
    return { says: typeof says === "string" ? says : says(s), rows: [[0, at, -1, 0, 1]], whole: true };
  },
};

/** The places of the inputs for the result's own one, for all three of `where` or both of `pairs`. */
function placesOf(s, at) {
  const found = s.steps.map(() => 0);
  for (let d = s.size.length - 1, rest = at; d >= 0; d--) {
    const index = rest % s.size[d];
    rest = Math.floor(rest / s.size[d]);
    for (let i = 0; i < found.length; i++) found[i] += index * s.steps[i][d];
  }
  return found;
}

const pairs = {
  forward(s, [a, b], y) {
    const f = PAIRS[s.f][0];
    let at = 0;
    walk(s.size, s.steps[0], s.steps[1], (i, j) => (y[at++] = f(a[i], b[j])));
  },
  backward(s, [a, b], y, g, [da, db]) {
    const slopes = PAIRS[s.f][1];
    let at = 0;
    walk(s.size, s.steps[0], s.steps[1], (i, j) => {
      const slope = g[at];
      if (slope !== 0) {
        const both = slopes(a[i], b[j], y[at]);
        if (da) da[i] += slope * both[0];
        if (db) db[j] += slope * both[1];
      }
      at++;
    });
  },
  terms(s, x, y, at) {
    const [i, j] = placesOf(s, at), rows = [[0, i, -1, 0, 1], [1, j, -1, 0, s.f === "Sub" ? -1 : 1]];
    return { says: PAIRS[s.f][2], rows, whole: s.f !== "Add" && s.f !== "Sub" };
  },
};

const where = {
  forward(s, x, y) {
    for (let at = 0; at < y.length; at++) {
      const [c, i, j] = placesOf(s, at);
      y[at] = x[0][c] ? x[1][i] : x[2][j];
    }
  },
  backward(s, x, y, g, dx) {
    for (let at = 0; at < y.length; at++) {
      const places = placesOf(s, at), taken = x[0][places[0]] ? 1 : 2;
      if (dx[taken]) dx[taken][places[taken]] += g[at];
    }
  },
  terms(s, x, y, at) {
    const places = placesOf(s, at);
    const rows = [1, 2].map((i) => [i, places[i], -1, 0, 1]);
    return { says: "the first of two, where a condition holds, else the second", rows, best: x[0][places[0]] ? 0 : 1 };
  },
};

const moved = "the same number, in another place";

const copy = {
  forward(s, x, y) {
    for (const w of s.walks) walk(w.size, w.from, w.to, (i, j) => (y[w.start + j] = x[w.of][(w.first ?? 0) + i]));
  },
  backward(s, x, y, g, dx) {
    for (const w of s.walks) if (dx[w.of]) walk(w.size, w.from, w.to, (i, j) => (dx[w.of][(w.first ?? 0) + i] += g[w.start + j]));
  },
  terms(s, x, y, at) {
    let rows = [];
    for (const w of s.walks) walk(w.size, w.from, w.to, (i, j) => w.start + j === at && (rows = [[w.of, (w.first ?? 0) + i, -1, 0, 1]]));
    return { says: moved, rows };
  },
};

const gather = {
  from(s, at) {
    const k = at % s.inner, j = Math.floor(at / s.inner) % s.table.length, i = Math.floor(at / s.inner / s.table.length);
    return s.table[j] < 0 ? -1 : (i * s.size + s.table[j]) * s.inner + k;
  },
  forward(s, [x], y) {
    for (let at = 0; at < y.length; at++) {
      const from = gather.from(s, at);
      y[at] = from < 0 ? s.value : x[from];
    }
  },
  backward(s, [x], y, g, [dx]) {
    for (let at = 0; at < y.length; at++) {
      const from = gather.from(s, at);
      if (from >= 0) dx[from] += g[at];
    }
  },
  terms(s, x, y, at) {
    const from = gather.from(s, at);
    return from < 0 ? { says: "a border of constant numbers", rows: [] } : { says: moved, rows: [[0, from, -1, 0, 1]] };
  },
};

const reduce = {
  share: (s, x, y) => (s.f === "Mean" ? y.length / x.length : 1),
  forward(s, [x], y) {
    const start = { Max: -Infinity, Min: Infinity, Prod: 1 }[s.f] ?? 0, sums = new Float64Array(y.length).fill(start);
    const add = PAIRS[{ Max: "Max", Min: "Min", Prod: "Mul" }[s.f] ?? "Add"][0];
    walk(s.size, s.from, s.to, (i, j) => (sums[j] = add(sums[j], x[i])));
    const share = reduce.share(s, x, y);
    for (let j = 0; j < y.length; j++) y[j] = sums[j] * share;
  },
  backward(s, [x], y, g, [dx]) {
    if (s.f === "Sum" || s.f === "Mean") {
      const share = reduce.share(s, x, y);
      walk(s.size, s.from, s.to, (i, j) => (dx[i] += g[j] * share));
    } else if (s.f === "Prod") {
      const zeros = new Int32Array(y.length), others = new Float64Array(y.length).fill(1);
      walk(s.size, s.from, s.to, (i, j) => (x[i] === 0 ? zeros[j]++ : (others[j] *= x[i])));
      walk(s.size, s.from, s.to, (i, j) => {
        if (zeros[j] === 0) dx[i] += (g[j] * others[j]) / x[i];
        else if (zeros[j] === 1 && x[i] === 0) dx[i] += g[j] * others[j];
      });
    } else {
      const equal = new Int32Array(y.length);
      walk(s.size, s.from, s.to, (i, j) => x[i] === y[j] && equal[j]++);
      const first = s.first ? new Uint8Array(y.length) : null;
      walk(s.size, s.from, s.to, (i, j) => {
        if (x[i] !== y[j] || (first && first[j])) return;
        if (first) first[j] = 1;
        dx[i] += first ? g[j] : g[j] / equal[j];
      });
    }
  },
  terms(s, [x], y, at) {
    const places = [], share = reduce.share(s, x, y);
    walk(s.size, s.from, s.to, (i, j) => j === at && places.push(i));
    const says = {
      Max: "the largest of these", Min: "the smallest of these", Prod: "the product of these", Sum: "the sum of these",
      Mean: `the mean of these: each counts 1/${places.length}`,
    }[s.f];
    const best = s.f === "Max" || s.f === "Min" ? places.findIndex((p) => x[p] === y[at]) : undefined;
    return { says, rows: places.map((p) => [0, p, -1, 0, share]), best, whole: s.f === "Prod" };
  },
};

const OPS = {
  averagePool, batchNorm, conv, convTranspose, copy, each, gather, linear, matmul, maxPool, means, normalize, pairs, reduce,
  softmax, where,
};
