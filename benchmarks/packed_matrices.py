"""Time of single packed matrices, beside dense ones: large ones, and small ones that stay in the cache.

`packed.py --linear` and `packed.py --small` call these.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import pemncodec

SIZES = ("64x64", "128x128", "256x256", "384x384", "512x512", "768x768", "1024x1024", "3072x768", "768x3072")
SMALL_BATCHES = (1, 2, 4, 8, 12, 16, 17, 24, 32, 48, 64, 100, 128, 256, 512)
KEEPS = (0.3, 0.5, 0.7, 0.9)
PRUNED = (0.5, 0.9)


def times(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median time of each, interleaved."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            made = run()
            found[name].append(time.perf_counter() - start)
            del made  # what it takes to free memory is not counted
    return {name: statistics.median(all_of[1:]) for name, all_of in found.items()}


def emit(row: dict[str, Any], out: Path | None) -> None:
    """Print a row, and keep it."""
    print(json.dumps(row), flush=True)
    if out is not None:
        with out.open("a") as stream:
            stream.write(json.dumps(row) + "\n")


def revision() -> str:
    """Return the commit that is measured."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def pemncodec_dtype(dtype: torch.dtype) -> Any:
    """Return the format's type of a type of torch."""
    from pemncodec.common.torch_tensors import dtype_of

    return dtype_of(torch.empty(0, dtype=dtype), "")


def matrix(rows: int, columns: int, keep: float, pruned: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a packed matrix and the dense one: RP 1e-2 with a fraction kept, or that fraction kept by pruning."""
    return matrices(1, rows, columns, keep, pruned)[0]


def matrices(count: int, rows: int, columns: int, keep: float, pruned: bool) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return several of them, of one random vector."""
    rng = np.random.default_rng(0)
    network = pemncodec.MaskedNetwork()
    if not pruned:
        length = rows * columns // 100
        network.prototypes.append(pemncodec.GeneratedPrototype(pemncodec.Generator("normal", length, 1)))
    for number in range(count):
        flags = rng.random(rows * columns) < keep
        network.masks.append(pemncodec.Mask.from_bool(flags))
        fill: Any = pemncodec.TileFill(0)
        if pruned:
            words = rng.standard_normal(int(flags.sum())).astype(np.float32).view(np.uint32)
            fill = pemncodec.KeptFill(pemncodec_dtype(torch.float32), words)
        network.entries.append(pemncodec.Layer(str(number), (rows, columns), number, fill))
    data = pemncodec.save(network)
    packed, dense = pemncodec.load(data, layout="packed"), pemncodec.load(data)
    return [(packed[name], dense[name]) for name in dense]


def linear(rounds: int, out: Path | None) -> None:
    """Measure one matrix of 4096 × 4096: RP 1e-2 at half density, and 90 % pruned."""
    size = 4096
    for kind, keep in (("RP 1e-2, keep 0.5", 0.5), ("pruned 90 %", 0.1)):
        packed, dense = matrix(size, size, keep, keep < 0.5)
        for batch in (1, 8, 32, 256):
            x = torch.randn(batch, size)
            runs: dict[str, Callable[[], Any]] = {
                "float32": partial(nn.functional.linear, x, dense),
                "packed": partial(nn.functional.linear, x, packed),
                "bfloat16": partial(nn.functional.linear, x.to(torch.bfloat16), dense.to(torch.bfloat16)),
            }
            if keep < 0.5:
                runs["csr"] = partial(torch.matmul, dense.to_sparse_csr(), x.t().contiguous())
            found = times(runs, rounds)
            row: dict[str, Any] = {"case": f"linear 4096, {kind}", "batch": batch, "threads": torch.get_num_threads()}
            row |= {name: round(seconds * 1e3, 3) for name, seconds in found.items()}
            row["packed_of_float32"] = round(found["packed"] / found["float32"], 3)
            row["commit"] = revision()
            emit(row, out)


def paired(one: Callable[[], Any], two: Callable[[], Any], rounds: int) -> tuple[float, float, float]:
    """Return the median times of two functions, and the median of their ratios, each of calls beside each other."""
    for _ in range(3):  # the first call of a packed weight prepares the next ones
        one()
        two()
    start = time.perf_counter()
    one()
    two()
    calls = max(1, int(3e-4 / max(time.perf_counter() - start, 1e-6)))
    found: list[tuple[float, float]] = []
    for _ in range(rounds):
        spent = []
        for run in (one, two):
            run()  # what the other one left in the cache is not counted
            start = time.perf_counter()
            for _ in range(calls):
                run()
            spent.append((time.perf_counter() - start) / calls)
        found.append((spent[0], spent[1]))
    first, second = (statistics.median(pair[k] for pair in found) for k in (0, 1))
    return first, second, statistics.median(b / a for a, b in found)


def small(rounds: int, out: Path | None, sizes: list[str], biased: bool, dtype: torch.dtype = torch.float32) -> None:
    """Measure matrices that stay in the cache: a row for each size and kind, with packed / dense of each batch.

    Args:
        biased: with a bias, as layers have.
    """
    commit = revision()
    name = str(dtype).removeprefix("torch.")
    for size in sizes:
        rows, columns = map(int, size.split("x"))
        kinds = [(f"RP 1e-2, keep {keep}", keep, False) for keep in KEEPS]
        kinds += [(f"pruned {1 - keep:.0%}", keep, True) for keep in (1 - fraction for fraction in PRUNED)]
        for kind, keep, pruned in kinds:
            packed, dense = (one.to(dtype) for one in matrix(rows, columns, keep, pruned))
            bias = torch.randn(rows).to(dtype) if biased else None
            ratios, micros, dense_micros = {}, {}, {}
            for batch in SMALL_BATCHES:
                x = torch.randn(batch, columns).to(dtype)
                was, now, ratio = paired(
                    partial(nn.functional.linear, x, dense, bias),
                    partial(nn.functional.linear, x, packed, bias),
                    3 * rounds,
                )
                ratios[str(batch)] = round(ratio, 2)
                micros[str(batch)], dense_micros[str(batch)] = round(now * 1e6, 1), round(was * 1e6, 1)
            row: dict[str, Any] = {
                "case": f"small {size}, {kind}",
                "dtype": name,
                "bias": biased,
                "threads": torch.get_num_threads(),
            }
            row |= {"packed_of_dense": ratios, "worst": max(ratios.values())}
            row |= {"commit": commit}
            emit(row | {"packed_us": micros, "dense_us": dense_micros}, out)


def _through(x: torch.Tensor, weights: list[torch.Tensor], bias: torch.Tensor) -> torch.Tensor:
    for weight in weights:
        x = nn.functional.linear(x, weight, bias)
    return x


def stacks(rounds: int, out: Path | None) -> None:
    """Measure layers one after the other, from one that lies in the cache to more than it holds."""
    commit = revision()
    for size in (256, 384, 512):
        for kind, keep, pruned in (
            ("RP 1e-2, keep 0.5", 0.5, False),
            ("pruned 50%", 0.5, True),
            ("pruned 90%", 0.1, True),
        ):
            for count in (1, 2, 4, 8, 16, 32):
                pairs, bias = matrices(count, size, size, keep, pruned), torch.randn(size)
                ratios = {}
                for batch in SMALL_BATCHES[:5]:
                    runs = [
                        partial(_through, torch.randn(batch, size), [pair[k] for pair in pairs], bias) for k in (1, 0)
                    ]
                    ratios[str(batch)] = round(paired(runs[0], runs[1], 3 * rounds)[2], 2)
                row: dict[str, Any] = {"case": f"stack {size}x{size}, {kind}", "layers": count}
                row |= {"dense_mib": round(count * size * size / 2**18, 1), "threads": torch.get_num_threads()}
                emit(row | {"packed_of_dense": ratios, "worst": max(ratios.values()), "commit": commit}, out)
