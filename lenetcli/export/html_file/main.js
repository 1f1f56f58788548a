/* The page begins: its parts are made, and shown anew whenever something changes. */
"use strict";

const SLOW = 12; // milliseconds of a forward pass; behind a slower one, gradients wait until the picture rests
let later = null, spent = 0;

/** Runs the net and shows all that follows. */
function refresh() {
  const begin = performance.now();
  if (state.source?.kind !== state.last?.kind || state.input !== state.lastInput) forgetStep();
  state.last = state.source;
  state.lastInput = state.input;
  net.run(state.input);
  const took = performance.now() - begin;
  spent = spent ? 0.8 * spent + 0.2 * took : took;
  byId("time").textContent = `forward: ${spent < 1 ? spent.toFixed(2) : spent.toFixed(1)} ms`;
  byId("all-on").hidden = ![...net.off.values()].some((off) => off.size);
  showScores();
  clearTimeout(later);
  if (spent < SLOW || !pen.down) showGradients();
  else later = setTimeout(showGradients, 150);
}

function showGradients() {
  showWhy();
  showLoss();
  drawAll();
  showDetail();
}

function drawAll() {
  for (const card of inView) drawCard(card);
}

function showGrads(grads) {
  state.grads = grads;
  byId("show-values").setAttribute("aria-pressed", String(!grads));
  byId("show-grads").setAttribute("aria-pressed", String(grads));
  drawAll();
}

function showFacts() {
  const count = net.weights.filter((w) => w.name).reduce((t, w) => t + w.size, 0), f = data.figures;
  const parts = [`${count.toLocaleString("en")} weights`];
  if (f?.accuracy != null) parts.push(`${(100 * f.accuracy).toFixed(2)}% right on its ${f.split} samples`);
  byId("facts").textContent = parts.join(" · ");
}

byId("show-values").addEventListener("click", () => showGrads(false));
byId("show-grads").addEventListener("click", () => showGrads(true));
byId("all-on").addEventListener("click", () => {
  net.off.clear();
  refresh();
});
byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  palette = null;
  drawAll();
});
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  palette = null;
  drawAll();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && state.chosen) closeDetail();
});
new ResizeObserver(() => {
  cards.forEach(layCard);
  drawAll();
}).observe(byId("cards"));

for (let i = 0; i < 8; i++) net.run(state.input); // so that the browser has made the functions fast before somebody draws
showFacts();
startScores();
startLearning();
startLayers();
startSamples();
byId("own").hidden = !data.inputs || shape[0] === 2 || shape[0] > 4;
if (data.inputs) startPad();
if (stored) takeSample(0);
else if (data.inputs) drawn();
else refresh();
showDetail();
