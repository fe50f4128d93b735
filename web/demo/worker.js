/** Decoding off the page's thread, so that no file can freeze it. */

import { PemnError, RequestError, loadSync, open } from "../src/sync.js";

/** A phone has this much. */
const MAX_BYTES = 2 ** 28;
const PICTURE = 96;
const MAX_PICTURES = 60;
const MAX_ROWS = 500;

const SENTENCES = {
  magic: "This is not a .pemn file.",
  version: "This file is of a newer version of the format than this page knows.",
  truncated: "This file ends too early: it was not transferred whole.",
  trailing: "This file goes on after its end.",
  checksum: "This file was damaged: a checksum does not agree.",
  manifest: "This file breaks a rule of the format in its manifest.",
  payload: "This file has a mask or values that do not decode to what it says.",
  limit: "This file decodes to more than this page allows (256 MB).",
};

/** @param {unknown} error @returns {{sentence: string, detail: string}} */
function explain(error) {
  if (error instanceof PemnError) return { sentence: SENTENCES[error.kind], detail: error.message };
  if (error instanceof RequestError) return { sentence: "This file needs another one.", detail: error.message };
  return { sentence: "This file could not be read.", detail: String(error) };
}

/**
 * A mask as a picture: rows × columns of the layer, each pixel the density of its part.
 * @param {{length: number, ones: number, bits: Uint8Array|null}} mask
 * @param {number[]} shape
 * @returns {{width: number, height: number, densities: Uint8Array}}
 */
function picture(mask, shape) {
  const elements = shape.reduce((a, b) => a * b, 1);
  let columns = shape.length > 1 ? elements / shape[0] : elements;
  // Without idle positions it has the layer's form; else, and of vectors, it is as square as may be.
  const long = columns > 64 * (mask.length / columns) || mask.length > 64 * columns * columns;
  if (mask.length !== elements || shape.length < 2 || long) columns = Math.ceil(Math.sqrt(mask.length));
  const rows = Math.ceil(mask.length / columns) || 1;
  const [width, height] = [Math.min(columns, PICTURE) || 1, Math.min(rows, PICTURE)];
  const ones = new Float64Array(width * height);
  const all = new Float64Array(width * height);
  // Of a large mask, bits at even distances stand for all.
  const step = Math.max(1, Math.floor(mask.length / 2 ** 20));
  for (let i = 0; i < mask.length; i += step) {
    const x = Math.floor(((i % columns) * width) / columns);
    const at = Math.floor((Math.floor(i / columns) * height) / rows) * width + x;
    all[at]++;
    ones[at] += mask.bits ? (mask.bits[Math.floor(i / 8)] >> i % 8) & 1 : mask.ones > 0 ? 1 : 0;
  }
  return { width, height, densities: Uint8Array.from(ones, (count, i) => (all[i] ? (255 * count) / all[i] : 0)) };
}

/** @param {Blob} file */
async function describe(file) {
  const started = performance.now();
  const opened = await open(file, { maxBytes: MAX_BYTES });
  const entries = opened.entries;
  const weights = entries.reduce((sum, entry) => sum + (entry.target === null ? entry.elements : 0), 0);
  const masked = entries.reduce((sum, entry) => sum + entry.bits, 0);
  const head = {
    size: file.size,
    version: `1.${opened.header.minor}`,
    parts: opened.parts,
    tasks: opened.tasks.length,
    count: entries.length,
    weights,
    masked,
    entries: entries.slice(0, MAX_ROWS),
    took: performance.now() - started,
  };
  postMessage({ type: "description", ...head });
  let pictures = 0;
  for (let index = 0; index < head.entries.length && pictures < MAX_PICTURES; index++) {
    if (entries[index].bits === 0) continue;
    pictures++;
    const mask = await opened.mask(index);
    if (mask) postMessage({ type: "picture", index, ...picture(mask, entries[index].shape) });
  }
  postMessage({ type: "done" });
}

/** @param {ArrayBuffer} bytes */
function decode(bytes) {
  const started = performance.now();
  const tensors = loadSync(bytes, { maxBytes: MAX_BYTES });
  postMessage({ type: "network", tensors, took: performance.now() - started });
}

addEventListener("message", async ({ data }) => {
  try {
    if (data.type === "decode") decode(data.bytes);
    else await describe(data.file);
  } catch (error) {
    postMessage({ type: "error", ...explain(error) });
  }
});
