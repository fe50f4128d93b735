"""Bytes and time of messages of masks, as a federation sends them: a JSON row for each density.

    python benchmarks/messages.py

The masks are those of a network 64 × 256 × 256 × 10: 84,480 bits in three bool tensors.
Beside them stands one tensor of 100,000 bits.
Times are medians of warm calls.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable

import torch

import pemncodec

SHAPES = {"0.weight": (256, 64), "2.weight": (256, 256), "4.weight": (10, 256)}
CALLS = 100


def entropy(state: dict[str, torch.Tensor]) -> float:
    """Bytes of the order-0 entropy of each tensor."""
    total = 0.0
    for tensor in state.values():
        p = float(tensor.double().mean())
        total -= tensor.numel() * sum(q * math.log2(q) for q in (p, 1 - p) if q)
    return total / 8


def median_ms(call: Callable[[], object]) -> float:
    """Return the median of the time of a call, in milliseconds."""
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return round(1e3 * statistics.median(times), 2)


def main() -> None:
    """Print the rows."""
    torch.set_num_threads(1)
    for density in (0.001, 0.01, 0.05, 0.3, 0.5):
        generator = torch.Generator().manual_seed(0)
        last, state = (
            {name: torch.rand(shape, generator=generator) < density for name, shape in SHAPES.items()} for _ in range(2)
        )
        data, base = pemncodec.save(state), pemncodec.save(last)
        near = {name: last[name] ^ (torch.rand(shape, generator=generator) < 0.01) for name, shape in SHAPES.items()}
        floor = entropy(state)
        one = {"mask": torch.rand(100_000, generator=generator) < density}
        file = pemncodec.save(one)
        row = {
            "density": density,
            "bits": sum(tensor.numel() for tensor in state.values()),
            "bytes": len(data),
            "entropy_bytes": round(floor),
            "over_1.02_entropy": round(len(data) - 1.02 * floor),
            "delta_of_1_percent_bytes": len(pemncodec.save(near, base=base)),
            "save_ms": median_ms(lambda state=state: pemncodec.save(state)),  # type: ignore[misc]
            "save_unverified_ms": median_ms(lambda state=state: pemncodec.save(state, verify=False)),  # type: ignore[misc]
            "load_ms": median_ms(lambda data=data: pemncodec.load(data)),  # type: ignore[misc]
            "save_one_ms": median_ms(lambda one=one: pemncodec.save(one)),  # type: ignore[misc]
            "load_one_ms": median_ms(lambda file=file: pemncodec.load(file)),  # type: ignore[misc]
        }
        print(json.dumps(row))


if __name__ == "__main__":
    main()
