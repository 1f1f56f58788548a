/* Pictures as the net takes them, to the bit as `lenet predict` prepares them: size, swap of black and white, numbers. */
"use strict";

const f32 = Math.fround;

/** Places and weights of the old pixels that make each new one: [[places], [weights]], a row for each part of the sum. */
function pixelWeights(size, out, width) {
  const places = [], weights = [], totals = new Float64Array(out);
  for (let k = 0; k < Math.ceil(2 * width); k++) {
    places.push(new Int32Array(out));
    weights.push(new Float64Array(out));
    for (let j = 0; j < out; j++) {
      let centre = (j + 0.5) * (size / out) - 0.5;
      if (width === 1) centre = Math.max(0, Math.min(size - 1, centre));
      const place = Math.floor(centre - width) + 1 + k;
      const weight = place >= 0 && place < size ? Math.max(0, 1 - Math.abs(place - centre) / width) : 0;
      weights[k][j] = weight;
      totals[j] += weight;
      places[k][j] = Math.max(0, Math.min(size - 1, place));
    }
  }
  return [places, weights.map((row) => Float32Array.from(row, (w, j) => w / totals[j]))];
}

/** An image {c, h, w, values} with another number of rows (axis 1) or columns (axis 2). */
function rescaled(image, axis, out, width) {
  const { c, h, w, values } = image, [places, weights] = pixelWeights(axis === 1 ? h : w, out, width);
  const rows = axis === 1 ? out : h, columns = axis === 2 ? out : w, found = new Float32Array(c * rows * columns);
  for (let i = 0, at = 0; i < c; i++) {
    for (let p = 0; p < rows; p++) {
      for (let q = 0; q < columns; q++, at++) {
        const j = axis === 1 ? p : q;
        let sum = 0;
        for (let k = 0; k < places.length; k++) {
          const from = (i * h + (axis === 1 ? places[k][j] : p)) * w + (axis === 2 ? places[k][j] : q);
          const part = f32(values[from] * weights[k][j]);
          sum = k ? f32(sum + part) : part;
        }
        found[at] = sum;
      }
    }
  }
  return { c, h: rows, w: columns, values: found };
}

/** To the nearest whole number, halves to the even one, from 0 to 255. */
function asByte(x) {
  return Math.max(0, Math.min(255, rounded(x)));
}

/** An image of bytes brought to the data set's size: shrunk by means, grown bilinearly. */
function fitted(image, [, h, w]) {
  if (image.h === h && image.w === w) return image;
  let found = { ...image, values: Float32Array.from(image.values) };
  if (found.h > h) found = rescaled(found, 1, h, found.h / h);
  if (found.w > w) found = rescaled(found, 2, w, found.w / w);
  if (found.h < h) found = rescaled(found, 1, h, 1);
  if (found.w < w) found = rescaled(found, 2, w, 1);
  return { ...found, values: Float32Array.from(found.values, asByte) };
}

/** White for black and black for white. */
function inverted(image) {
  return { ...image, values: Float32Array.from(image.values, (v) => 255 - v) };
}

/** What the net takes of an image that has the data set's size; `factors` are those of its kind of numbers. */
function prepared(image, inputs, factors) {
  let found = { ...image, values: Float32Array.from(image.values) };
  const [h, w] = inputs.size;
  if (found.h !== h) found = rescaled(found, 1, h, 1);
  if (found.w !== w) found = rescaled(found, 2, w, 1);
  const size = h * w;
  return found.values.map((v, i) => {
    const c = Math.floor(i / size);
    return f32(f32(v * f32(factors[c])) + f32(inputs.offset[c]));
  });
}

/** A canvas's pixels (RGBA) as an image of bytes: gray as Pillow makes it, transparent parts white. */
function fromPixels(pixels, width, height, channels) {
  const size = width * height, values = new Float32Array(channels * size);
  for (let i = 0, at = 0; i < size; i++, at += 4) {
    const a = pixels[at + 3] / 255, under = 255 * (1 - a);
    const r = Math.round(pixels[at] * a + under), g = Math.round(pixels[at + 1] * a + under), b = Math.round(pixels[at + 2] * a + under);
    if (channels === 1) {
      values[i] = (r * 19595 + g * 38470 + b * 7471 + 32768) >> 16;
    } else {
      values[i] = r;
      values[size + i] = g;
      values[2 * size + i] = b;
      if (channels === 4) values[3 * size + i] = 255;
    }
  }
  return { c: channels, h: height, w: width, values };
}

/** The mean of the outermost pixels, from 0 to 1. */
function border(image) {
  const { c, h, w, values } = image;
  let sum = 0, count = 0;
  for (let i = 0; i < c; i++) {
    for (let p = 0; p < h; p++) {
      for (let q = 0; q < w; q++) {
        if (p && q && p < h - 1 && q < w - 1) continue;
        sum += values[(i * h + p) * w + q];
        count++;
      }
    }
  }
  return sum / count / 255;
}
