"""Memory of `pemn pack` for a folder of shards, beside one file of the same tensors; and the folder that comes back.

    python benchmarks/folders.py [--size 2GB] [--shards 4] [--folder DIR]

Makes a folder of safetensors shards with an index, float32, half of the elements 0, and one file of the same tensors.
The command packs each in a process of its own. The packed folder is unpacked to shards, which safetensors alone reads
and compares with the original ones, word by word. A JSON row a process: `resident` is its largest resident size, mapped
pages of the checkpoint included; `anonymous` is what no file backs, looked at every 10 ms. Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pemncodec.cli.byte_count import ByteCount

# Rows and columns of a weight: 16 MiB.
SIDE = 2048
INDEX = "model.safetensors.index.json"


def make(folder: Path, size: int, shards: int) -> tuple[Path, Path]:
    """Write a folder of shards of about `size` bytes in all, and a folder of one file of the same tensors."""
    per_shard = max(1, round(size / (4 * SIDE * SIDE * shards)))
    many, one = folder / "shards", folder / "single"
    many.mkdir()
    one.mkdir()
    generator = torch.Generator().manual_seed(0)
    places: dict[str, str] = {}
    for shard in range(shards):
        state = {}
        for number in range(per_shard):
            weight = torch.randn(SIDE, SIDE, generator=generator).abs_()
            weight[torch.rand(SIDE, SIDE, generator=generator) < 0.5] = 0
            state[f"layer{shard * per_shard + number:04}.weight"] = weight
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        save_file(state, many / file, {"format": "pt"})
        places |= dict.fromkeys(state, file)
    (many / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    del state, weight
    whole: dict[str, torch.Tensor] = {}
    for file in dict.fromkeys(places.values()):
        with safe_open(many / file, "pt") as opened:
            whole |= {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    save_file(whole, one / "model.safetensors", {"format": "pt"})
    return many, one


def run(what: str, *arguments: str | Path) -> dict[str, Any]:
    """Run the command, and return its row."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "pemncodec", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    status = Path(f"/proc/{process.pid}/status")
    most = {"VmHWM": 0, "RssAnon": 0}
    while process.poll() is None:
        for line in status.read_text().splitlines():
            name, _, value = line.partition(":")
            if name in most:
                most[name] = max(most[name], 1024 * int(value.split()[0]))
        time.sleep(0.01)
    output, said = process.communicate()
    if process.returncode:
        raise SystemExit(f"{what}: {said.strip()}")
    row = {"what": what, "seconds": round(time.perf_counter() - start, 1)}
    verified = next((line for line in output.splitlines() if line.startswith("verified")), None)
    return row | {"resident": most["VmHWM"], "anonymous": most["RssAnon"], "verified": verified}


def compared(first: Path, second: Path) -> int:
    """Return how many tensors two folders of shards have, all of them the same in every bit; both read by safetensors.

    Raises:
        SystemExit: they are not.
    """
    places = [json.loads((folder / INDEX).read_text())["weight_map"] for folder in (first, second)]
    if list(places[0]) != list(places[1]):
        raise SystemExit("the folders hold tensors of other names")
    for name in places[0]:
        tensors = []
        for folder, place in zip((first, second), places, strict=True):
            with safe_open(folder / place[name], "pt") as opened:
                tensors.append(opened.get_tensor(name))
        if tensors[0].shape != tensors[1].shape or not torch.equal(*(t.view(torch.int32) for t in tensors)):
            raise SystemExit(f"{name} is not the same")
    return len(places[0])


def main() -> None:
    """Print a row for each process, and what was compared."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="2GB", help="bytes of all tensors (default: 2GB)")
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="where temporary files are, 2.6 times the size")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        many, one = make(folder, ByteCount().convert(options.size, None, None), options.shards)
        size = sum(file.stat().st_size for file in many.glob("*.safetensors"))
        print(json.dumps({"tensors, B": size, "shards": options.shards}), flush=True)
        packed = folder / "shards.pemn", folder / "single.pemn"
        rows = [run("pack one file", "pack", one / "model.safetensors", packed[1])]
        print(json.dumps(rows[0]), flush=True)
        (one / "model.safetensors").unlink()
        rows.append(run("pack the folder", "pack", many, packed[0]))
        print(json.dumps(rows[1]), flush=True)
        ratios = {f"× {key}": round(rows[1][key] / rows[0][key], 3) for key in ("resident", "anonymous")}
        shard_size = str(-(-size // options.shards))
        print(json.dumps(run("unpack", "unpack", packed[0], folder / "out", "--shard-size", shard_size)), flush=True)
        count = compared(many, folder / "out")
        written = len(list((folder / "out").glob("*.safetensors")))
        same = packed[0].read_bytes() == packed[1].read_bytes()
        print(
            json.dumps(
                ratios | {"same bits": count, "shards": written, "file, B": packed[0].stat().st_size},
                ensure_ascii=False,
            )
        )
        print(json.dumps({"one .pemn file either way": same}))


if __name__ == "__main__":
    main()
