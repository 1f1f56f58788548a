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
    const how = "Click a number in a map, or a class: its sum appears here, with the numbers that go into it.";
    detail.replaceChildren(make("h2", {}, "Where a number comes from"), make("p", { class: "dim" }, how));
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

/** The rule, and the numbers that it took. */
function sumOf(found, all) {
  const { step, rows, best } = found;
  const kind = step.kind && step.kind !== step.name ? `${step.kind}, ${step.name}` : step.name;
  const parts = [make("p", { class: "rule" }, make("b", {}, kind), `: ${found.says}.`), windowOf(found)].filter(Boolean);
  if (!rows.length) return parts;
  const order = found.sum !== null ? [...rows].sort((a, b) => Math.abs(b.product) - Math.abs(a.product)) : [...rows];
  if (best !== null) order.unshift(...order.splice(best, 1));
  const shown = all || rows.length <= SHOWN + 4 ? order : order.slice(0, SHOWN);
  parts.push(sumTable(found, shown, order.slice(shown.length)));
  if (shown.length < rows.length) {
    parts.push(button(`All ${rows.length}`, () => {
      detail.all = true;
      showDetail();
    }));
  }
  return parts;
}

function sumTable({ rows, rest, best, sum }, shown, others) {
  const adds = sum !== null, factors = rows.some((row) => row.weight !== null || row.factor !== 1);
  const alike = rows.every((row) => row.of === rows[0].of), of = alike ? ` of ${nameOf(rows[0].of)}` : "";
  const most = Math.max(...rows.map((row) => Math.abs(row.product)), 1e-30);
  const lines = shown.map((row) => {
    const weight = row.weight === null ? null : `${nameOf(row.weight)}${indexOf(row.weight, row.there)}`;
    const cells = [make("td", { class: alike ? "place" : null }, link(row.of, row.at, alike)), cell(figure(row.x))];
    if (factors) cells.push(cell("× ", make("span", { title: weight }, figure(row.factor))), cell(figure(row.product)));
    if (adds) cells.push(barCell(row.product, most));
    return make("tr", { class: row.order === best ? "best" : null }, ...cells);
  });
  const line = (text, ...cells) => make("tr", { class: "line" }, make("td", { colspan: factors ? 3 : 1 }, text), ...cells);
  const number = (value) => [cell(figure(value)), make("td")];
  if (others.length && adds) {
    lines.push(line(`${others.length} smaller ones together`, ...number(others.reduce((t, row) => t + row.product, 0))));
  } else if (others.length) {
    lines.push(line(`and ${others.length} more`, make("td")));
  }
  if (rest) {
    const bias = rest.of === null ? "what is added" : `bias ${nameOf(rest.of)}${indexOf(rest.of, rest.at)}`;
    lines.push(line(bias, ...number(rest.value)));
  }
  if (adds) lines.push(line("sum", ...number(sum)));
  const count = rows.length === 1 ? "1 number" : `${rows.length} numbers`;
  const caption = `${count}${of}${adds && rows.length > 1 ? ", the largest parts first" : ""}`;
  return table(caption, ["at", "number", ...(factors ? ["factor", "product"] : []), ...(adds ? [""] : [])], lines);
}

/** For a convolution of few channels: its window, numbers times weights, as it lies on the input. */
function windowOf({ step, rows }) {
  const size = step.kernelH * step.kernelW;
  if (step.op !== "conv" || size > 25 || step.kernelW > 5 || rows.length !== size || size < 4) return null;
  const found = make("table", { class: "window" }, make("caption", {}, "The window: number × weight"));
  const most = Math.max(...rows.map((row) => Math.abs(row.product)), 1e-30);
  for (let k = 0; k < step.kernelH; k++) {
    const line = make("tr");
    for (const row of rows.slice(k * step.kernelW, (k + 1) * step.kernelW)) {
      const factor = `× ${figure(Number(row.factor.toPrecision(2)))}`;
      const box = make("td", {}, make("b", {}, short(row.x)), make("br"), factor);
      const share = Math.round((45 * Math.abs(row.product)) / most);
      box.style.background = `color-mix(in srgb, var(--${row.product < 0 ? "minus" : "plus"}) ${share}%, var(--paper))`;
      line.append(box);
    }
    found.append(line);
  }
  return found;
}
