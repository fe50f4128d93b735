"""Structure hidden in checkpoints of other projects: found prototypes, pruned networks, tasks, deltas. A table.

Every file is decoded and compared with its checkpoint, bit for bit, before its bytes count. One JSON row a case.

    python benchmarks/wild.py [--table]
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import zstandard
from safetensors.torch import save as safetensors_save

import pemncodec
from pemncodec.packing.save import save_tasks

State = dict[str, torch.Tensor]
Row = dict[str, str | float | int | bool]


def random_vector_network(seed: int, ratio: float = 1e-2, width: int = 16) -> tuple[State, State]:
    """RP, copy: weights and scores of 20 layers as the published code saves them; BatchNorm beside."""
    g = torch.Generator().manual_seed(seed)
    w = width
    shapes = [
        (w, 3, 3, 3),
        *[(2 * w, w, 3, 3)] * 6,
        *[(4 * w, 2 * w, 3, 3)] * 7,
        *[(4 * w, 4 * w, 3, 3)] * 5,
        (10, 4 * w),
    ]
    largest = max(map(math.prod, shapes))
    period = int(largest * ratio) + 1
    vector = torch.randn(period, generator=g) * math.sqrt(2 / 288)
    weights: State = {}
    scores: State = {}
    for number, shape in enumerate(shapes):
        count = math.prod(shape)
        weights[f"{number}.weight"] = vector.repeat(count // period + 1)[:count].reshape(shape)
        scores[f"{number}.scores"] = torch.rand(shape, generator=g)
        if len(shape) == 4:
            weights[f"{number}.bn.running_mean"] = torch.randn(shape[0], generator=g)
            weights[f"{number}.bn.running_var"] = torch.rand(shape[0], generator=g)
    return weights, scores


def top_k(scores: torch.Tensor, keep: float) -> torch.Tensor:
    """The published rule, by sorting."""
    order = scores.abs().flatten().sort(stable=True).indices
    mask = torch.ones(scores.numel())
    mask[order[: int((1 - keep) * scores.numel())]] = 0
    return mask.reshape(scores.shape)


def masked(weights: State, scores: State, keep: float) -> State:
    """Return the weights as evaluation multiplies them: weights · masks."""
    out = dict(weights)
    for name, score in scores.items():
        weight = name.replace("scores", "weight")
        out[weight] = weights[weight] * top_k(score, keep)
    return out


def same(found: State, expected: State) -> bool:
    """Equal bits, but for the sign of zeros."""
    return list(found) == list(expected) and all(
        torch.equal((a + 0).view(-1).view(torch.uint8), (b + 0).view(-1).view(torch.uint8))
        for a, b in zip(found.values(), expected.values(), strict=True)
    )


def hidden_prototype() -> Row:
    """An RP network saved as weight · mask, beside the one that was saved with its scores."""
    weights, scores = random_vector_network(0)
    scored = pemncodec.save(weights | scores, keep=0.5, ties="stable")
    data, report = pemncodec.pack(masked(weights, scores, 0.5))
    exact = same(pemncodec.load(data), pemncodec.load(scored))
    return {
        "case": "RP saved as weight × mask, density 0.5, 20 layers",
        "bytes": len(data),
        "against": len(scored),
        "ratio": len(data) / len(scored),
        "bar": 1.02,
        "found": report.findings[0] if report.findings else "nothing",
        "exact": exact,
    }


def pruned(dtype: torch.dtype) -> State:
    """A ResNet-like network with 90 % of the smallest weights of every layer set to zero."""
    g = torch.Generator().manual_seed(1)
    state: State = {}
    for number, shape in enumerate([(64, 3, 3, 3), *[(64, 64, 3, 3)] * 4, *[(128, 128, 3, 3)] * 4, (100, 128)]):
        weight = torch.randn(shape, generator=g) * math.sqrt(2 / math.prod(shape[1:]))
        cut = weight.abs().flatten().kthvalue(int(0.9 * weight.numel())).values
        state[f"{number}.weight"] = torch.where(weight.abs() > cut, weight, 0.0).to(dtype)
        state[f"{number}.bias"] = (torch.randn(shape[0], generator=g) * 0.1).to(dtype)
    return state


def split(state: State, parts: Callable[[torch.Tensor, torch.Tensor], State]) -> State:
    """Every weight as the parts that a format makes of its matrix (out, rest) and of where that is not zero."""
    tensors: State = {}
    for name, tensor in state.items():
        rows = tensor.reshape(len(tensor), -1)
        found = parts(rows, rows != 0) if tensor.dim() >= 2 else {}
        tensors |= {f"{name}.{part}": value for part, value in found.items()} or {name: tensor}
    return tensors


def bitmask(state: State) -> bytes:
    """compressed-tensors' sparse-bitmask in safetensors, by its published layout."""

    def parts(rows: torch.Tensor, mask: torch.Tensor) -> State:
        counts = mask.sum(dim=1)
        return {
            "compressed": rows[mask],
            "bitmask": torch.from_numpy(np.packbits(mask.numpy(), axis=1, bitorder="little")),
            "row_offsets": counts.cumsum(0) - counts,
            "shape": torch.tensor(rows.shape),
        }

    return safetensors_save(split(state, parts))


def csr(state: State) -> bytes:
    """torch's CSR parts (32-bit columns) in safetensors, then zstd -19."""

    def parts(rows: torch.Tensor, mask: torch.Tensor) -> State:
        return {
            "crow": torch.nn.functional.pad(mask.sum(dim=1).cumsum(0), (1, 0)).int(),
            "col": mask.nonzero()[:, 1].int(),
            "values": rows[mask],
        }

    return zstandard.ZstdCompressor(level=19).compress(safetensors_save(split(state, parts)))


def pruned_rows() -> Iterator[Row]:
    """A network pruned to 90 %, beside the two formats that are used for such."""
    for dtype in (torch.float32, torch.bfloat16):
        state = pruned(dtype)
        data = pemncodec.save(state)
        exact = same(pemncodec.load(data), state)
        for name, other in (("compressed-tensors bitmask", bitmask(state)), ("CSR + zstd -19", csr(state))):
            yield {
                "case": f"pruned to 90 %, {str(dtype).removeprefix('torch.')}, against {name}",
                "bytes": len(data),
                "against": len(other),
                "ratio": len(data) / len(other),
                "bar": 1.0,
                "exact": exact,
            }


def tasks(folder: Path) -> Row:
    """Ten tasks over one RP backbone: one file, nine masks, nine sets of task tensors."""
    states = {}
    weights, _ = random_vector_network(0)
    for number in range(10):
        own, scores = random_vector_network(100 + number)
        states[f"task{number}"] = own | {n: w for n, w in weights.items() if n.endswith(".weight")} | scores
    path = folder / "tasks.pemn"
    report = save_tasks(states, path, keep=0.5, ties="stable")
    exact = all(
        same(pemncodec.load_file(path, task=name), pemncodec.load(pemncodec.save(state, keep=0.5, ties="stable")))
        for name, state in states.items()
    )
    one = pemncodec.pack(states["task0"], keep=0.5, ties="stable")[1].sizes
    expected = one.total + 9 * (one.masks + one.tensors)
    return {
        "case": "ten tasks over one backbone, against one file, nine masks and nine sets of task tensors",
        "bytes": report.sizes.total,
        "against": expected,
        "ratio": report.sizes.total / expected,
        "bar": 1.02,
        "found": report.findings[0],
        "exact": exact,
    }


def delta(folder: Path, width: int) -> Row:
    """5 % of the mask bits flipped, all else equal."""
    weights, scores = random_vector_network(0, ratio=0.3, width=width)
    g = torch.Generator().manual_seed(5)
    flipped = {}
    for name, score in scores.items():
        mask = top_k(score, 0.5)
        flip = torch.rand(mask.shape, generator=g) < 0.05
        flipped[name.replace("scores", "weight") + "_mask"] = torch.where(flip, 1 - mask, mask)
    first = {n.replace("scores", "weight") + "_mask": top_k(s, 0.5) for n, s in scores.items()}
    originals = {n + "_orig" if n.endswith(".weight") else n: w for n, w in weights.items()}
    base = folder / "base.pemn"
    pemncodec.save_file(originals | first, base)
    data, report = pemncodec.pack(originals | flipped, base=base)
    exact = same(pemncodec.load(data, base=base), pemncodec.load(pemncodec.save(originals | flipped)))
    return {
        "case": f"delta with 5 % of {sum(map(torch.numel, scores.values())):,} mask bits flipped, bits a weight",
        "bytes": len(data),
        "against": base.stat().st_size,
        "ratio": 8 * len(data) / report.sizes.masked_weights,
        "bar": 0.30,
        "exact": exact,
    }


def rows() -> Iterator[Row]:
    """All cases."""
    with tempfile.TemporaryDirectory() as folder:
        yield hidden_prototype()
        yield from pruned_rows()
        yield tasks(Path(folder))
        yield delta(Path(folder), 16)
        yield delta(Path(folder), 48)


def main() -> None:
    """Print a row a case, or a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="Markdown instead of JSON")
    arguments = parser.parse_args()
    if arguments.table:
        print("| case | bytes | against | ratio, or bits | bar | exact |\n| --- | --- | --- | --- | --- | --- |")
    for row in rows():
        if arguments.table:
            cells = (row["case"], f"{row['bytes']:,}", f"{row['against']:,}", f"{row['ratio']:.3f}", row["bar"])
            print("| " + " | ".join(map(str, cells)) + f" | {'yes' if row['exact'] else 'NO'} |")
        else:
            print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
