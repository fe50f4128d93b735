/**
 * Decode files and print what comes out, one JSON line each: tests/web/test_vectors.py compares it.
 *
 *     node test-vectors.mjs < requests.jsonl
 *
 * A request: {"file", "bases", "task"?, "maxBytes"?, "lazy"?}. An answer: {"class"}, or {"tensors"} by task. The
 * class of a RequestError, which has none, is "usage".
 */

import { createHash } from "node:crypto";
import { openAsBlob, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { loadSync, loadTasksSync, open, PemnError, RequestError } from "./src/index.js";

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
    if (task !== undefined) return { tensors: { [task]: digests(loadSync(bytes, { ...options, task })) } };
    const networks = [...loadTasksSync(bytes, options)];
    return { tensors: Object.fromEntries(networks.map(([name, tensors]) => [name, digests(tensors)])) };
  } catch (error) {
    if (error instanceof PemnError) return { class: error.kind };
    if (error instanceof RequestError) return { class: "usage" };
    return { class: `another error: ${/** @type {Error} */ (error).stack}` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
