/* Where pictures come from: the pad, files and the camera, test samples; and what was done to them. */
"use strict";

const LARGEST = 1 << 22; // pixels of a picture; the browser makes larger ones smaller first
const pad = byId("pad"), ink = pad.getContext("2d", { willReadFrequently: true });
const cursor = make("i", { id: "cursor", hidden: true });
const shape = data.inputs?.shape ?? [1, 1, 1];
const stored = data.samples;
// whether the data's pictures are light at their border
const light = stored?.border != null ? stored.border / data.inputs.white > 0.5 : shape[0] > 1;
const pen = { x: 0.5, y: 0.5, down: false, keys: false };

const sampleSize = stored ? (stored.ready ? state.input.length : shape[0] * shape[1] * shape[2]) : 0;
const sampleValues = !stored ? [] : stored.bytes ? decoded(stored.values) : new Float32Array(decoded(stored.values).buffer);
const sampleOf = (i) => Float32Array.from(sampleValues.slice(i * sampleSize, (i + 1) * sampleSize));

/** An empty pad, as light or dark as the data's pictures are at their border. */
function clearPad() {
  ink.fillStyle = light ? "#fff" : "#000";
  ink.fillRect(0, 0, pad.width, pad.height);
}

function startPad() {
  const [, h, w] = shape, most = Math.max(h, w);
  pad.width = Math.round((280 * w) / most);
  pad.height = Math.round((280 * h) / most);
  pad.parentElement.append(cursor);
  byId("colour-label").hidden = shape[0] < 3;
  byId("colour").value = light ? "#000000" : "#ffffff";
  if (shape[0] > 1) byId("swap").parentElement.hidden = true;
  clearPad();
}

/** A line from where the pen was to a place of the pad, from 0 to 1 each way. */
function lineTo(x, y) {
  ink.strokeStyle = shape[0] < 3 ? (light ? "#000" : "#fff") : byId("colour").value;
  ink.lineWidth = (Number(byId("pen").value) / 100) * Math.min(pad.width, pad.height);
  ink.lineCap = ink.lineJoin = "round";
  ink.beginPath();
  ink.moveTo(pen.x * pad.width, pen.y * pad.height);
  ink.lineTo(x * pad.width, y * pad.height + 0.01);
  ink.stroke();
  drawn();
}

function drawn() {
  state.source = { kind: "drawn" };
  state.target = null;
  markSample(-1);
  const { width, height } = pad;
  take(fromPixels(ink.getImageData(0, 0, width, height).data, width, height, shape[0]));
}

/** Brings an image of bytes to the net, and says how. */
function take(image) {
  const swap = byId("swap").value, source = state.source, [c, h, w] = shape, words = [];
  const rim = border(image), differs = c === 1 && source.kind === "picture" && rim > 0.5 !== light;
  words.push(source.kind === "drawn" ? "Drawn" : source.name, `${image.w} × ${image.h} pixels${c === 1 ? ", gray" : ""}.`);
  if (source.reduced) words.push(`Made smaller by the browser: it had ${source.reduced}.`);
  if (swap === "yes" || (swap === "auto" && differs)) {
    image = inverted(image);
    const [own, theirs] = light ? ["dark", "light"] : ["light", "dark"];
    const because = swap === "yes" ? "" : `: its border is ${own}, that of the data's pictures ${theirs}`;
    words.push(`Black and white swapped${because}.`);
  }
  if (image.h !== h || image.w !== w) {
    const mean = image.h > h || image.w > w ? ", each pixel the mean of those it covers" : "";
    const odd = Math.abs(image.h * w - image.w * h) > 0.02 * image.h * w ? "; its sides have other proportions now" : "";
    words.push(`Made ${w} × ${h} as the data's pictures are${mean}${odd}.`);
  }
  state.image = fitted(image, shape);
  show(data.inputs.picture, words, 255);
}

/** The image of the state as numbers for the net; then everything follows. */
function show(factors, words, white) {
  const { size, mean, std } = data.inputs, [, h, w] = shape;
  state.input = prepared(state.image, data.inputs, factors);
  if (size[0] !== h || size[1] !== w) words.push(`Made ${size[1]} × ${size[0]} for the net.`);
  const list = (numbers) => numbers.map(figure).join(", ");
  const normal = mean ? `, less mean ${list(mean)}, divided by deviation ${list(std)}` : "";
  words.push(`White is ${figure(white * factors[0] * (std ? std[0] : 1))}${normal}.`);
  byId("said").textContent = words.join(" ");
  drawSeen();
  changed();
}

/** What the net sees, gray from its smallest to its largest number. */
function drawSeen() {
  const [c, h, w] = data.program.input.slice(1), low = Math.min(...state.input), high = Math.max(...state.input);
  const values = state.input.map((v) => (255 * (v - low)) / (high - low || 1));
  drawImage(byId("seen"), { c, h, w, values });
  byId("size").textContent = `the net sees ${w} × ${h}, from ${figure(low)} to ${figure(high)}`;
}

/** A test sample: its numbers exactly as the data set holds them. */
function takeSample(i) {
  markSample(i);
  const label = stored.labels[i], values = sampleOf(i);
  state.source = { kind: "sample", number: i };
  state.target = null;
  const words = [`Test sample ${stored.numbers[i]}${label === undefined ? "" : `, class ${className(label)}`}.`];
  if (stored.ready) {
    state.input = values;
    byId("said").textContent = words[0];
    if (data.inputs) drawSeen();
    changed();
    return;
  }
  const [c, h, w] = shape, image = { c, h, w, values }, small = document.createElement("canvas");
  drawImage(small, image, data.inputs.white);
  ink.imageSmoothingEnabled = false;
  ink.drawImage(small, 0, 0, pad.width, pad.height);
  state.image = image;
  show(data.inputs.stored, words, data.inputs.white);
}

function markSample(chosen) {
  for (const [i, option] of [...byId("samples").children].entries()) {
    option.setAttribute("aria-selected", String(i === chosen));
    if (chosen >= 0) option.tabIndex = i === chosen ? 0 : -1;
  }
}

function startSamples() {
  const box = byId("samples"), count = stored ? stored.numbers.length : 0;
  byId("tests").hidden = count === 0;
  for (let i = 0; i < count; i++) {
    const label = stored.labels[i], name = `${stored.numbers[i]}${label === undefined ? "" : `: ${className(label)}`}`;
    const option = make("div", { role: "option", tabindex: i ? "-1" : "0", title: name, "aria-label": name, "aria-selected": "false" });
    if (data.inputs && !stored.ready) {
      const canvas = make("canvas", { "aria-hidden": "true" }), [c, h, w] = shape;
      drawImage(canvas, { c, h, w, values: sampleOf(i) }, data.inputs.white);
      option.append(canvas);
    } else option.append(String(stored.numbers[i]));
    option.addEventListener("click", () => takeSample(i));
    box.append(option);
  }
  box.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const now = [...box.children].indexOf(document.activeElement);
    const next = move ? (now + move + count) % count : { Home: 0, End: count - 1, Enter: now, " ": now }[event.key];
    if (next === undefined || now < 0) return;
    event.preventDefault();
    box.children[next].focus();
    takeSample(next);
  });
}

/** A file with a picture, whatever it is. */
async function takeFile(file) {
  if (!file) return;
  try {
    const bitmap = await createImageBitmap(file), whole = bitmap.width * bitmap.height;
    const by = Math.min(1, Math.sqrt(LARGEST / whole));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(bitmap.width * by));
    canvas.height = Math.max(1, Math.round(bitmap.height * by));
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const image = fromPixels(pixels, canvas.width, canvas.height, shape[0]);
    ink.imageSmoothingEnabled = true;
    ink.drawImage(canvas, 0, 0, pad.width, pad.height);
    const reduced = by < 1 ? `${bitmap.width} × ${bitmap.height}` : null;
    state.source = { kind: "picture", name: file.name || "A picture", image, reduced };
    state.target = null;
    markSample(-1);
    take(image);
  } catch {
    byId("said").textContent = `${file.name || "This file"}: no picture that this browser reads; try PNG or JPEG.`;
  }
}

function place(event) {
  const box = pad.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

pad.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  pad.focus({ preventScroll: true });
  pad.setPointerCapture(event.pointerId);
  [pen.x, pen.y] = place(event);
  pen.down = true;
  cursor.hidden = true;
  lineTo(pen.x, pen.y);
});
pad.addEventListener("pointermove", (event) => {
  if (!pen.down) return;
  for (const part of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) {
    const [x, y] = place(part);
    lineTo(x, y);
    [pen.x, pen.y] = [x, y];
  }
});
for (const kind of ["pointerup", "pointercancel"]) pad.addEventListener(kind, () => (pen.down = false));
pad.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.key === " ") pen.keys = !pen.keys;
  else if (!move) return;
  event.preventDefault();
  const [, h, w] = shape, limit = (v) => Math.min(1, Math.max(0, v));
  const x = limit(pen.x + (move ? move[0] / w : 0)), y = limit(pen.y + (move ? move[1] / h : 0));
  if (pen.keys) lineTo(x, y);
  [pen.x, pen.y] = [x, y];
  cursor.hidden = false;
  cursor.className = pen.keys ? "down" : "";
  cursor.style.left = `${(100 * x * pad.clientWidth) / pad.parentElement.clientWidth}%`;
  cursor.style.top = `${pad.offsetTop + y * pad.clientHeight}px`;
});
pad.addEventListener("blur", () => (cursor.hidden = true));
byId("clear").addEventListener("click", () => {
  clearPad();
  drawn();
});
byId("swap").addEventListener("change", () => {
  if (state.source.kind === "drawn") drawn();
  else if (state.source.kind === "picture") take(state.source.image);
});
for (const id of ["file", "camera"]) {
  byId(id).addEventListener("change", (event) => {
    takeFile(event.target.files[0]);
    event.target.value = "";
  });
}
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!data.inputs) return;
    event.preventDefault();
    if (kind === "drop") takeFile(event.dataTransfer.files[0]);
  });
}
document.addEventListener("paste", (event) => data.inputs && takeFile(event.clipboardData.files[0]));
