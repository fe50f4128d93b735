"""`.pemn` files against what else one can do with such a network: bytes, × of the information floor, seconds, memory.

Trained and synthetic masked and pruned networks; torch.save and safetensors of the effective weights, alone and under
zstd and xz, zipnn, CSR, compressed-tensors, NNCodec, and a home-made format. Every loader has to give back the same
dense tensors, bit for bit. All in one process, runs interleaved, medians; files in the page cache; memory is the growth
of the peak resident size of a fresh process. (safetensors maps a file and has read little of it when it returns, so
its seconds and memory are not those of reading.) What the floor is: `comparison/floor.py`.

A format that is not installed is named as absent. `pip install -c constraints.txt -e '.[peers]'` brings zipnn. By hand:
compressed-tensors 0.12.2, the last tried with a bitmask format (it imports transformers), and
`pip install --no-deps nncodec` (its metadata ask for numpy below 2, and it runs with 2.4) beside torchvision for the
same torch, pandas, h5py, tqdm and opencv-python-headless.

    python benchmarks/peers.py [--samples DIR] [--data CIFAR] [--only NAME …] [--table] [--plot docs/peers.png]
    python benchmarks/peers.py --quick --table
    python benchmarks/peers.py --draw-only --table --plot docs/peers.png

Networks that have to be trained are, once, and kept in `benchmarks/cache`: on the packaged digits without `--data`.
Rows go to `benchmarks/results/peers.jsonl`, and a network that has its rows there, from the same state of the package
with the same settings, is not measured again: an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from pathlib import Path

import torch
from comparison import cases, measure, table
from comparison.measure import Settings
from comparison.peers import peers
from comparison.trained import Trainer
from experiments.rows import Row

HERE = Path(__file__).parent


def read(path: Path | None) -> list[Row]:
    """The rows of a file, none if there is no file."""
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(rows: list[Row], path: Path) -> None:
    """All rows, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    temporary.replace(path)


def complete(rows: list[Row], settings: Settings, again: bool) -> bool:
    """Return whether the rows of one network have every peer and the settings of this run."""
    if again or not all("peer" in row for row in rows):
        return False
    names = {row["peer"] for row in rows}
    same = all(row["codec"] == measure.codec() and row["threads"] == settings.threads for row in rows)
    return same and names == {peer.name for peer in peers()}


def run(arguments: argparse.Namespace, rows: list[Row], out: Path | None) -> list[Row]:
    """Measure what is missing; the rows in the order of the networks."""
    trainer = Trainer(arguments.data, arguments.cache)
    known = cases.quick() if arguments.quick else cases.full(trainer, arguments.samples)
    chosen = [name for name in known if not arguments.only or any(word in name for word in arguments.only)]
    if not chosen:
        raise SystemExit(f"--only {' '.join(arguments.only)}: no such network; there are {'; '.join(known)}")
    settings = Settings(1 if arguments.quick else 7, 1 if arguments.quick else 3, arguments.threads)
    order = list(known)
    for number, name in enumerate(chosen, 1):
        own = [row for row in rows if row["network"] == name]
        start = time.perf_counter()

        def say(line: str, number: int = number, name: str = name, start: float = start) -> None:
            seconds = time.perf_counter() - start
            print(f"{number}/{len(chosen)} {name}: {line} ({seconds:.0f} s)", file=sys.stderr, flush=True)

        if own and complete(own, settings, arguments.again):
            say("has its rows")
            continue
        try:
            network = known[name]()
        except FileNotFoundError as reason:
            say(f"absent: {reason}")
            if not own:
                rows = [*rows, {"network": name, "not_measured": f"absent: {reason}"}]
        else:
            measured = measure.measure(network, peers(), settings, say)
            del network
            gc.collect()
            rows = [row for row in rows if row["network"] != name] + measured
        rows.sort(key=lambda row: order.index(str(row["network"])) if row["network"] in order else len(order))
        if out is not None:
            write(rows, out)
    return rows


def parse() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="two tiny networks, one run; no file unless --out is given"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="networks whose name contains one of these")
    parser.add_argument("--samples", type=Path, help="folder with checkpoints of other projects")
    parser.add_argument("--data", type=Path, help="CIFAR-10, as the experiments take it; default: packaged digits")
    parser.add_argument("--cache", type=Path, default=HERE / "cache", help="trained checkpoints")
    parser.add_argument("--out", type=Path, help="rows; default: benchmarks/results/peers.jsonl")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="default: all cores")
    parser.add_argument("--again", action="store_true", help="measure what has rows already, too")
    parser.add_argument("--draw-only", action="store_true", help="measure nothing: table and picture of the rows")
    parser.add_argument("--table", action="store_true", help="Markdown instead of JSON")
    parser.add_argument("--plot", type=Path, help="where to draw")
    parser.add_argument("--once", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure, print, draw."""
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    if arguments.once:
        print(measure.once(next(peer for peer in peers() if peer.name == arguments.once), arguments.file))
        return
    out = arguments.out or (None if arguments.quick else HERE / "results" / "peers.jsonl")
    rows = read(out)
    if not arguments.draw_only:
        rows = run(arguments, rows, out)
    for line in table.table(rows) if arguments.table else [json.dumps(row, ensure_ascii=False) for row in rows]:
        print(line)
    if arguments.plot:
        from comparison import picture

        picture.draw(rows, arguments.plot)


if __name__ == "__main__":
    main()
