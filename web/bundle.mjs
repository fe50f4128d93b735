/**
 * Bundle the decoder, and print the bytes of each file: minified, and by gzip at level 9.
 *
 *     npm run bundle
 *
 * `pemncodec.js` is what a page imports; it imports the other files itself, those that a .pemn file needs.
 */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rollup } from "rollup";
import { minify } from "terser";

const FOLDER = process.argv[2] ?? fileURLToPath(new URL("../build/web", import.meta.url));

const bundle = await rollup({
  input: { pemncodec: fileURLToPath(new URL("src/index.js", import.meta.url)) },
  // Names for its own chunks are exported by the first file, too, so that nothing stands between it and a page.
  preserveEntrySignatures: "allow-extension",
});
const { output } = await bundle.write({
  dir: FOLDER,
  format: "es",
  entryFileNames: "[name].js",
  chunkFileNames: "pemncodec-[name].js",
  minifyInternalExports: true,
  plugins: [
    {
      name: "terser",
      renderChunk: async (code) => {
        const made = await minify(code, { ecma: 2020, module: true, compress: { passes: 3 } });
        return /** @type {string} */ (made.code);
      },
    },
  ],
});
await bundle.close();

const rows = output.map(({ fileName }) => {
  const bytes = readFileSync(`${FOLDER}/${fileName}`);
  return { file: fileName, bytes: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
});
for (const row of rows) console.log(JSON.stringify(row));
