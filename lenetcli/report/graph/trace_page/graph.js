"use strict";
// The graph as rows: module calls, their nodes and parameters; which of them are seen, and the ways between them.

const data = JSON.parse(document.getElementById("data").textContent);
const LANES = 10; // arcs that lie beside each other at most
const MANY = 400; // rows from which on modules start folded altogether

/** The rows of a graph as a tree. A module's call has rows below it, unless it consists of one node. */
function grow(graph) {
  const rows = [], top = [], ofCall = new Map(), ofNode = new Map();
  const outer = new Set(graph.calls.map((call) => call[2]));
  const add = (row, parent) => {
    Object.assign(row, { number: rows.length, parent, level: parent ? parent.level + 1 : 0, rows: [], folded: false });
    (parent ? parent.rows : top).push(row);
    rows.push(row);
    return row;
  };
  const enter = (number) => {
    if (number === null) return null;
    if (!ofCall.has(number)) {
      const call = graph.calls[number], root = call[2] === null;
      // the model's own call holds everything, so it is no row
      ofCall.set(number, root && outer.has(number) ? null : add({ type: "call", call, node: -1 }, enter(call[2])));
    }
    return ofCall.get(number);
  };
  let around = null;
  graph.nodes.forEach((node, index) => {
    if ("call" in node && node.parameter === undefined) around = enter(node.call);
    for (let at = around; at && at.node < 0; at = at.parent) at.node = index;
    const type = node.parameter === undefined ? "node" : "parameter";
    ofNode.set(node.id, add({ type, node: index, side: Boolean(node.side) }, around));
  });
  for (const row of [...ofCall.values()]) {
    if (!row || row.rows.length !== 1 || row.rows[0].type !== "node") continue;
    ofNode.set(graph.nodes[row.node].id, row); // one node: the module's row stands for it
    row.rows[0].gone = true;
    row.rows = [];
    row.side = false;
  }
  const left = rows.filter((row) => !row.gone);
  left.forEach((row, i) => (row.number = i));
  const calls = left.filter((row) => row.rows.length);
  for (const row of calls) row.folded = left.length > MANY || row.rows.every((inner) => !inner.rows.length && inner.type !== "call");
  for (const row of left) Object.assign(row, named(graph, row));
  return { graph, rows: left, top, ofNode, from: senders(graph) };
}

/** What a row is called: name, what it is, and the words it is found by. */
function named(graph, row) {
  const node = graph.nodes[row.node];
  if (row.type !== "call") {
    const parameter = node.parameter ?? "";
    const name = row.type === "node" ? node.name : shorter(parameter, row.parent);
    const kind = row.type === "node" ? "" : "parameter";
    return { name: name || node.name, kind, words: `${node.name} ${parameter}`.toLowerCase() };
  }
  const [path, kind, , turn, turns] = row.call;
  const again = turns > 1 ? ` #${turn}` : "";
  const alone = row.rows.length ? "" : node.name;
  const name = shorter(path, row.parent) + again;
  return { name: name || kind, kind: name ? kind : "", words: `${path}${again} ${kind} ${alone}`.toLowerCase() };
}

/** A path without that of the module around it. */
function shorter(path, parent) {
  for (let at = parent; at; at = at.parent) {
    const before = at.call[0] + ".";
    if (at.call[0] && path.startsWith(before)) return path.slice(before.length);
  }
  return path;
}

/** Of each node, the ids of the nodes that send it gradients. */
function senders(graph) {
  const from = new Map();
  for (const node of graph.nodes) {
    for (const target of node.next) {
      if (target === null) continue;
      if (!from.has(target)) from.set(target, []);
      from.get(target).push(node.id);
    }
  }
  return from;
}

/** The rows that are seen, top to bottom. */
function visible(tree) {
  const seen = [], stack = [...tree.top].reverse();
  while (stack.length) {
    const row = stack.pop();
    if (row.gone) continue;
    row.at = seen.length;
    seen.push(row);
    if (row.rows.length && !row.folded) stack.push(...[...row.rows].reverse());
  }
  return seen;
}

/** The row that shows a node now: its own, or that of the outermost folded module around it. */
function shower(row) {
  let shown = row;
  for (let at = row.parent; at; at = at.parent) if (at.folded) shown = at;
  return shown;
}

/** True for a module whose parts are rows of their own just now. */
function isOpen(row) {
  return row.rows.length > 0 && !row.folded;
}

/** Ways between the rows seen: {from, to, lane}; lane 0 runs straight, others are arcs beside it. */
function waysOf(tree, seen) {
  const found = new Map();
  for (const node of tree.graph.nodes) {
    const own = tree.ofNode.get(node.id), from = shower(own);
    for (const target of node.next) {
      if (target === null) continue;
      const goal = tree.ofNode.get(target), to = shower(goal);
      if (from === to || (goal.type === "parameter" && to !== goal)) continue;
      found.set(`${from.number} ${to.number}`, { from, to, lane: 0 });
    }
  }
  const next = new Array(seen.length); // of each row, where the next one is that data's way leads through
  for (let i = seen.length - 1, at = -1; i >= 0; i--) {
    next[i] = at;
    if (!seen[i].side && !isOpen(seen[i])) at = i;
  }
  const skips = [];
  for (const way of found.values()) {
    if (way.to.side && way.to.at > way.from.at) continue;
    if (way.to.at < way.from.at || next[way.from.at] !== way.to.at) skips.push(way);
  }
  const span = (way) => [Math.min(way.from.at, way.to.at), Math.max(way.from.at, way.to.at)];
  skips.sort((a, b) => span(a)[0] - span(b)[0] || span(b)[1] - span(a)[1]);
  const ends = [];
  for (const way of skips) {
    const [first, last] = span(way);
    let lane = ends.findIndex((end) => end <= first);
    if (lane < 0) lane = ends.length < LANES ? ends.length : LANES - 1;
    ends[lane] = Math.max(last, ends[lane] ?? 0);
    way.lane = lane + 1;
  }
  return { ways: [...found.values()], lanes: ends.length };
}
