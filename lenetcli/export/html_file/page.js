/* What all parts of the page share: its data, the net, elements, colours, and the state that is shown. */
"use strict";

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const net = new Net(data.program, decoded(byId("weights").textContent.trim()));

/** What is shown: where the picture comes from, the class that is asked about, values or gradients. */
const state = {
  source: null, // {kind: "drawn" | "picture" | "sample", ...}
  image: null, // as the data set holds it, bytes
  input: new Float32Array(net.values[0].length),
  asked: null, // the class that somebody chose; else the likeliest
  target: null, // the right answer that somebody chose
  grads: false,
  losses: null, // gradients of the loss, where they are shown
  chosen: null, // {value, at} that is explained
  trail: [],
};

/** An element with attributes and children; texts stay texts. */
function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** A table with a caption and a name for each column. */
function table(caption, heads, rows) {
  const names = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  return make("table", {}, make("caption", {}, caption), make("thead", {}, names), make("tbody", {}, ...rows));
}

/** A cell with a number in it, or something else that stands to the right. */
const cell = (...inside) => make("td", { class: "n" }, ...inside);

/** A cell with a bar as long as a number's share of the largest one. */
function barCell(value, most) {
  const bar = make("i", { class: value < 0 ? "minus" : "plus" });
  bar.style.width = `${(100 * Math.abs(value)) / most}%`;
  return make("td", { class: "rail" }, bar);
}

/** In three digits. */
const short = (value) => figure(Number(value.toPrecision(3)));

const classes = data.classes;
const className = (i) => classes[i] ?? String(i);

function percent(share) {
  if (share > 0 && share < 0.001) return "<0.1%";
  return share < 1 && share > 0.999 ? ">99.9%" : `${(100 * share).toFixed(1)}%`;
}

const sizes = (shape) => `[${shape.slice(1).join(", ")}]`;
const norm = (values) => Math.sqrt(values.reduce((t, v) => t + v * v, 0));

/** Classes are told apart: there are names, or the loss takes the outputs for classes. */
const outputs = net.values[net.output.value].length;
const classifies = data.meaning !== "numbers" && net.output.shape.length === 2;
const choices = outputs === 1 && classifies ? 2 : outputs;
const listed = classifies || outputs <= 20; // else the outputs are maps, among the layers

let palette = null;
/** The page's colours of nothing, of positive and of negative numbers, as [r, g, b]. */
function colours() {
  if (palette) return palette;
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim().match(/\w\w/g).map((part) => parseInt(part, 16));
  return (palette = { none: read("--none"), plus: read("--plus"), minus: read("--minus"), off: read("--rule") });
}

/** Writes the colour of a number from -1 to 1 into pixels. */
function paint(pixels, at, share) {
  const { none, plus, minus } = colours(), end = share < 0 ? minus : plus, part = Math.min(1, Math.abs(share));
  for (let k = 0; k < 3; k++) pixels[at + k] = none[k] + (end[k] - none[k]) * part;
  pixels[at + 3] = 255;
}

/** The largest number's size, at least something. */
function extent(values) {
  let most = 0;
  for (const v of values) if (Math.abs(v) > most && Number.isFinite(v)) most = Math.abs(v);
  return most || 1;
}

/** Draws an image (c, h, w) of bytes on a canvas, a pixel each. */
function drawImage(canvas, { c, h, w, values }, white = 255) {
  canvas.width = w;
  canvas.height = h;
  const picture = new ImageData(w, h), size = h * w;
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < 3; k++) picture.data[4 * i + k] = (255 * values[(c >= 3 ? k : 0) * size + i]) / white;
    picture.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

let waiting = false;
/** Runs the net again and shows everything, once before the next picture of the screen. */
function changed() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    refresh();
  });
}
