/* Scores, and why: the gradient of a score by the picture, and the maps of the last layer that has any, by what they count. */
"use strict";

const ON_IMAGES = new Set(["averagePool", "batchNorm", "conv", "convTranspose", "each", "maxPool", "normalize", "pairs", "where"]);

/** The last step with maps that still lie as the picture lies: [1, C, h, w], of more than one pixel. */
const mapped = (() => {
  const images = new Set(net.sizes[0].length === 4 ? [0] : []);
  let found = null;
  for (const step of net.steps) {
    const size = net.sizes[step.out], moves = step.name === "Concat" || step.name === "Pad" || step.name === "Resize";
    if (step.shape.length !== 4 || !step.in.some((i) => images.has(i)) || !(ON_IMAGES.has(step.op) || moves)) continue;
    images.add(step.out);
    if (step.out !== net.output.value && size[2] * size[3] > 1) found = step;
  }
  return found;
})();

const spread = data.program.input.length === 4; // pictures, not rows of numbers

/** The class that is asked about. */
function asked() {
  if (state.asked !== null) return state.asked;
  return likeliest();
}

function likeliest() {
  const p = shares(net.values[net.output.value], data.meaning);
  return p.indexOf(Math.max(...p));
}

/** The right answer: what somebody chose, the test sample's own, else the likeliest. */
function target() {
  if (state.target !== null) return state.target;
  if (state.source?.kind === "sample" && stored.labels[state.source.number] !== undefined) return stored.labels[state.source.number];
  return likeliest();
}

function startScores() {
  byId("answer").hidden = !listed;
  const box = byId("scores"), count = listed ? choices : 0, longest = Math.max(...range(0, count).map((i) => className(i).length));
  box.style.setProperty("--names", `${Math.max(3, Math.min(12, longest + 1))}ch`);
  for (let i = 0; i < count; i++) {
    const name = classifies ? className(i) : `${i}`;
    const parts = [make("span", { class: "rail" }, make("i")), make("span", { class: "n share" }), make("span", { class: "n" })];
    const row = make("button", { type: "button", class: "score", "aria-pressed": "false" });
    row.append(make("span", { class: "class", title: name }, name), ...parts);
    row.addEventListener("click", () => {
      state.asked = state.asked === i ? null : i;
      if (outputs === count) choose(net.output.value, i);
      refresh();
    });
    box.append(row);
  }
  if (!spread) document.querySelector(".why").hidden = true;
}

function showScores() {
  const scores = net.values[net.output.value], p = classifies ? shares(scores, data.meaning) : Array.from(scores);
  const most = classifies ? 1 : extent(p), best = classifies ? p.indexOf(Math.max(...p)) : -1;
  [...byId("scores").children].forEach((row, i) => {
    const [, rail, share, score] = row.children;
    rail.firstChild.style.width = `${(100 * Math.abs(p[i])) / most}%`;
    rail.firstChild.className = p[i] < 0 ? "minus" : "";
    share.textContent = classifies ? percent(p[i]) : "";
    score.textContent = outputs === choices ? figure(scores[i]) : i ? figure(scores[0]) : "";
    row.classList.toggle("best", i === best);
    row.setAttribute("aria-pressed", String(i === state.asked));
  });
  const right = state.source?.kind === "sample" ? stored.labels[state.source.number] : undefined;
  const says = classifies ? `${className(best)}, ${percent(p[best])}` : "";
  const judged = right === best ? " – right" : ` – wrong, it is ${className(right)}`;
  const judgement = make("span", { class: right === best ? "good" : "bad" }, judged);
  byId("verdict").replaceChildren(says, ...(right === undefined || !classifies ? [] : [judgement]));
}

/** The gradient of one score, and what of it the page shows. */
function showWhy() {
  if (!spread || !listed || !net.depends[net.output.value]) return;
  const which = asked(), seed = new Float32Array(outputs), [c, h, w] = data.program.input.slice(1);
  seed[outputs === 1 ? 0 : which] = outputs === 1 && which === 0 ? -1 : 1;
  const grads = net.backward([[net.output.value, seed]], net.depends), size = h * w;
  const name = classifies ? className(which) : `output ${which}`;
  const found = new Float32Array(size);
  for (let i = 0; i < c * size; i++) found[i % size] = Math.max(found[i % size], Math.abs(grads[0][i]));
  heat(byId("saliency"), found, h, w, false);
  byId("saliency").setAttribute("aria-label", `Saliency: which pixels change the score of ${name} most`);
  byId("saliency-says").textContent = `Saliency: how much each pixel changes the score of ${name}`;
  byId("cam-box").hidden = mapped === null;
  if (mapped === null) return;
  const [, maps, rows, columns] = net.sizes[mapped.out], values = net.values[mapped.out], slopes = grads[mapped.out], area = rows * columns;
  const sum = new Float32Array(area);
  for (let m = 0; m < maps; m++) {
    const weight = total(slopes, m * area, area) / area;
    for (let i = 0; i < area; i++) sum[i] += weight * values[m * area + i];
  }
  heat(byId("cam"), sum.map((v) => Math.max(0, v)), rows, columns, true);
  const layer = titleOf(mapped);
  byId("cam").setAttribute("aria-label", `Class activation: where the maps of ${layer} speak for ${name}`);
  byId("cam-says").textContent = `Class activation: where the maps of ${layer} speak for ${name}`;
}

/** Heat over the picture: its own numbers gray, what counts in colour. */
function heat(canvas, values, rows, columns, smooth) {
  const [c, h, w] = data.program.input.slice(1), size = h * w, most = extent(values);
  const low = Math.min(...state.input), high = Math.max(...state.input), zoom = Math.max(1, Math.floor(160 / Math.max(h, w)));
  const gray = { c, h, w, values: state.input.map((v) => (200 * (v - low)) / (high - low || 1) + 28) };
  const under = document.createElement("canvas"), over = document.createElement("canvas");
  drawImage(under, gray);
  over.width = columns;
  over.height = rows;
  const picture = new ImageData(columns, rows);
  values.forEach((v, i) => picture.data.set([255, 96, 0, Math.round(235 * Math.sqrt(v / most))], 4 * i));
  over.getContext("2d").putImageData(picture, 0, 0);
  canvas.width = w * zoom;
  canvas.height = h * zoom;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(under, 0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = smooth;
  context.imageSmoothingQuality = "high";
  context.drawImage(over, 0, 0, canvas.width, canvas.height);
}
