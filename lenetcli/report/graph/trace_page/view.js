// Rows and ways on the page: drawing, folding, choosing, keys.

const byId = (id) => document.getElementById(id);
const treeBox = byId("tree"), waysBox = byId("ways");
const state = { step: 0, tree: null, seen: [], ways: [], chosen: null, pointed: null, near: null };
const trees = data.graphs.map(grow);
const wide = window.matchMedia("(min-width: 1001px)");

/** An HTML element; text is set as text, so that no name can become markup. */
function make(tag, attributes = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

/** The same for SVG. */
function draw(tag, attributes, ...inside) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

/** A number in three digits. */
function figure(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-3 && size < 1e5)) return String(Number(value.toPrecision(3)));
  return value.toExponential(2).replace(/\.?0+e/, "e");
}

function percent(share) {
  if (share === null || share === undefined) return "–";
  if (share > 0 && share < 0.01) return "<1%";
  if (share > 0.99 && share < 1) return ">99%";
  return `${Math.round(100 * share)}%`;
}

const sizes = (shape) => `[${shape.join(",")}]`;
const now = () => data.steps[state.step];

// the scale of the bars, one for all steps so that they can be compared
const norms = data.steps.flatMap((step) => step.grad.map((g) => (g ? g[0] : null))).filter((n) => n > 0);
const highest = Math.log(norms.reduce((a, b) => Math.max(a, b), 1e-300));
const lowest = Math.max(Math.log(norms.reduce((a, b) => Math.min(a, b), Infinity)), highest - Math.log(1e6)) - 0.5;
const length = (norm) => (norm > 0 ? Math.min(1, Math.max(0.015, (Math.log(norm) - lowest) / (highest - lowest))) : 0);

/** A row's element, still empty: a graph may have thousands. */
function element(row) {
  row.element = make("div", { role: "treeitem", class: `row ${row.type}`, id: `row${row.number}`, tabindex: "-1", "aria-level": row.level + 1 });
  row.element.row = row;
  return row.element;
}

/** Puts into a row what it shows; its figures are filled in later, at each step anew. */
function furnish(row) {
  const node = state.tree.graph.nodes[row.node];
  const parts = {
    bar: make("i"), norm: make("b"), zeros: make("span", { class: "zeros" }), out: make("span", { class: "out" }),
    marks: make("span", { class: "marks" }),
  };
  const fold = make("span", { class: row.rows.length ? "fold" : "fold none", "aria-hidden": "true" }, "▸");
  const label = make("span", { class: "label" }, fold, make("span", { class: "name", title: row.name }, row.name));
  if (row.kind) label.append(make("span", { class: "kind" }, row.kind));
  row.element.append(
    label, make("span", { class: "shape" }, sizes(node.shapes[0])),
    make("span", { class: "norm" }, make("span", { class: "rail" }, parts.bar), parts.norm),
    parts.zeros, parts.out, parts.marks,
  );
  row.parts = parts;
}

/** Writes a row's figures of the step that is shown. */
function fill(row) {
  if (row.filled === state.step) return;
  if (!row.parts) furnish(row);
  row.filled = state.step;
  const step = now(), index = row.node, g = step.grad[index], v = step.value[index];
  const { bar, norm, zeros, out, marks } = row.parts;
  bar.style.width = `${100 * length(g ? g[0] : null)}%`;
  norm.textContent = g ? figure(g[0]) : "–";
  zeros.textContent = g ? percent(g[3]) : "";
  out.textContent = !v ? "" : v[1] === null ? figure(v[0]) : `${figure(v[0])} ± ${figure(v[1])}`;
  marks.replaceChildren(...badges(row));
  row.element.setAttribute("aria-label", spoken(row, g));
}

/** Fills the rows that are in the window, and some on either side. */
function fillInView() {
  const top = -treeBox.getBoundingClientRect().top / state.height, many = window.innerHeight / state.height;
  for (const row of state.seen.slice(Math.max(0, Math.floor(top - 20)), Math.max(0, Math.ceil(top + many + 20)))) fill(row);
}

/** Nodes that a row stands for. */
function inside(row) {
  return row.rows.length ? row.rows.flatMap(inside) : [row.node];
}

function badges(row) {
  const step = now(), nodes = inside(row), found = [];
  const add = (kind, text, title) => found.push(make("span", { class: `badge ${kind}`, title }, text));
  if (nodes.some((i) => (step.grad[i] && step.grad[i][4]) || (step.value[i] && step.value[i][5]))) {
    add("bad", "NaN", "Values that are NaN or infinite");
  }
  const checks = nodes.map((i) => step.checks?.[i]).filter(Boolean);
  if (checks.some((check) => !check[3])) add("bad", "✗ wrong", "Backward and differences do not agree");
  else if (checks.length) add("good", "✓", "Backward and differences agree");
  const dead = nodes.map((i) => step.dead?.[i]).filter((d) => d && d[0]);
  if (dead.length) {
    const [count, units] = dead.reduce((a, b) => [a[0] + b[0], a[1] + b[1]]);
    const samples = state.tree.graph.nodes[row.node].shapes[0][0]; // of one alone, a unit that is zero is not yet dead
    add("warn", `${count} ${samples === 1 ? "zero" : "dead"}`, `${count} of ${units} units are zero for every sample of the batch`);
  }
  return found;
}

function spoken(row, g) {
  const place = row.kind ? `${row.name}, ${row.kind}` : row.name;
  return isOpen(row) ? place : `${place}, gradient ${g ? figure(g[0]) : "none"}`;
}

/** Shows the rows that are not folded away, and the ways between them. */
function layout() {
  const seen = visible(state.tree), { ways, lanes } = waysOf(state.tree, seen);
  state.seen = seen;
  state.ways = ways;
  const height = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));
  const gap = wide.matches ? 9 : 7, spine = 14 + lanes * gap, indent = wide.matches ? 16 : 10;
  Object.assign(state, { height, gap, spine });
  for (const row of seen) {
    if (!row.element) element(row);
    row.element.style.setProperty("--indent", `${spine + 16 + indent * row.level}px`);
    row.element.classList.toggle("open", isOpen(row));
    if (row.rows.length) row.element.setAttribute("aria-expanded", String(!row.folded));
    row.element.setAttribute("aria-label", spoken(row, now().grad[row.node]));
  }
  treeBox.replaceChildren(...seen.map((row) => row.element));
  fillInView();
  drawWays();
  if (!state.chosen || !seen.includes(state.chosen)) choose(state.chosen ? shower(state.chosen) : first(seen), false);
}

/** The row that is chosen at the beginning: the loss is a single number, the one below it has histograms. */
function first(seen) {
  return seen.find((row) => state.tree.graph.nodes[row.node].shapes[0].length > 0) ?? seen[0];
}

const middle = (row) => (row.at + 0.5) * state.height;
const across = (row) => state.spine + (row.side ? 14 : 0);

function path(way) {
  const { from, to, lane } = way, x = across(from), y = middle(from), goal = across(to), end = middle(to);
  if (lane) {
    const beside = state.spine - lane * state.gap, r = Math.sign(end - y) * Math.min(10, Math.abs(end - y) / 2);
    return `M${x} ${y}Q${beside} ${y} ${beside} ${y + r}V${end - r}Q${beside} ${end} ${goal} ${end}`;
  }
  if (x === goal) return `M${x} ${y}V${end}`;
  return `M${x} ${y}V${end - 7}Q${x} ${end} ${goal} ${end}`; // a branch to parameters
}

function drawWays() {
  const { seen, ways, height, spine } = state;
  const plain = ways.filter((way) => way.to.at > way.from.at).map(path).join("");
  const shared = ways.filter((way) => way.to.at < way.from.at).map(path).join("");
  state.near = draw("path", { class: "near", d: "" });
  const dots = seen.filter((row) => !isOpen(row)).map((row) => {
    const kind = row.type === "parameter" ? "parameter" : row.side ? "side" : row.rows.length ? "whole" : "";
    return draw("circle", { class: `dot ${kind}`, cx: across(row), cy: middle(row), r: row.rows.length ? 5 : row.side ? 3.5 : 4.5 });
  });
  waysBox.setAttribute("width", spine + 30);
  waysBox.setAttribute("height", seen.length * height);
  waysBox.replaceChildren(draw("path", { d: plain }), draw("path", { class: "shared", d: shared }), state.near, ...dots);
  showNear();
}

/** Draws the ways from and to the row that is looked at again, so that they stand out. */
function showNear() {
  const row = state.pointed ?? state.chosen;
  state.near?.setAttribute("d", state.ways.filter((way) => way.from === row || way.to === row).map(path).join(""));
}

function choose(row, focus = true) {
  if (state.chosen?.element) {
    state.chosen.element.setAttribute("aria-selected", "false");
    state.chosen.element.tabIndex = -1;
  }
  state.chosen = row;
  fill(row);
  row.element.setAttribute("aria-selected", "true");
  row.element.tabIndex = 0;
  if (focus) {
    row.element.focus({ preventScroll: true });
    reveal(row.element);
  }
  showNear();
  showDetail(row);
}

/** Scrolls a row into view, clear of the header and, on a phone, of the details. */
function reveal(made) {
  const place = made.getBoundingClientRect(), top = document.querySelector("header").offsetHeight + 8;
  const sheet = byId("detail"), bottom = window.innerHeight - (!wide.matches && sheet.classList.contains("open") ? sheet.offsetHeight : 0) - 8;
  if (place.top < top) window.scrollBy(0, place.top - top);
  else if (place.bottom > bottom) window.scrollBy(0, place.bottom - bottom);
}

/** Unfolds what hides a row, then chooses it. */
function goTo(row, focus = true) {
  let hidden = false;
  for (let at = row.parent; at; at = at.parent) {
    hidden ||= at.folded;
    at.folded = false;
  }
  if (hidden) layout();
  choose(row, focus);
  reveal(row.element);
}

function toggle(row, folded = !row.folded) {
  if (!row.rows.length || row.folded === folded) return;
  row.folded = folded;
  layout();
  choose(row);
}

function foldAll(folded) {
  for (const row of state.tree.rows) if (row.rows.length) row.folded = folded;
  layout();
  choose(shower(state.chosen), false);
}

function move(by) {
  const at = Math.min(state.seen.length - 1, Math.max(0, state.chosen.at + by));
  choose(state.seen[at]);
}

const keys = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  PageDown: () => move(10),
  PageUp: () => move(-10),
  Home: () => move(-Infinity),
  End: () => move(Infinity),
  ArrowRight: (row) => (isOpen(row) ? move(1) : toggle(row, false)),
  ArrowLeft: (row) => (isOpen(row) ? toggle(row, true) : row.parent && choose(row.parent)),
  Enter: (row) => (row.rows.length ? toggle(row) : openSheet()),
  " ": (row) => (row.rows.length ? toggle(row) : openSheet()),
};

treeBox.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
  event.preventDefault();
  keys[event.key](state.chosen);
});
treeBox.addEventListener("click", (event) => {
  const made = event.target.closest(".row");
  if (!made) return;
  state.pointed = null;
  if (event.target.closest(".fold") && made.row.rows.length) return toggle(made.row);
  choose(made.row);
  openSheet();
});
treeBox.addEventListener("dblclick", (event) => {
  const made = event.target.closest(".row");
  if (made && !event.target.closest(".fold")) toggle(made.row);
});
treeBox.addEventListener("pointerover", (event) => {
  const made = event.target.closest(".row");
  if (event.pointerType !== "mouse" || !made || made.row === state.pointed || !wide.matches) return;
  state.pointed = made.row;
  showNear();
  showDetail(made.row);
});
treeBox.addEventListener("pointerleave", () => {
  if (!state.pointed) return;
  state.pointed = null;
  showNear();
  showDetail(state.chosen);
});
wide.addEventListener("change", () => layout());
for (const kind of ["scroll", "resize"]) window.addEventListener(kind, fillInView, { passive: true });
