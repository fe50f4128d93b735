"""Time and memory of the JavaScript decoder in Node, beside `load_file`: ViT-B, 86 million weights, raw masks.

    python benchmarks/browser.py [--rounds 5] [--out results.jsonl]

One thread each, interleaved, medians of the first decoding of a process. Memory is the most resident memory of a Node
process that decodes the file, less that of one that only imports the decoder.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from packed import packed_file

DECODER = Path(__file__).resolve().parents[1] / "web" / "src" / "index.js"
PROGRAM = """
import { readFileSync } from "node:fs";
const { load } = await import(process.argv[1]);
const file = process.argv[2];
let ms = 0, bytes = 0;
if (file) {
  const content = readFileSync(file);
  const begin = performance.now();
  for (const { data } of (await load(content)).values()) bytes += data.byteLength;
  ms = performance.now() - begin;
}
const [most] = /VmHWM:\\s*(\\d+)/.exec(readFileSync("/proc/self/status", "utf8")).slice(1);
console.log(JSON.stringify({ ms, bytes, most: 1024 * most }));
"""

LOAD = """
import sys, time, torch, pemncodec
torch.set_num_threads(1)
pemncodec.load(pemncodec.save({"a": torch.ones(9)}))
begin = time.perf_counter()
pemncodec.load_file(sys.argv[1], threads=1)
print(1e3 * (time.perf_counter() - begin))
"""


def in_node(*arguments: str) -> dict[str, float]:
    """Run the decoder once."""
    command = ["node", "--input-type=module", "--eval", PROGRAM, DECODER.as_uri(), *arguments]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def in_python(path: Path) -> float:
    """Milliseconds of the first `load_file` of a process that has imported what it needs."""
    return float(subprocess.run([sys.executable, "-c", LOAD, str(path)], check=True, capture_output=True).stdout)


def main() -> None:
    """Print a JSON row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    node, python = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vit.pemn"
        packed_file("vit", path)
        empty = in_node()
        for _ in range(options.rounds):
            node.append(in_node(str(path)))
            python.append(in_python(path))
    ms = statistics.median(run["ms"] for run in node)
    most = statistics.median(run["most"] for run in node) - empty["most"]
    row = {
        "node_ms": round(ms, 1),
        "load_file_ms": round(statistics.median(python), 1),
        "ratio": round(ms / statistics.median(python), 2),
        "output_bytes": int(node[0]["bytes"]),
        "memory_above_output": int(most - node[0]["bytes"]),
    }
    print(json.dumps(row))
    if options.out is not None:
        options.out.write_text(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
