/* A program that runs: forward, backward, one step of training, and what made a number. */
"use strict";

/** A number in four digits, as people write it. */
function figure(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const plain = value === 0 || (size >= 1e-3 && size < 1e6);
  const text = plain ? String(Number(value.toPrecision(4))) : value.toExponential(2).replace(/\.?0+e/, "e");
  return text.replace(/-/g, "−");
}

/** The bytes of a base64 text. */
function decoded(text) {
  const plain = atob(text), bytes = new Uint8Array(plain.length);
  for (let i = 0; i < plain.length; i++) bytes[i] = plain.charCodeAt(i);
  return bytes;
}

/** Runs a program. `values` are the numbers between the steps, `grads` their gradients, by the same numbers. */
class Net {
  constructor(program, bytes) {
    const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
    const places = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
    this.program = program;
    this.sizes = program.sizes;
    this.values = this.sizes.map((size) => new Float32Array(size.reduce((a, b) => a * b, 1)));
    this.grads = this.values.map(() => null);
    this.weights = program.weights;
    this.steps = program.steps;
    this.output = program.outputs[program.main ?? 0];
    this.maker = new Map();
    this.off = new Map(); // channels that are switched off, by the number of a value
    for (const weight of this.weights) this.values[weight.value].set(numbers.subarray(weight.at, weight.at + weight.size));
    for (const step of this.steps) {
      this.maker.set(step.out, step);
      for (const key of ["p", "q", "value"]) if (typeof step[key] === "string") step[key] = Number(step[key]);
      if (step.op === "gather") {
        step.table = places.subarray(step.places[0], step.places[0] + step.places[1]);
        step.value ??= 0;
      }
    }
    this.first = this.weights.map((weight) => this.values[weight.value].slice());
    this.depends = this.reachable([0]);
    this.learns = this.reachable([0, ...this.weights.filter((w) => w.trained).map((w) => w.value)]);
  }

  /** Whether each value depends on one of these. */
  reachable(from) {
    const found = this.values.map((_, i) => from.includes(i));
    for (const step of this.steps) if (step.in.some((i) => i >= 0 && found[i])) found[step.out] = true;
    return found;
  }

  inputs(step) {
    return step.in.map((i) => (i < 0 ? null : this.values[i]));
  }

  /** The scores of an input. */
  run(input) {
    this.values[0].set(input);
    return this.again();
  }

  /** The scores of the same input, after something was changed. */
  again() {
    for (const step of this.steps) {
      OPS[step.op].forward(step, this.inputs(step), this.values[step.out]);
      this.silence(step.out, this.values[step.out]);
    }
    return this.values[this.output.value];
  }

  /** Zeros where channels are switched off. */
  silence(number, array) {
    const off = this.off.get(number);
    if (!off || !off.size) return;
    const size = this.channelSize(number);
    for (const channel of off) array.fill(0, channel * size, (channel + 1) * size);
  }

  /** How many numbers of a value belong to one of its channels. */
  channelSize(number) {
    return this.sizes[number].slice(2).reduce((a, b) => a * b, 1);
  }

  /** Gradients of everything from those of outputs, [number, gradient]; `through` says of which values. */
  backward(seeds, through = this.learns) {
    this.grads = this.values.map((value, i) => (through[i] ? new Float32Array(value.length) : null));
    for (const [number, gradient] of seeds) if (this.grads[number]) gradient.forEach((g, i) => (this.grads[number][i] += g));
    for (let i = this.steps.length - 1; i >= 0; i--) {
      const step = this.steps[i], g = this.grads[step.out];
      if (!g) continue;
      this.silence(step.out, g);
      const wanted = step.in.map((n) => (n < 0 ? null : this.grads[n]));
      if (wanted.some(Boolean)) OPS[step.op].backward(step, this.inputs(step), this.values[step.out], g, wanted);
    }
    return this.grads;
  }

  /** What made a number: the rule of its step and the terms, with their values. */
  explain(number, at) {
    const step = this.maker.get(number);
    if (!step) return null;
    if (this.off.get(number)?.has(Math.floor(at / this.channelSize(number)))) {
      return { step, value: 0, says: "this channel is switched off", rows: [], rest: null, sum: 0 };
    }
    const found = OPS[step.op].terms(step, this.inputs(step), this.values[number], at);
    const rows = found.rows.map(([input, place, factors, there, factor], order) => {
      const x = this.values[step.in[input]][place];
      return { order, of: step.in[input], at: place, x, factor, weight: factors < 0 ? null : step.in[factors], there, product: x * factor };
    });
    const rest = found.rest ? { of: found.rest[0] < 0 ? null : step.in[found.rest[0]], at: found.rest[1], value: found.rest[2] } : null;
    const sum = rows.reduce((t, row) => t + row.product, 0) + (rest ? rest.value : 0);
    const added = found.best === undefined && !found.whole && rows.length > 0;
    return { step, value: this.values[number][at], says: found.says, rows, rest, sum: added ? sum : null, best: found.best ?? null };
  }

  /** Weights that a step of training changes, with their gradients from the last `backward`. */
  trained() {
    return this.weights.filter((w) => w.trained).map((w) => ({ ...w, values: this.values[w.value], grad: this.grads[w.value] }));
  }

  /** Weights minus rate times gradient; gives what undoes it. */
  update(rate) {
    const before = this.trained().map((w) => [w.value, w.values.slice()]);
    for (const { values, grad } of this.trained()) if (grad) for (let i = 0; i < values.length; i++) values[i] -= rate * grad[i];
    return () => before.forEach(([number, values]) => this.values[number].set(values));
  }

  /** The weights as training left them. */
  restore() {
    this.weights.forEach((weight, i) => this.values[weight.value].set(this.first[i]));
  }
}

/** Probabilities of the classes, as the run's loss takes the scores. */
function shares(scores, meaning) {
  const x = Array.from(scores);
  if (meaning === "logits") return x.length === 1 ? [1 - sigmoid(x[0]), sigmoid(x[0])] : x.map(sigmoid);
  if (meaning === "probabilities") return x.length === 1 ? [1 - x[0], x[0]] : x;
  if (meaning === "logarithms") return x.map(Math.exp);
  const most = Math.max(...x), parts = x.map((v) => Math.exp(v - most)), sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => part / sum);
}

/** The loss for a class, and its gradient by the scores. */
function lossOf(scores, target, meaning, smoothing = 0) {
  const x = Array.from(scores), p = shares(scores, meaning), n = x.length;
  if (meaning === "logits" || (meaning === "probabilities" && n === 1)) {
    const wanted = n === 1 ? [target] : x.map((_, i) => Number(i === target));
    const clipped = (v) => Math.max(Math.log(v), -100);
    if (meaning === "probabilities") {
      const y = wanted[0], loss = -(y * clipped(x[0]) + (1 - y) * clipped(1 - x[0]));
      return [loss, [(x[0] - y) / Math.max(x[0] * (1 - x[0]), 1e-12)]];
    }
    const losses = x.map((v, i) => Math.max(v, 0) - v * wanted[i] + Math.log1p(Math.exp(-Math.abs(v))));
    return [losses.reduce((a, b) => a + b, 0) / n, x.map((v, i) => (sigmoid(v) - wanted[i]) / n)];
  }
  if (meaning === "logarithms") return [-x[target], x.map((_, i) => -Number(i === target))];
  if (meaning === "probabilities") return [-Math.log(x[target]), x.map((v, i) => (i === target ? -1 / v : 0))];
  const most = Math.max(...x), log = most + Math.log(x.reduce((t, v) => t + Math.exp(v - most), 0));
  const wanted = x.map((_, i) => smoothing / n + (i === target ? 1 - smoothing : 0));
  return [x.reduce((t, v, i) => t + wanted[i] * (log - v), 0), x.map((_, i) => p[i] - wanted[i])];
}
