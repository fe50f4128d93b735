/**
 * Open a file by its address, decode one tensor, then all; print the digests: tests/web/test_ranges.py serves it.
 *
 *     node test-ranges.mjs ADDRESS NAME
 */

import { createHash } from "node:crypto";
import { load, open } from "./src/index.js";

const [address, name] = process.argv.slice(2);
/** @param {any} tensor */
const digest = ({ data }) => createHash("sha256").update(new Uint8Array(data.buffer)).digest("hex");

const file = await open(address, { request: { headers: { "X-Step": "one" } } });
const one = digest(await file.tensor(name));
const tensors = await load(new URL(address), { request: { headers: { "X-Step": "all" } } });
console.log(JSON.stringify({ one, all: digest(tensors.get(name)), count: tensors.size }));
