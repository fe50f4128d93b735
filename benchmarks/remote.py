"""Requests and bytes of a file over http, from a server on this machine that counts.

    python benchmarks/remote.py

A file of 12 MB: 100 layers of 960,000 weights over one prototype, keep 0.5. A JSON row for each thing that is done.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import pemncodec
from pemncodec.loading.verify import verify_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.container.served import served

LAYERS, ROWS, COLUMNS, PERIOD = 100, 960, 1_000, 10_000


def file() -> bytes:
    """Return the file."""
    torch.manual_seed(0)
    tile = torch.randn(PERIOD).repeat(ROWS * COLUMNS // PERIOD).view(ROWS, COLUMNS)
    state = {f"{i}.weight": tile * (torch.rand(ROWS, COLUMNS) < 0.5) for i in range(LAYERS)}
    return pemncodec.save(state, verify=False)


def main() -> None:
    """Print a row for each."""
    data = file()
    with served(data) as server:
        opened: list[Any] = []
        runs: dict[str, Callable[[], Any]] = {
            "open": lambda: opened.append(pemncodec.open(server.url)),
            "one layer of 1 %": lambda: opened[0].get_tensor("7.weight"),
            "load_file": lambda: pemncodec.load_file(server.url),
            "verify": lambda: verify_file(server.url),
        }
        for name, run in runs.items():
            server.requests.clear()
            run()
            row = {"what": name, "file": len(data), "requests": len(server.requests), "bytes": server.bytes}
            print(json.dumps(row | {"share": round(server.bytes / len(data), 4)}), flush=True)


if __name__ == "__main__":
    main()
