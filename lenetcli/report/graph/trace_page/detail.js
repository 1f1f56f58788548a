// The panel with everything about one row: figures, histograms, course over the steps, neighbours.

const panel = byId("detail");
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function openSheet() {
  panel.classList.add("open");
  if (state.chosen) reveal(state.chosen.element);
}

function closeSheet() {
  panel.classList.remove("open");
  state.chosen?.element.focus({ preventScroll: true });
}

function showDetail(row) {
  const { graph } = state.tree, node = graph.nodes[row.node], step = now();
  const g = step.grad[row.node], v = step.value[row.node], parameter = node.parameter !== undefined;
  const close = make("button", { id: "close", type: "button" }, "Close");
  close.addEventListener("click", closeSheet);
  const parts = [close, make("h2", {}, row.name, " ", make("small", {}, row.kind)), make("p", { class: "where" }, where(row, node))];
  parts.push(list([[node.shapes.length > 1 ? "shapes" : "shape", node.shapes.map(sizes).join(" ")], ...folded(row)]));
  parts.push(make("h3", {}, parameter ? "gradient" : "gradient that reached its output"));
  if (g) {
    const lost = g[4] ? [["NaN or infinite", String(g[4])]] : [];
    parts.push(list([["norm", figure(g[0])], ["mean |g|", figure(g[1])], ["max |g|", figure(g[2])], ["zeros", percent(g[3])], ...lost]));
    parts.push(...histogram(g.slice(5), "gradient"));
  } else parts.push(make("p", { class: "where" }, "none"));
  if (v) {
    const dead = step.dead?.[row.node], lost = v[5] ? [["NaN or infinite", String(v[5])]] : [];
    parts.push(make("h3", {}, parameter ? "value" : "value going forward"));
    parts.push(list([["mean", figure(v[0])], ["std", figure(v[1])], ["min", figure(v[2])], ["max", figure(v[3])], ["zeros", percent(v[4])],
      ...(dead ? [[node.shapes[0][0] === 1 ? "units at zero" : "dead units", `${dead[0]} of ${dead[1]}`]] : []), ...lost]));
    parts.push(...histogram(v.slice(6), "value"));
  }
  parts.push(...course(row), ...check(step.checks?.[row.node]), ...neighbours(row));
  panel.replaceChildren(...parts);
}

function where(row, node) {
  if (row.type === "parameter") return node.parameter ? `${node.parameter} · ${node.name}` : node.name;
  const path = graphPath(row);
  if (row.type === "node") return path ? `in ${path}` : "outside any module";
  return row.rows.length ? row.call[0] : `${row.call[0]} · ${node.name}`.replace(/^ · /, "");
}

function graphPath(row) {
  return row.parent ? row.parent.call[0] || row.parent.call[1] : "";
}

function folded(row) {
  if (!row.rows.length) return [];
  const nodes = inside(row).map((i) => state.tree.graph.nodes[i]);
  const parameters = nodes.filter((node) => node.parameter !== undefined).length;
  return [["nodes", String(nodes.length - parameters)], ["parameters", String(parameters)]];
}

function list(pairs) {
  return make("dl", {}, ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function histogram([low, high, bars], what) {
  if (bars === undefined || low === high) return [];
  const heights = [...bars].map((letter) => LETTERS.indexOf(letter));
  const picture = draw("svg", { class: `histogram ${what}`, viewBox: "0 0 160 64", preserveAspectRatio: "none", role: "img",
    "aria-label": `Histogram of the ${what}, from ${figure(low)} to ${figure(high)}` });
  heights.forEach((height, i) => picture.append(draw("rect", { x: i * 10 + 0.5, y: 64 - height, width: 9, height })));
  if (low < 0 && high > 0) {
    const zero = (160 * -low) / (high - low);
    picture.append(draw("line", { x1: zero, x2: zero, y1: 0, y2: 64 }));
  }
  return [picture, make("div", { class: "ends" }, make("span", {}, figure(low)), make("span", {}, figure(high)))];
}

/** The gradient's norm over all steps, on a logarithmic scale. */
function course(row) {
  if (data.steps.length < 2 || data.graphs.length > 1) return [];
  const values = data.steps.map((step) => step.grad[row.node]?.[0] ?? null);
  const known = values.filter((value) => value > 0);
  if (known.length < 2) return [];
  const picture = draw("svg", { class: "course", viewBox: "0 0 300 44", role: "img", "aria-label": "Norm of the gradient over the steps" });
  curveInto(picture, values.map((value) => (value > 0 ? Math.log(value) : null)), 300, 44, state.step);
  const low = Math.min(...known), high = Math.max(...known);
  return [make("h3", {}, `|grad| over the steps, ${figure(low)} to ${figure(high)}`), picture];
}

/** A curve through values (null: none), with a dot at one of them. */
function curveInto(picture, values, width, height, at) {
  const known = values.filter((value) => value !== null);
  const low = Math.min(...known), span = Math.max(...known) - low || 1;
  const x = (i) => (values.length > 1 ? (i / (values.length - 1)) * width : width / 2);
  const y = (value) => height - 3 - ((value - low) / span) * (height - 6);
  const points = values.flatMap((value, i) => (value === null ? [] : [`${x(i)},${y(value)}`]));
  picture.replaceChildren(draw("polyline", { points: points.join(" ") }));
  if (values[at] !== null) picture.append(draw("circle", { cx: x(at), cy: y(values[at]), r: 3.5 }));
}

function check(found) {
  if (!found) return [];
  const [numeric, analytic, error, ok, kink] = found;
  const verdict = ok ? (kink ? "right (beside a kink)" : "right") : "wrong";
  return [make("h3", {}, "derivative along a random direction"),
    list([["by differences", figure(numeric)], ["by backward", figure(analytic)], ["relative error", figure(error)], ["verdict", verdict]])];
}

/** Rows that gradients come from and go to. */
function neighbours(row) {
  const { graph, ofNode, from } = state.tree, own = new Set(inside(row));
  const find = (ids) => {
    const rows = new Set();
    for (const id of ids) {
      const other = ofNode.get(id);
      if (other && !own.has(other.node)) rows.add(other);
    }
    return [...rows];
  };
  const nodes = [...own].map((i) => graph.nodes[i]);
  const groups = [["from", find(nodes.flatMap((node) => from.get(node.id) ?? []))], ["to", find(nodes.flatMap((node) => node.next.filter((id) => id !== null)))]];
  return groups.flatMap(([word, rows]) => {
    if (!rows.length) return [];
    const links = rows.slice(0, 12).map((other) => {
      const place = other.type === "call" ? "" : ` ${graphPath(other)}`;
      const link = make("button", { type: "button" }, other.name, make("small", {}, ` ${other.kind}${place}`));
      link.addEventListener("click", () => goTo(other));
      return link;
    });
    return [make("h3", {}, `gradients ${word}`), make("div", { class: "links" }, ...links)];
  });
}
