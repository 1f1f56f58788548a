/* Steps that look through windows: convolutions and pools. */
"use strict";

/** The places along one row that a window's column reaches: the first q and the one behind the last. */
function reach(s, left) {
  const first = left < 0 ? Math.ceil(-left / s.strideW) : 0;
  return [first, Math.min(s.columns, Math.floor((s.width - 1 - left) / s.strideW) + 1)];
}

/** For a convolution: f(w, row, left, first, end, p) for each weight and each row of the result it has a part in. */
function eachTap(s, n, o, f) {
  const own = s.channels / s.group, base = Math.floor(o / (s.outs / s.group)) * own;
  for (let c = 0; c < own; c++) {
    const image = (n * s.channels + base + c) * s.height;
    for (let k = 0; k < s.kernelH; k++) {
      for (let l = 0; l < s.kernelW; l++) {
        const left = l * s.dilationW - s.padW, [first, end] = reach(s, left);
        if (end > first) f(((o * own + c) * s.kernelH + k) * s.kernelW + l, image, k * s.dilationH - s.padH, left, first, end);
      }
    }
  }
}

const conv = {
  forward(s, [x, w, b], y) {
    const size = s.rows * s.columns, sum = new Float64Array(size);
    for (let n = 0; n < s.images; n++) {
      for (let o = 0; o < s.outs; o++) {
        sum.fill(b ? b[o] : 0);
        eachTap(s, n, o, (at, image, top, left, first, end) => {
          const weight = w[at], step = s.strideW;
          for (let p = 0; p < s.rows; p++) {
            const h = p * s.strideH + top;
            if (h < 0 || h >= s.height) continue;
            const row = (image + h) * s.width + left, to = p * s.columns;
            for (let q = first; q < end; q++) sum[to + q] += weight * x[row + q * step];
          }
        });
        y.set(sum, (n * s.outs + o) * size);
      }
    }
  },
  backward(s, [x, w], y, g, [dx, dw, db]) {
    const size = s.rows * s.columns, step = s.strideW;
    for (let n = 0; n < s.images; n++) {
      for (let o = 0; o < s.outs; o++) {
        const at = (n * s.outs + o) * size;
        if (db) db[o] += total(g, at, size);
        eachTap(s, n, o, (place, image, top, left, first, end) => {
          let sum = 0;
          for (let p = 0; p < s.rows; p++) {
            const h = p * s.strideH + top;
            if (h < 0 || h >= s.height) continue;
            const row = (image + h) * s.width + left, to = at + p * s.columns;
            if (dw) for (let q = first; q < end; q++) sum += g[to + q] * x[row + q * step];
            if (dx) for (let q = first; q < end; q++) dx[row + q * step] += g[to + q] * w[place];
          }
          if (dw) dw[place] += sum;
        });
      }
    }
  },
  terms(s, [x, w, b], y, at) {
    const size = s.rows * s.columns, o = Math.floor(at / size) % s.outs, n = Math.floor(at / size / s.outs);
    const p = Math.floor((at % size) / s.columns), q = at % s.columns, rows = [];
    eachTap(s, n, o, (place, image, top, left) => {
      const h = p * s.strideH + top, v = q * s.strideW + left;
      if (h >= 0 && h < s.height && v >= 0 && v < s.width) rows.push([0, (image + h) * s.width + v, 1, place, w[place]]);
    });
    return { says: "the sum of inputs times weights" + (b ? ", plus the bias" : ""), rows, rest: b ? [2, o, b[o]] : null };
  },
};

/** For a transposed convolution: f(place of the input, of the weight, of the output) wherever they meet. */
function eachMeeting(s, f) {
  const own = s.channels / s.group, outs = s.outs / s.group;
  for (let n = 0; n < s.images; n++) {
    for (let o = 0; o < s.outs; o++) {
      const base = Math.floor(o / outs) * own, to = (n * s.outs + o) * s.rows;
      for (let c = base; c < base + own; c++) {
        for (let h = 0; h < s.height; h++) {
          for (let v = 0; v < s.width; v++) {
            const from = ((n * s.channels + c) * s.height + h) * s.width + v;
            for (let k = 0; k < s.kernelH; k++) {
              const p = h * s.strideH - s.padH + k * s.dilationH;
              if (p < 0 || p >= s.rows) continue;
              for (let l = 0; l < s.kernelW; l++) {
                const q = v * s.strideW - s.padW + l * s.dilationW;
                if (q >= 0 && q < s.columns) f(from, ((c * outs + (o % outs)) * s.kernelH + k) * s.kernelW + l, (to + p) * s.columns + q);
              }
            }
          }
        }
      }
    }
  }
}

const convTranspose = {
  forward(s, [x, w, b], y) {
    const size = s.rows * s.columns, sum = new Float64Array(y.length);
    if (b) for (let i = 0; i < y.length; i++) sum[i] = b[Math.floor(i / size) % s.outs];
    eachMeeting(s, (from, place, to) => (sum[to] += x[from] * w[place]));
    y.set(sum);
  },
  backward(s, [x, w], y, g, [dx, dw, db]) {
    const size = s.rows * s.columns;
    if (db) for (let i = 0; i < g.length; i++) db[Math.floor(i / size) % s.outs] += g[i];
    eachMeeting(s, (from, place, to) => {
      if (dx) dx[from] += g[to] * w[place];
      if (dw) dw[place] += g[to] * x[from];
    });
  },
  terms(s, [x, w, b], y, at) {
    const rows = [], o = Math.floor(at / s.rows / s.columns) % s.outs;
    eachMeeting(s, (from, place, to) => to === at && rows.push([0, from, 1, place, w[place]]));
    return { says: "the sum of inputs times weights" + (b ? ", plus the bias" : ""), rows, rest: b ? [2, o, b[o]] : null };
  },
};

/** f(place of the result, places on the image) for each window of a pool. */
function eachWindow(s, f, only = null) {
  const places = [];
  for (let c = 0, at = 0; c < s.images * s.channels; c++) {
    for (let p = 0; p < s.rows; p++) {
      for (let q = 0; q < s.columns; q++, at++) {
        if (only !== null && at !== only) continue;
        places.length = 0;
        for (let k = 0; k < s.kernelH; k++) {
          const h = p * s.strideH - s.padH + k * s.dilationH;
          if (h < 0 || h >= s.height) continue;
          for (let l = 0; l < s.kernelW; l++) {
            const v = q * s.strideW - s.padW + l * s.dilationW;
            if (v >= 0 && v < s.width) places.push((c * s.height + h) * s.width + v);
          }
        }
        f(at, places);
      }
    }
  }
}

/** The place of the largest number, of equal ones the first; NaN is larger than all. */
function largest(x, places) {
  let best = places[0];
  for (const place of places) if (x[place] > x[best] || (x[place] !== x[place] && x[best] === x[best])) best = place;
  return best;
}

const maxPool = {
  forward(s, [x], y) {
    eachWindow(s, (at, places) => (y[at] = x[largest(x, places)]));
  },
  backward(s, [x], y, g, [dx]) {
    eachWindow(s, (at, places) => (dx[largest(x, places)] += g[at]));
  },
  terms(s, [x], y, at) {
    let found = null;
    eachWindow(s, (_, places) => {
      const rows = places.map((p) => [0, p, -1, 0, 1]);
      found = { says: "the largest of its window", rows, best: places.indexOf(largest(x, places)) };
    }, at);
    return found;
  },
};

const averagePool = {
  forward(s, [x], y) {
    eachWindow(s, (at, places) => {
      let sum = 0;
      for (const place of places) sum += x[place];
      y[at] = sum / (s.whole ? s.kernelH * s.kernelW : places.length);
    });
  },
  backward(s, [x], y, g, [dx]) {
    eachWindow(s, (at, places) => {
      const share = g[at] / (s.whole ? s.kernelH * s.kernelW : places.length);
      for (const place of places) dx[place] += share;
    });
  },
  terms(s, [x], y, at) {
    let found = null;
    eachWindow(s, (_, places) => {
      const count = s.whole ? s.kernelH * s.kernelW : places.length;
      found = { says: `the mean of its window: each counts 1/${count}`, rows: places.map((p) => [0, p, -1, 0, 1 / count]) };
    }, at);
    return found;
  },
};

const means = {
  forward(s, [x], y) {
    for (let i = 0; i < s.runs; i++) {
      let sum = 0;
      for (let j = 0; j < s.size; j++) sum += x[i * s.size + j];
      y[i] = sum / s.size;
    }
  },
  backward(s, [x], y, g, [dx]) {
    for (let i = 0; i < dx.length; i++) dx[i] += g[Math.floor(i / s.size)] / s.size;
  },
  terms(s, x, y, at) {
    const rows = range(at * s.size, s.size).map((p) => [0, p, -1, 0, 1 / s.size]);
    return { says: `the mean of the whole map: each counts 1/${s.size}`, rows };
  },
};
