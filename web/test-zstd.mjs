/** Decompress frames, one JSON line each: {"frame"} in base64, answered by {"content"} or {"class"}. */

import { createInterface } from "node:readline";
import { PemnError } from "./src/sync.js";
import { decompress } from "./src/zstd/frame.js";

for await (const line of createInterface({ input: process.stdin })) {
  const frame = new Uint8Array(Buffer.from(JSON.parse(line).frame, "base64"));
  try {
    console.log(JSON.stringify({ content: Buffer.from(decompress(frame, Infinity, { orLess: true })).toString("base64") }));
  } catch (error) {
    if (!(error instanceof PemnError)) throw error;
    console.log(JSON.stringify({ class: error.kind }));
  }
}
