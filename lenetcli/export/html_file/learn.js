/* One step of training: forward, loss, backward, update, the loss after it; and back again. */
"use strict";

const undone = []; // what undoes each step
const named = {
  "": "the loss", CrossEntropyLoss: "cross entropy", NLLLoss: "negative log-likelihood",
  BCEWithLogitsLoss: "binary cross entropy", BCELoss: "binary cross entropy",
};
let said = null; // what the last step was, to be shown

function startLearning() {
  const learnable = net.weights.some((w) => w.trained), possible = classifies && learnable;
  byId("learn-box").hidden = !possible;
  byId("show-grads").hidden = !possible;
  byId("learn-not").hidden = possible;
  if (!possible) {
    const no = "The outputs are no classes: there is no right answer to choose.";
    byId("learn-not").textContent = learnable ? no : "No weight of this net was left to train.";
    return;
  }
  for (let i = 0; i < choices; i++) byId("target").append(make("option", { value: String(i) }, className(i)));
  byId("rate").value = String(data.rate);
  byId("weights-box").open = net.trained().length <= 12;
}

/** Loss and gradients for the right answer; gradients of all values stay in the net. */
function loss() {
  const [value, gradient] = lossOf(net.values[net.output.value], target(), data.meaning, data.smoothing);
  return [value, gradient];
}

/** Gradients of the loss for every value, where something shows them. */
function showLoss() {
  if (byId("learn-box").hidden) return;
  byId("target").value = String(target());
  const [value, gradient] = loss();
  net.backward([[net.output.value, Float32Array.from(gradient)]]);
  state.losses = net.grads;
  if (said) return;
  const p = shares(net.values[net.output.value], data.meaning);
  byId("phases").replaceChildren(
    make("li", {}, make("b", {}, "Forward"), ` ${className(target())} has ${percent(p[target()])}`),
    make("li", {}, make("b", {}, "Loss"), ` ${figure(value)} (${named[data.loss] ?? data.loss})`),
    make("li", {}, make("b", {}, "Backward"), ` gradients of ${net.trained().length} weights`),
  );
  showChanges(net.trained().map((w) => ({ name: w.name, grad: norm(w.grad), size: norm(w.values), change: null })));
}

/** A table of weights: their gradients and what the step changed. */
function showChanges(rows) {
  const most = Math.max(...rows.map((row) => row.grad), 1e-30), changes = rows.some((row) => row.change !== null);
  const lines = rows.map((row) => {
    const name = row.name.split(/(?<=\.)/).flatMap((part) => [part, make("wbr")]);
    return make("tr", {}, make("td", {}, ...name), barCell(row.grad, most), cell(short(row.grad)), cell(short(row.change ?? row.size)));
  });
  const heads = ["weights", "", "|gradient|", changes ? "|change|" : "|weights|"];
  byId("changes").replaceChildren(table(changes ? "What the step did" : "What backward says", heads, lines));
}

/** Forward, loss, backward, update, and the loss after it. */
function takeStep() {
  const rate = Number(byId("rate").value), right = target();
  if (!(rate >= 0) || !Number.isFinite(rate)) {
    byId("phases").replaceChildren(make("li", { class: "bad" }, "The learning rate has to be a number, 0 or more."));
    return;
  }
  state.target = right;
  net.again();
  const before = shares(net.values[net.output.value], data.meaning)[right], [first, gradient] = loss();
  net.backward([[net.output.value, Float32Array.from(gradient)]]);
  const rows = net.trained().map((w) => ({ name: w.name, grad: norm(w.grad), change: rate * norm(w.grad) }));
  undone.push(net.update(rate));
  net.again();
  const after = shares(net.values[net.output.value], data.meaning)[right], [second] = loss();
  const length = Math.sqrt(rows.reduce((t, row) => t + row.grad ** 2, 0));
  said = [
    ["Forward", `${className(right)} has ${percent(before)}`],
    ["Loss", `${figure(first)} (${named[data.loss] ?? data.loss})`],
    ["Backward", `the gradient of all weights is ${figure(length)} long`],
    ["Update", `each weight less ${figure(rate)} times its gradient: step ${undone.length}`],
    ["Loss after it", `${figure(second)}: ${className(right)} has ${percent(after)}`],
  ];
  byId("phases").replaceChildren(...said.map(([name, text]) => make("li", {}, make("b", {}, name), ` ${text}`)));
  showChanges(rows);
  showUndo();
  refresh();
}

function showUndo() {
  byId("undo").disabled = byId("restore").disabled = undone.length === 0;
}

/** What a step said does not hold any more. */
function forgetStep() {
  said = null;
}

byId("step").addEventListener("click", takeStep);
byId("undo").addEventListener("click", () => {
  undone.pop()?.();
  forgetStep();
  showUndo();
  refresh();
});
byId("restore").addEventListener("click", () => {
  net.restore();
  undone.length = 0;
  forgetStep();
  showUndo();
  refresh();
});
byId("target").addEventListener("change", (event) => {
  state.target = Number(event.target.value);
  forgetStep();
  refresh();
});
