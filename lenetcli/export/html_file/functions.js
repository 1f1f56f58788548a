/* Functions of one number and of two: [value, derivatives], by the engine's rules.
 *
 * `value(x, step)` and `slope(x, y, step)` for one; `value(a, b)`, and `slopes(a, b, y)`, both derivatives, for two.
 * `says(...)` is the function in words, for whoever asks where a number comes from. */
"use strict";

const ROOT_PI = Math.sqrt(Math.PI);
const SELU = [1.0507009873554805, 1.6732632423543772];
const ERF = [
  [1.128379144885496, 0.19103611124522277, 0.05281796973614249, 0.003788933706562432, 0.00028475302681973513, 2.0364750171314165e-6],
  [1, 0.5026340519664634, 0.11435664499732011, 0.01501625148853213, 0.0011669851666491074, 3.794444667505758e-5],
];

/** The error function to the last bits of float32: x P(x²) / Q(x²). */
function erf(x) {
  const near = Math.max(-4, Math.min(4, x)), square = near * near;
  const [p, q] = ERF.map((row) => row.reduceRight((sum, c) => sum * square + c, 0));
  return Math.max(-1, Math.min(1, (near * p) / q));
}

function sigmoid(x) {
  const small = Math.exp(-Math.abs(x));
  return x >= 0 ? 1 / (1 + small) : small / (1 + small);
}

/** To the nearest whole number, halves to the even one. */
function rounded(x) {
  const low = Math.floor(x), rest = x - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

const EACH = {
  Abs: [(x) => Math.abs(x), (x) => Math.sign(x), "|x|"],
  Acos: [(x) => Math.acos(x), (x) => -1 / Math.sqrt(1 - x * x), "arccos x"],
  Acosh: [(x) => Math.acosh(x), (x) => 1 / Math.sqrt(x * x - 1), "arcosh x"],
  Asin: [(x) => Math.asin(x), (x) => 1 / Math.sqrt(1 - x * x), "arcsin x"],
  Asinh: [(x) => Math.asinh(x), (x) => 1 / Math.sqrt(x * x + 1), "arsinh x"],
  Atan: [(x) => Math.atan(x), (x) => 1 / (1 + x * x), "arctan x"],
  Atanh: [(x) => Math.atanh(x), (x) => 1 / (1 - x * x), "artanh x"],
  Ceil: [(x) => Math.ceil(x), () => 0, "x, rounded up"],
  Clip: [
    (x, s) => Math.min(Math.max(x, s.p), s.q),
    (x, y, s) => Number(s.open ? x > s.p && x < s.q : x >= s.p && x <= s.q), (s) => `x, from ${s.p} to ${s.q}`,
  ],
  Cos: [(x) => Math.cos(x), (x) => -Math.sin(x), "cos x"],
  Cosh: [(x) => Math.cosh(x), (x) => Math.sinh(x), "cosh x"],
  Elu: [
    (x, s) => (x > 0 ? x : s.p * Math.expm1(x)), (x, y, s) => (x > 0 ? 1 : s.p * Math.exp(x)),
    (s) => `x above 0, else ${s.p} (exp x − 1)`,
  ],
  Erf: [(x) => erf(x), (x) => (2 / ROOT_PI) * Math.exp(-x * x), "erf x"],
  Exp: [(x) => Math.exp(x), (x, y) => y, "exp x"],
  Floor: [(x) => Math.floor(x), () => 0, "x, rounded down"],
  HardSigmoid: [
    (x, s) => Math.min(Math.max(s.p * x + s.q, 0), 1),
    (x, y, s) => (s.p * x + s.q > 0 && s.p * x + s.q < 1 ? s.p : 0), (s) => `${s.p} x + ${s.q}, from 0 to 1`,
  ],
  HardSwish: [
    (x) => x * (x < -3 ? 0 : x > 3 ? 1 : x / 6 + 0.5), (x) => (x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5),
    "x (x / 6 + 0.5), the factor from 0 to 1",
  ],
  IsInf: [(x) => Number(Math.abs(x) === Infinity), () => 0, "whether x is infinite"],
  IsNaN: [(x) => Number(Number.isNaN(x)), () => 0, "whether x is no number"],
  LeakyRelu: [(x, s) => (x > 0 ? x : s.p * x), (x, y, s) => (x > 0 ? 1 : s.p), (s) => `x above 0, else ${s.p} x`],
  Log: [(x) => Math.log(x), (x) => 1 / x, "log x"],
  Neg: [(x) => -x, () => -1, "−x"],
  Not: [(x) => Number(!x), () => 0, "not x"],
  Reciprocal: [(x) => 1 / x, (x, y) => -y * y, "1 / x"],
  Relu: [(x) => (x > 0 || x !== x ? x : 0), (x) => Number(x > 0), "max(0, x)"],
  Round: [rounded, () => 0, "x, rounded"],
  Selu: [
    (x) => SELU[0] * (x > 0 ? x : SELU[1] * Math.expm1(x)), (x) => SELU[0] * (x > 0 ? 1 : SELU[1] * Math.exp(x)),
    "1.0507 x above 0, else 1.7581 (exp x − 1)",
  ],
  Sigmoid: [sigmoid, (x, y) => y * (1 - y), "1 / (1 + exp(−x))"],
  Sign: [(x) => Math.sign(x), () => 0, "the sign of x"],
  Sin: [(x) => Math.sin(x), (x) => Math.cos(x), "sin x"],
  Sinh: [(x) => Math.sinh(x), (x) => Math.cosh(x), "sinh x"],
  Softplus: [(x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), (x) => sigmoid(x), "log(1 + exp x)"],
  Softsign: [(x) => x / (1 + Math.abs(x)), (x) => (1 + Math.abs(x)) ** -2, "x / (1 + |x|)"],
  Sqrt: [(x) => Math.sqrt(x), (x, y) => 0.5 / y, "√x"],
  Tan: [(x) => Math.tan(x), (x, y) => 1 + y * y, "tan x"],
  Tanh: [(x) => Math.tanh(x), (x, y) => 1 - y * y, "tanh x"],
};

const none = () => [0, 0];
const halves = (a, b) => (a === b ? [0.5, 0.5] : null);
const PAIRS = {
  Add: [(a, b) => a + b, () => [1, 1], "a + b"],
  And: [(a, b) => Number(a && b), none, "a and b"],
  Div: [(a, b) => a / b, (a, b, y) => [1 / b, -y / b], "a / b"],
  Equal: [(a, b) => Number(a === b), none, "whether a = b"],
  Greater: [(a, b) => Number(a > b), none, "whether a > b"],
  GreaterOrEqual: [(a, b) => Number(a >= b), none, "whether a ≥ b"],
  Less: [(a, b) => Number(a < b), none, "whether a < b"],
  LessOrEqual: [(a, b) => Number(a <= b), none, "whether a ≤ b"],
  Max: [(a, b) => Math.max(a, b), (a, b) => halves(a, b) ?? [Number(a > b), Number(a < b)], "the larger of a and b"],
  Min: [(a, b) => Math.min(a, b), (a, b) => halves(a, b) ?? [Number(a < b), Number(a > b)], "the smaller of a and b"],
  Mul: [(a, b) => a * b, (a, b) => [b, a], "a · b"],
  Or: [(a, b) => Number(a || b), none, "a or b"],
  PRelu: [(a, b) => (a > 0 ? a : b * a), (a, b) => (a > 0 ? [1, 0] : [b, a]), "a above 0, else b · a"],
  Pow: [
    (a, b) => a ** b, (a, b, y) => [b === 0 ? 0 : b * a ** (b - 1), a > 0 ? y * Math.log(a) : 0], "a to the power of b",
  ],
  Sub: [(a, b) => a - b, () => [1, -1], "a − b"],
  Xor: [(a, b) => Number(Boolean(a) !== Boolean(b)), none, "a or b, not both"],
};
