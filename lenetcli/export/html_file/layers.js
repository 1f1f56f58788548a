/* The layers as cards: each its maps on one canvas, as values or as gradients of the loss. */
"use strict";

const MAPS = 64; // that a card shows before it is asked for all
const cards = [];
const inView = new Set();
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) inView.delete(entry.target.card);
    else if (inView.add(entry.target.card)) drawCard(entry.target.card);
  }
}, { rootMargin: "300px" });

/** How a value lies on its card: so many maps of h x w, in columns. */
function arrangement(card, width) {
  const dims = card.dims, maps = Math.min(card.maps, card.all ? card.maps : MAPS);
  const [h, w] = dims;
  if (card.flat) {
    const cell = 14, columns = Math.max(1, Math.min(card.count, Math.floor(width / cell)));
    return { maps: 1, h: Math.ceil(card.count / columns), w: columns, zoom: cell, columns: 1, gap: 0 };
  }
  const gap = 4, wanted = card.maps === 1 ? 220 : Math.max(56, Math.min(96, 3 * Math.max(h, w)));
  const fitting = (zoom) => Math.max(1, Math.min(maps, Math.floor((width + gap) / (w * zoom + gap))));
  const most = Math.min(Math.max(1, wanted / Math.max(h, w)), width / w), fewest = Math.ceil(maps / fitting(0.72 * most));
  let zoom = most; // the largest that needs no more rows of maps than much smaller ones
  while (Math.ceil(maps / fitting(zoom)) > fewest) zoom -= 0.01 * most;
  const columns = fitting(zoom);
  return { maps, h, w, zoom, columns, gap };
}

/** A card for the result of a step; `number` is null for the picture itself. */
function cardOf(value, name, kind, step) {
  const size = net.sizes[value], inner = size[0] === 1 ? size.slice(1) : size, count = net.values[value].length;
  const flat = inner.length < 2, how = "arrow keys move over its numbers";
  const card = {
    value, name, step, count, flat, dims: flat ? [1, count] : inner.slice(-2),
    maps: flat ? 1 : inner.slice(0, -2).reduce((a, b) => a * b, 1), all: false, at: 0,
    canvas: make("canvas", { tabindex: "0", role: "application", "aria-label": `${name} ${kind}, ${sizes(size)}: ${how}` }),
    norm: make("span", { class: "norm" }), off: make("span", { class: "offs" }), where: make("output", { class: "where" }),
  };
  const head = make("h3", {}, make("b", {}, name), ` ${kind} `, make("small", {}, sizes(step ? step.shape : size)), card.where, card.norm);
  card.foot = make("p", { class: "foot" }, card.off);
  card.element = make("article", { class: "card" }, head, card.canvas, card.foot);
  if (card.maps > MAPS) {
    const more = make("button", { type: "button" }, `All ${card.maps} maps`);
    more.addEventListener("click", () => {
      card.all = true;
      more.remove();
      drawCard(card);
    });
    card.foot.append(more);
  }
  card.element.card = card;
  watcher.observe(card.element);
  listen(card);
  cards.push(card);
  return card;
}

/** A card for each layer; the steps inside of one fold away. */
function startLayers() {
  const box = byId("cards"), groups = [];
  for (const step of net.steps) {
    if (step.prepares) continue;
    const last = groups[groups.length - 1];
    if (last && step.layer && last[0].layer === step.layer) last.push(step);
    else groups.push([step]);
  }
  box.append(cardOf(0, "picture", "what the net takes", null).element);
  for (const group of groups) {
    const step = group[group.length - 1];
    box.append(cardOf(step.out, step.layer || step.name, step.layer ? step.kind : "", step).element);
    if (group.length === 1) continue;
    const count = group.length === 2 ? "1 step" : `${group.length - 1} steps`, inside = make("div");
    const fold = make("details", { class: "inside" }, make("summary", {}, `${count} before it in ${step.layer}`), inside);
    fold.addEventListener("toggle", () => {
      if (inside.childElementCount) return;
      group.slice(0, -1).forEach((part) => inside.append(cardOf(part.out, part.layer, part.name, part).element));
    });
    box.lastChild.append(fold);
  }
}

/** What a card shows now. */
function numbersOf(card) {
  return state.grads ? state.losses?.[card.value] : net.values[card.value];
}

/** Gives a card's canvas its size; before it is drawn, so that nothing moves when it comes into view. */
function layCard(card) {
  const box = card.element.clientWidth - 26, canvas = card.canvas, ratio = Math.min(2, window.devicePixelRatio || 1);
  const a = (card.layout = arrangement(card, Math.max(60, box))), rows = Math.ceil(a.maps / a.columns);
  a.width = a.columns * (a.w * a.zoom + a.gap) - a.gap;
  a.height = rows * (a.h * a.zoom + a.gap) - a.gap;
  a.ratio = ratio;
  if (canvas.width === Math.round(a.width * ratio) && canvas.height === Math.round(a.height * ratio)) return;
  canvas.width = Math.round(a.width * ratio);
  canvas.height = Math.round(a.height * ratio);
  canvas.style.width = `${a.width}px`;
  canvas.style.height = `${a.height}px`;
}

function drawCard(card) {
  layCard(card);
  const values = numbersOf(card), canvas = card.canvas, off = net.off.get(card.value);
  const a = card.layout, { width, height, ratio } = a;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.imageSmoothingEnabled = false;
  const most = values ? extent(values) : 1, size = card.flat ? card.count : a.h * a.w;
  const small = (card.small ??= document.createElement("canvas"));
  small.width = a.w;
  small.height = a.h;
  const to = small.getContext("2d"), picture = new ImageData(a.w, a.h);
  for (let m = 0; m < a.maps; m++) {
    picture.data.fill(0);
    for (let i = 0; i < size; i++) paint(picture.data, 4 * i, values ? values[m * size + i] / most : 0);
    to.putImageData(picture, 0, 0);
    const x = (m % a.columns) * (a.w * a.zoom + a.gap), y = Math.floor(m / a.columns) * (a.h * a.zoom + a.gap);
    context.drawImage(small, x, y, a.w * a.zoom, a.h * a.zoom);
    if (!card.flat && off?.has(channelOf(card.value, m * size))) cross(context, x, y, a.w * a.zoom, a.h * a.zoom);
  }
  if (card.flat && off) {
    for (const i of off) cross(context, (i % a.w) * a.zoom, Math.floor(i / a.w) * a.zoom, a.zoom, a.zoom);
  }
  card.norm.textContent = `|grad| ${figure(state.losses?.[card.value] ? norm(state.losses[card.value]) : null)}`;
  card.norm.hidden = !state.losses?.[card.value];
  card.off.textContent = off?.size ? `${off.size} off: ${[...off].join(", ")}` : "";
  if (state.chosen?.value === card.value) frame(card, context, state.chosen.at, true);
  if (document.activeElement === canvas) frame(card, context, card.at, false);
}

function cross(context, x, y, w, h) {
  const { off } = colours();
  context.fillStyle = `rgb(${off.join(" ")})`;
  context.fillRect(x, y, w, h);
  context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--bad");
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + w, y + h);
  context.moveTo(x + w, y);
  context.lineTo(x, y + h);
  context.stroke();
}

/** A frame around one number. */
function frame(card, context, at, strong) {
  const a = card.layout, size = a.h * a.w, m = card.flat ? 0 : Math.floor(at / size), i = card.flat ? at : at % size;
  if (m >= a.maps) return;
  const x = (m % a.columns) * (a.w * a.zoom + a.gap) + (i % a.w) * a.zoom;
  const y = Math.floor(m / a.columns) * (a.h * a.zoom + a.gap) + Math.floor(i / a.w) * a.zoom;
  context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue(strong ? "--bad" : "--ink");
  context.lineWidth = 2;
  context.strokeRect(x - 1, y - 1, a.zoom + 2, a.zoom + 2);
}

/** The number under a place of the canvas; null where there is none. */
function numberAt(card, event) {
  const a = card.layout, box = card.canvas.getBoundingClientRect();
  const x = event.clientX - box.left, y = event.clientY - box.top, wide = a.w * a.zoom + a.gap, high = a.h * a.zoom + a.gap;
  const column = Math.floor(x / wide), row = Math.floor(y / high), m = row * a.columns + column;
  const q = Math.min(a.w - 1, Math.floor((x - column * wide) / a.zoom)); // a gap is the map's before it
  const p = Math.min(a.h - 1, Math.floor((y - row * high) / a.zoom));
  if (m < 0 || m >= a.maps || q < 0 || p < 0 || column >= a.columns) return null;
  const at = m * a.h * a.w + p * a.w + q;
  return at < card.count ? at : null;
}

/** Where a number stands, as an index. */
function indexOf(value, at) {
  const size = net.sizes[value], found = [];
  for (let d = size.length - 1, rest = at; d >= 0; d--) {
    found.unshift(rest % size[d]);
    rest = Math.floor(rest / size[d]);
  }
  return `[${(size[0] === 1 && size.length > 1 ? found.slice(1) : found).join(", ")}]`;
}

const channelOf = (value, at) => Math.floor(at / net.channelSize(value));

/** Switches a channel off, or on again. */
function toggle(value, channel) {
  const off = net.off.get(value) ?? new Set();
  if (!off.delete(channel)) off.add(channel);
  net.off.set(value, off);
  changed();
}

function say(card, at) {
  const values = numbersOf(card);
  card.where.textContent = at === null || !values ? "" : `${indexOf(card.value, at)} = ${figure(values[at])}`;
}

function listen(card) {
  const { canvas } = card;
  canvas.addEventListener("pointermove", (event) => say(card, numberAt(card, event)));
  canvas.addEventListener("pointerleave", () => say(card, null));
  canvas.addEventListener("click", (event) => {
    const at = numberAt(card, event);
    if (at === null) return;
    card.at = at;
    choose(card.value, at);
  });
  canvas.addEventListener("keydown", (event) => {
    const a = card.layout, size = a.h * a.w, w = a.w;
    const page = card.flat ? 10 * w : size;
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -w, ArrowDown: w, PageDown: page, PageUp: -page }[event.key];
    if (move) card.at = Math.min(Math.min(card.count, card.flat ? card.count : a.maps * size) - 1, Math.max(0, card.at + move));
    else if (event.key === "Enter" || event.key === " ") choose(card.value, card.at);
    else if (event.key === "o" && card.step && canSwitch(card.value)) toggle(card.value, channelOf(card.value, card.at));
    else return;
    event.preventDefault();
    drawCard(card);
    say(card, card.at);
  });
  for (const kind of ["focus", "blur"]) canvas.addEventListener(kind, () => drawCard(card));
}

/** Values of one sample have channels that can be switched off; the scores stay. */
function canSwitch(value) {
  return net.sizes[value][0] === 1 && net.sizes[value].length > 1 && value !== net.output.value && value !== 0;
}
