/** The page: a digit that is drawn, what the network says of it, and what is in a file that is dropped. */

import { counts, normalised } from "./drawing.js";
import { run, softmax } from "./network.js";

/** How long a file may take before the page gives it up. */
const PATIENCE = 20000;

/** @param {string} id @returns {any} */
const element = (id) => document.getElementById(id);
const facts = JSON.parse(element("facts").textContent);

/** @param {number} bytes @returns {string} */
function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/**
 * An element with text. Text of a file goes through here alone, so nothing of it becomes markup.
 * @param {string} tag
 * @param {string} [text]
 * @param {string} [name] class
 */
function make(tag, text = "", name = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = name;
  return made;
}

/** @returns {Worker} of the text in the page, which works from a file and offline, too */
function startWorker() {
  const address = URL.createObjectURL(new Blob([element("worker").textContent], { type: "text/javascript" }));
  const worker = new Worker(address);
  URL.revokeObjectURL(address);
  return worker;
}

/** The network's bytes, and how many came over the wire. @returns {Promise<ArrayBuffer>} */
async function fetchNetwork() {
  if (location.protocol !== "file:") {
    const response = await fetch("digits.pemn");
    if (!response.ok) throw new Error(`the server answered with ${response.status}`);
    return response.arrayBuffer();
  }
  // A page that was opened as a file may not fetch, but may load scripts.
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: "digits.pemn.js", onload: resolve, onerror: reject });
    document.head.append(script);
  });
  const text = atob(/** @type {any} */ (globalThis).digitsPemn);
  return Uint8Array.from(text, (character) => character.charCodeAt(0)).buffer;
}

// ---- Drawing and recognition

/** @type {Map<string, any>|undefined} */
let tensors;
/** @type {{x: number, y: number}[][]} */
let strokes = [];
let drawing = false;
const canvas = element("drawing");
const bars = Array.from({ length: 10 }, (_, digit) => {
  const row = make("div", "", "bar");
  const fill = make("div", "", "fill");
  const track = make("div", "", "track");
  track.append(fill);
  const value = make("span", "", "value");
  row.append(make("span", String(digit), "digit"), track, value);
  element("bars").append(row);
  return { row, fill, value };
});

function paint() {
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.strokeStyle = style.getPropertyValue("--ink");
  context.lineWidth = canvas.width / 13;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(stroke[0].x * canvas.width, stroke[0].y * canvas.height);
    for (const { x, y } of stroke) context.lineTo(x * canvas.width, y * canvas.height);
    context.stroke();
  }
}

/** The colour of one bits, in light and dark. */
const BLUE = [64, 128, 240];

/**
 * @param {ArrayLike<number>} densities 0 to 1, of a pixel each
 * @param {any} target a canvas
 * @param {number} width
 * @param {number} height
 */
function shade(densities, target, width, height) {
  Object.assign(target, { width, height });
  const context = target.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < densities.length; i++) image.data.set([...BLUE, 255 * densities[i]], 4 * i);
  context.putImageData(image, 0, 0);
}

/** @param {ArrayLike<number>} image 64 counts from 0 to 16 @returns {number[]} logits */
function recognise(image) {
  if (!tensors) throw new Error("the network is not there yet");
  const started = performance.now();
  const logits = run(tensors, normalised(image));
  const probabilities = softmax(logits);
  const best = probabilities.indexOf(Math.max(...probabilities));
  bars.forEach(({ row, fill, value }, digit) => {
    fill.style.width = `${100 * probabilities[digit]}%`;
    value.textContent = `${(100 * probabilities[digit]).toFixed(1)} %`;
    row.classList.toggle("best", digit === best);
  });
  element("answer").textContent = String(best);
  element("ran").textContent = `in ${(performance.now() - started).toFixed(1)} ms, in this page`;
  shade(Array.from(image, (count) => count / 16), element("seen"), 8, 8);
  return Array.from(logits);
}

function clear() {
  strokes = [];
  paint();
  element("answer").textContent = "?";
  element("ran").textContent = "draw a digit";
  shade(new Array(64).fill(0), element("seen"), 8, 8);
  for (const { row, fill, value } of bars) {
    fill.style.width = "0";
    value.textContent = "";
    row.classList.remove("best");
  }
}

/** @param {PointerEvent} event */
function point(event) {
  const box = canvas.getBoundingClientRect();
  return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
}

canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
  canvas.setPointerCapture(event.pointerId);
  drawing = true;
  strokes.push([point(event)]);
  paint();
});
canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
  if (!drawing) return;
  strokes[strokes.length - 1].push(point(event));
  paint();
  if (tensors) recognise(counts(strokes));
});
for (const name of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(name, () => {
    drawing = false;
    if (strokes.length && tensors) recognise(counts(strokes));
  });
}
element("clear").addEventListener("click", clear);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

async function start() {
  clear();
  const bytes = await fetchNetwork();
  const wire = bytes.byteLength;
  const worker = startWorker();
  worker.onmessage = ({ data }) => {
    worker.terminate();
    if (data.type === "error") {
      element("transfer").textContent = `${data.sentence} (${data.detail})`;
      return;
    }
    tensors = data.tensors;
    const factor = (facts.safetensors / wire).toFixed(1);
    element("transfer").textContent =
      `${size(wire)} over the wire, decoded in ${data.took.toFixed(1)} ms; ` +
      `as safetensors the same network is ${size(facts.safetensors)}, ${factor} times as much.`;
    element("small").style.width = `${(100 * wire) / facts.safetensors}%`;
    document.documentElement.dataset.ready = "yes";
    if (strokes.length) recognise(counts(strokes));
  };
  worker.postMessage({ type: "decode", bytes }, [bytes]);
}

// ---- A file that is dropped

/** @type {{worker: Worker, timer: number}|undefined} */
let reading;

function stop() {
  if (!reading) return;
  reading.worker.terminate();
  clearTimeout(reading.timer);
  reading = undefined;
}

/** @param {string} sentence @param {string} detail */
function refuse(sentence, detail) {
  stop();
  const box = element("file");
  const note = make("p", sentence, "error");
  note.setAttribute("role", "alert");
  // What is shown so far may be right, but the file is not.
  box.replaceChildren(note, make("p", detail.slice(0, 300), "detail"));
}

/** @param {any} data a description @param {string} name of the file */
function show(data, name) {
  const box = element("file");
  const head = make("h3", name);
  const density = data.masked ? `, ${data.masked.toLocaleString("en")} of them under masks` : "";
  const tasks = data.tasks ? `, ${data.tasks} tasks` : "";
  const about = make("p", `${size(data.size)}, format ${data.version}${tasks}; ${data.count} tensors of ${data.weights.toLocaleString("en")} values${density}.`);
  const parts = make("div", "", "parts");
  const legend = make("p", "", "legend");
  for (const { part, bytes } of data.parts) {
    if (!bytes) continue;
    const piece = make("span", "", `part ${part.replace(" ", "-")}`);
    piece.style.flexGrow = String(bytes);
    parts.append(piece);
    legend.append(make("span", "", `key ${part.replace(" ", "-")}`), make("span", `${part} ${size(bytes)} `));
  }
  const list = make("div", "", "layers");
  data.entries.forEach((/** @type {any} */ entry, /** @type {number} */ index) => {
    const row = make("div", "", "layer");
    const text = make("div", "", "text");
    text.append(make("strong", entry.name));
    const task = entry.task === null ? "" : `, task ${entry.task}`;
    text.append(make("span", `${entry.dtype} ${entry.shape.join(" × ") || "scalar"}${task}`));
    let kind = entry.kind;
    if (entry.target !== null) kind = `the same as ${entry.target}`;
    else if (entry.bits) kind = `${entry.kind}: ${((100 * entry.ones) / entry.bits).toFixed(1)} % ones, mask ${size(entry.maskBytes)}`;
    text.append(make("span", kind));
    row.append(text);
    if (entry.bits) {
      const picture = make("canvas");
      picture.id = `mask-${index}`;
      row.append(picture);
    }
    list.append(row);
  });
  if (data.count > data.entries.length) list.append(make("p", `and ${data.count - data.entries.length} more`));
  box.replaceChildren(head, about, parts, legend, list);
}

/** @param {File} file */
function read(file) {
  stop();
  element("file").replaceChildren(make("p", "Reading …"));
  const worker = startWorker();
  const timer = setTimeout(() => refuse("This file takes too long to read.", ""), PATIENCE);
  reading = { worker, timer: /** @type {any} */ (timer) };
  worker.onerror = () => refuse("This file could not be read.", "the reader of files ended");
  worker.onmessage = ({ data }) => {
    if (data.type === "description") show(data, file.name);
    if (data.type === "picture") {
      shade(Array.from(data.densities, (value) => value / 255), element(`mask-${data.index}`), data.width, data.height);
    }
    if (data.type === "error") refuse(data.sentence, data.detail);
    if (data.type === "done") stop();
  };
  worker.postMessage({ type: "describe", file });
}

const zone = element("drop");
for (const name of ["dragover", "drop", "dragleave"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    zone.classList.toggle("over", name === "dragover");
    const file = name === "drop" ? /** @type {DragEvent} */ (event).dataTransfer?.files[0] : undefined;
    if (file) read(file);
  });
}
element("choose").addEventListener("change", (/** @type {any} */ { target }) => {
  if (target.files[0]) read(target.files[0]);
  target.value = "";
});

/** For tests. */
Object.assign(globalThis, { recognise });
start().catch((error) => {
  element("transfer").textContent = `The network could not be loaded: ${error.message}`;
});
