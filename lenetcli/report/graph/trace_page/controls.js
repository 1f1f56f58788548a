// The header: steps, search, folding, theme; then the page begins.

const slider = byId("slider"), search = byId("search"), play = byId("play");
let hits = [], hit = -1, playing = null;

function showStep(number) {
  state.step = Math.min(data.steps.length - 1, Math.max(0, number));
  slider.value = state.step;
  const step = now(), last = data.steps[data.steps.length - 1];
  const text = `step ${step.step} of ${last.step} · loss ${figure(step.loss)}`;
  byId("at").textContent = text;
  slider.setAttribute("aria-valuetext", text);
  if (state.tree !== trees[step.graph]) {
    state.tree = trees[step.graph];
    state.chosen = null;
    layout();
    showChain();
  }
  fillInView();
  fill(state.chosen);
  showDetail(state.pointed ?? state.chosen);
  showParameters();
  showCurve();
}

function showChain() {
  const parts = state.tree.graph.forward.flatMap((name, i) => (i ? [" ", make("i", {}, "→"), ` ${name}`] : [name]));
  byId("chain").replaceChildren(make("b", {}, "forward"), ...parts);
}

function showParameters() {
  byId("parameters").replaceChildren(...now().parameters.flatMap(([name, before, after]) => [
    make("h2", {}, `${name}.grad `, make("small", {}, "before backward")), make("pre", { tabindex: "0" }, before),
    make("h2", {}, `${name}.grad `, make("small", {}, "after backward")), make("pre", { tabindex: "0" }, after),
  ]));
}

/** The loss over the steps, behind the slider. */
function showCurve() {
  const box = byId("curve"), width = box.clientWidth || 300;
  box.setAttribute("viewBox", `0 0 ${width} 20`);
  if (data.steps.length > 1 && data.steps.some((step) => step.loss !== null)) {
    curveInto(box, data.steps.map((step) => step.loss), width, 20, state.step);
  }
}

function stopPlaying() {
  clearInterval(playing);
  playing = null;
  play.textContent = "▶";
  play.setAttribute("aria-pressed", "false");
}

slider.max = data.steps.length - 1;
byId("steps").hidden = data.steps.length < 2;
slider.addEventListener("input", () => {
  stopPlaying();
  showStep(Number(slider.value));
});
byId("back").addEventListener("click", () => showStep(state.step - 1));
byId("on").addEventListener("click", () => showStep(state.step + 1));
play.addEventListener("click", () => {
  if (playing) return stopPlaying();
  if (state.step === data.steps.length - 1) showStep(0);
  play.textContent = "❚❚";
  play.setAttribute("aria-pressed", "true");
  playing = setInterval(() => {
    showStep(state.step + 1);
    if (state.step === data.steps.length - 1) stopPlaying();
  }, 700);
});

function find() {
  const wanted = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of hits) row.element?.classList.remove("hit");
  hits = wanted.length ? state.tree.rows.filter((row) => wanted.every((word) => row.words.includes(word))) : [];
  hit = -1;
  byId("hits").textContent = wanted.length ? `${hits.length} found` : "";
  if (hits.length) showHit(1);
}

function showHit(by) {
  hit = (hit + by + hits.length) % hits.length;
  byId("hits").textContent = `${hit + 1} of ${hits.length}`;
  goTo(hits[hit], false);
  for (const row of hits) row.element?.classList.add("hit");
}

search.addEventListener("input", find);
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && hits.length) showHit(event.shiftKey ? -1 : 1);
  if (event.key === "Escape") {
    search.value = "";
    find();
    state.chosen.element.focus();
  }
  if (event.key === "ArrowDown") {
    event.preventDefault();
    choose(state.chosen);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/INPUT|TEXTAREA/.test(event.target.tagName)) {
    event.preventDefault();
    search.focus();
  }
  if (event.key === "Escape" && panel.classList.contains("open")) closeSheet();
});

byId("fold").addEventListener("click", () => foldAll(true));
byId("unfold").addEventListener("click", () => foldAll(false));
byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

const header = document.querySelector("header");
new ResizeObserver(() => {
  document.documentElement.style.setProperty("--header", `${header.offsetHeight}px`);
  showCurve();
}).observe(header);

byId("facts").textContent = (() => {
  const { nodes, calls } = data.graphs[0], parameters = nodes.filter((node) => node.parameter !== undefined).length;
  return `${nodes.length} nodes, ${parameters} of them parameters, ${calls.length} module calls`;
})();
showStep(0);
