/* Where a number comes from: the rule of its step, the inputs with their factors, and the sum they make. */
"use strict";

const SHOWN = 16; // rows of a longer sum
const detail = byId("detail");

/** What a value is called: the layer that gives it, a weight by its own name. */
function nameOf(value) {
  if (value === 0) return "picture";
  const weight = net.weights.find((w) => w.value === value);
  if (weight) return weight.name || "constant";
  const step = net.maker.get(value);
  if (!step) return "value";
  if (step.prepares) return nameOf(step.in[0]);
  return titleOf(step);
}

/** What a layer is called: by its path and, where that ends in a number, its kind. */
function titleOf(step) {
  return /(^|\.)\d+$/.test(step.layer) ? `${step.layer} ${step.kind}` : step.layer || step.name;
}

/** Shows where a number comes from. */
function choose(value, at) {
  if (state.chosen) state.trail.push(state.chosen);
  state.chosen = { value, at };
  document.body.classList.add("asks");
  showDetail(true);
  drawAll();
}

function back() {
  state.chosen = state.trail.pop() ?? null;
  showDetail(true);
  drawAll();
}

function closeDetail() {
  state.chosen = null;
  state.trail = [];
  document.body.classList.remove("asks");
  showDetail();
  drawAll();
}

/** A link to a number; `short` leaves out the layer's name. */
function link(value, at, short) {
  const name = `${short ? "" : nameOf(value)}${indexOf(value, at)}`;
  if (value !== 0 && !net.maker.has(value)) return make("span", { class: "from" }, name);
  const button = make("button", { type: "button", class: "from" }, name);
  button.addEventListener("click", () => choose(value, at));
  return button;
}

function button(text, act) {
  const made = make("button", { type: "button" }, text);
  made.addEventListener("click", act);
  return made;
}

function showDetail(fresh = false) {
  if (!state.chosen) {
    detail.replaceChildren(make("h2", {}, "Where a number comes from"), make("p", { class: "dim" }, "Click a number in a map, or a class: its sum appears here, with the numbers that go into it."));
    return;
  }
  const { value, at } = state.chosen, found = net.explain(value, at), parts = [], all = detail.all && !fresh;
  detail.all = all;
  const tools = make("div", { class: "tools" });
  if (state.trail.length) tools.append(button("Back", back));
  if (found && canSwitch(value)) {
    const channel = channelOf(value, at), off = net.off.get(value)?.has(channel);
    const what = net.sizes[value].length > 2 ? "Channel" : "Unit";
    tools.append(button(`${what} ${channel} ${off ? "on" : "off"}`, () => toggle(value, channel)));
  }
  tools.append(button("Close", closeDetail));
  parts.push(make("h2", {}, nameOf(value), make("span", { class: "index" }, indexOf(value, at))), tools);
  parts.push(make("p", { class: "result" }, "= ", make("b", {}, figure(net.values[value][at]))));
  const slope = state.losses?.[value]?.[at];
  if (slope !== undefined) parts.push(make("p", { class: "dim" }, `gradient of the loss: ${figure(slope)}`));
  if (!found) parts.push(make("p", {}, "A number of the picture, as the net takes it."));
  else parts.push(...sumOf(found, all));
  detail.replaceChildren(...parts);
}

function sumOf(found, all) {
  const { step, rows, rest, best } = found;
  const kind = step.kind && step.kind !== step.name ? `${step.kind}, ${step.name}` : step.name;
  const parts = [make("p", { class: "rule" }, make("b", {}, kind), `: ${found.says}.`)];
  const adds = found.sum !== null, factors = rows.some((row) => row.weight !== null || row.factor !== 1);
  const grid = windowOf(found);
  if (grid) parts.push(grid);
  const order = adds ? [...rows].sort((a, b) => Math.abs(b.product) - Math.abs(a.product)) : best === null ? rows : [rows[best], ...rows.filter((_, i) => i !== best)];
  const shown = all || rows.length <= SHOWN + 4 ? order : order.slice(0, SHOWN), others = order.slice(shown.length);
  if (rows.length) {
    const most = Math.max(...rows.map((row) => Math.abs(row.product)), 1e-30), body = make("tbody");
    const alike = rows.every((row) => row.of === rows[0].of), of = alike ? ` of ${nameOf(rows[0].of)}` : "";
    for (const row of shown) {
      const bar = make("i", { class: row.product < 0 ? "minus" : "plus" });
      bar.style.width = `${(100 * Math.abs(row.product)) / most}%`;
      const factor = row.weight === null ? figure(row.factor) : make("span", { title: `${nameOf(row.weight)}${indexOf(row.weight, row.there)}` }, figure(row.factor));
      const cells = [make("td", { class: alike ? "place" : null }, link(row.of, row.at, alike)), make("td", { class: "n" }, figure(row.x))];
      if (factors) cells.push(make("td", { class: "n" }, "× ", factor), make("td", { class: "n" }, figure(row.product)));
      if (adds) cells.push(make("td", { class: "rail" }, bar));
      body.append(make("tr", { class: best !== null && row.order === best ? "best" : null }, ...cells));
    }
    const columns = 2 + (factors ? 2 : 0) + (adds ? 1 : 0), line = (text, number) => make("tr", { class: "line" }, make("td", { colspan: String(factors ? 3 : 1) }, text), make("td", { class: "n" }, figure(number)), adds ? make("td") : "");
    if (others.length && adds) body.append(line(`${others.length} smaller ones together`, others.reduce((t, row) => t + row.product, 0)));
    else if (others.length) body.append(make("tr", { class: "line" }, make("td", { colspan: String(columns) }, `and ${others.length} more`)));
    if (rest) body.append(line(rest.of === null ? "what is added" : `bias ${nameOf(rest.of)}${indexOf(rest.of, rest.at)}`, rest.value));
    if (adds) body.append(line("sum", found.sum));
    const heads = ["at", "number", ...(factors ? ["factor", "product"] : []), ...(adds ? [""] : [])];
    parts.push(make("table", {}, make("caption", {}, adds ? `${rows.length} ${rows.length === 1 ? "number" : "numbers"}${of}${rows.length === 1 ? "" : ", the largest parts first"}` : `Made of ${rows.length === 1 ? "a number" : "numbers"}${of}`), make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))), body));
    if (others.length) {
      parts.push(button(`All ${rows.length}`, () => {
        detail.all = true;
        showDetail();
      }));
    }
  }
  return parts;
}

/** For a convolution of few channels: its window, numbers times weights, as it lies on the input. */
function windowOf({ step, rows }) {
  if (step.op !== "conv" || step.kernelH * step.kernelW > 25 || step.kernelW > 5 || rows.length !== step.kernelH * step.kernelW || rows.length < 4) return null;
  const table = make("table", { class: "window" }, make("caption", {}, "The window: number × weight"));
  for (let k = 0; k < step.kernelH; k++) {
    const line = make("tr");
    for (const row of rows.slice(k * step.kernelW, (k + 1) * step.kernelW)) {
      const cell = make("td", {}, make("b", {}, figure(Number(row.x.toPrecision(3)))), make("br"), `× ${figure(Number(row.factor.toPrecision(2)))}`);
      const share = Math.abs(row.product) / Math.max(...rows.map((r) => Math.abs(r.product)), 1e-30);
      cell.style.background = `color-mix(in srgb, var(--${row.product < 0 ? "minus" : "plus"}) ${Math.round(45 * share)}%, var(--paper))`;
      line.append(cell);
    }
    table.append(line);
  }
  return table;
}
