/**
 * Decode files and print what comes out, one JSON line each: tests/web/test_vectors.py compares it.
 *
 *     node test-vectors.mjs [MODULE] < requests.jsonl
 *
 * MODULE is the decoder: src/index.js, src/sync.js (which is used without promises then), or a bundle.
 *
 * A request: {"file", "bases", "task"?, "maxBytes"?, "lazy"?}. An answer: {"class", "message"}, or {"tensors"} by task.
 * The class of a RequestError, which has none, is "usage".
 */

import { createHash } from "node:crypto";
import { openAsBlob, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { load, loadSync, loadTasks, loadTasksSync, open, PemnError, RequestError } = await import(
  process.argv[2] ? pathToFileURL(process.argv[2]).href : "./src/index.js"
);

/** @param {Map<string, {dtype: string, shape: number[], data: any}>} tensors */
function digests(tensors) {
  return [...tensors].map(([name, { dtype, shape, data }]) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return [name, dtype, shape, createHash("sha256").update(bytes).digest("hex")];
  });
}

/** @param {{file: string, bases: string[], task?: string|null, maxBytes?: number|null, lazy?: boolean}} request */
async function answer(request) {
  const { file, bases, lazy } = request;
  const task = request.task ?? undefined;
  const maxBytes = request.maxBytes ?? undefined;
  const options = { maxBytes, base: bases.map((path) => new Uint8Array(readFileSync(path))) };
  try {
    if (lazy) {
      const opened = await open(await openAsBlob(file), options);
      const tasks = task === undefined && opened.tasks.length ? opened.tasks : [task];
      const networks = [];
      // One tensor at a time, so that each is decoded from its own pages alone.
      for (const one of tasks) {
        const indices = opened.select({ task: one });
        const names = indices.map((index) => opened.entries[index].name);
        const tensors = new Map();
        for (const name of names) tensors.set(name, await opened.tensor(name, one));
        networks.push([one ?? "", digests(tensors)]);
      }
      return { tensors: Object.fromEntries(networks) };
    }
    const bytes = new Uint8Array(readFileSync(file));
    // Without a promise where the module offers that.
    const one = loadSync ?? load;
    const all = loadTasksSync ?? loadTasks;
    if (task !== undefined) return { tensors: { [task]: digests(await one(bytes, { ...options, task })) } };
    const networks = [...(await all(bytes, options))];
    return { tensors: Object.fromEntries(networks.map(([name, tensors]) => [name, digests(tensors)])) };
  } catch (error) {
    if (error instanceof PemnError) return { class: error.kind, message: error.message };
    if (error instanceof RequestError) return { class: "usage", message: error.message };
    return { class: `another error: ${/** @type {Error} */ (error).stack}` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
