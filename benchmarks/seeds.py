"""Bytes that a seed saves: networks that PyTorch drew, packed with their values and with their seed; times.

Every file is decoded and compared with its checkpoint, bit for bit, before its bytes count. One JSON row a network, or
a table. The samples are checkpoints that the original projects' code wrote; without `--samples` they are left out.
With ATEN_CPU_CAPABILITY=default in the environment torch draws as on Arm, and as on processors without AVX2.

    python benchmarks/seeds.py [--samples DIR] [--weights 25000000] [--table]
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

import pemncodec

State = dict[str, torch.Tensor]
Row = dict[str, str | int | float | bool | list[str]]
ROUNDS = 5


def drawn(seed: int, shapes: list[tuple[int, ...]], init: Callable[[torch.Tensor], object] | None) -> State:
    """Layers as torch makes them (default weight and bias), scores, and then the frozen weights, as hidden-networks."""
    torch.manual_seed(seed)
    state: State = {}
    for number, shape in enumerate(shapes):
        layer = (
            torch.nn.Linear(shape[1], shape[0]) if len(shape) == 2 else torch.nn.Conv2d(shape[1], shape[0], shape[2])
        )
        scores = torch.empty_like(layer.weight)
        torch.nn.init.kaiming_uniform_(scores, a=math.sqrt(5))
        if init is not None:
            init(layer.weight.data)
        state[f"{number}.weight"], state[f"{number}.scores"] = layer.weight.detach(), scores
    return state


def mlp() -> list[tuple[int, ...]]:
    """266,200 weights."""
    return [(300, 784), (100, 300), (10, 100)]


def resnet(weights: int) -> list[tuple[int, ...]]:
    """Convolutions of a residual network about so large."""
    shapes: list[tuple[int, ...]] = [(64, 3, 7, 7)]
    width, total = 64, 9408
    while total < weights:
        shape = (width, width, 3, 3)
        shapes.append(shape)
        total += math.prod(shape)
        if len(shapes) % 6 == 0:
            width = min(512, 2 * width)
    return shapes


def kaiming(tensor: torch.Tensor) -> None:
    """As hidden-networks' and PEMN's `kaiming_normal`."""
    torch.nn.init.kaiming_normal_(tensor, mode="fan_in", nonlinearity="relu")


def signed(tensor: torch.Tensor) -> None:
    """hidden-networks' signed constant: the signs of the default draw."""
    tensor.copy_(tensor.sign() * math.sqrt(2 / math.prod(tensor.shape[1:])))


def prefixes(seed: int, shapes: list[tuple[int, ...]]) -> State:
    """Max-layer padding as PEMN has it: every layer is the beginning of the largest."""
    largest = max(shapes, key=math.prod)
    torch.manual_seed(seed)
    filler = torch.empty(largest)
    kaiming(filler)
    state: State = {}
    for number, shape in enumerate(shapes):
        state[f"{number}.weight"] = filler.flatten()[: math.prod(shape)].reshape(shape).clone()
        state[f"{number}.scores"] = torch.rand(shape)
    return state


def last_places(state: State, share: float) -> State:
    """Weights as another library might have rounded them: some a last place more."""
    torch.manual_seed(0)
    return {
        name: (tensor.view(torch.int32) + (torch.rand(tensor.shape) < share).int()).view(torch.float32)
        if name.endswith("weight")
        else tensor
        for name, tensor in state.items()
    }


def compared(name: str, checkpoint: State, seed: int, keep: float | None) -> tuple[Row, bytes, bytes]:
    """One network with its values and with its seed."""
    values = pemncodec.save(checkpoint, keep=keep, ties="stable")
    start = time.perf_counter()
    data, report = pemncodec.pack(checkpoint, keep=keep, ties="stable", torch_seed=seed)
    seconds = time.perf_counter() - start
    one, two = pemncodec.load(values), pemncodec.load(data)
    exact = all(torch.equal(one[n].view(-1).view(torch.uint8), two[n].view(-1).view(torch.uint8)) for n in one)
    row: Row = {
        "network": name,
        "weights": report.sizes.masked_weights,
        "values": len(values),
        "seed": len(data),
        "ratio": len(values) / len(data),
        "seconds": round(seconds, 1),
        "found": report.findings + report.notes,
        "exact": exact,
    }
    return row, values, data


def loading(values: bytes, data: bytes, row: Row) -> None:
    """Adds how long loading takes with the seed, in multiples of loading the values; interleaved, medians."""
    times: dict[str, list[float]] = {"values": [], "seed": []}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("values", values), ("seed", data)):
            (Path(folder) / name).write_bytes(content)
        for _ in range(ROUNDS):
            for name, taken in times.items():
                start = time.perf_counter()
                pemncodec.load_file(Path(folder) / name)
                taken.append(time.perf_counter() - start)
    row["load"] = statistics.median(times["seed"]) / statistics.median(times["values"])


def rows(samples: Path | None, weights: int) -> Iterator[Row]:
    """All networks."""
    yield compared("MLP of hidden-networks, Kaiming normal, keep 0.5", drawn(11, mlp(), kaiming), 11, 0.5)[0]
    yield compared("MLP of hidden-networks, signed constant, keep 0.3", drawn(11, mlp(), signed), 11, 0.3)[0]
    yield compared("MLP, torch's default (Kaiming uniform), keep 0.5", drawn(11, mlp(), None), 11, 0.5)[0]
    yield compared(
        "the first, 1.5 % of its weights a last place off", last_places(drawn(11, mlp(), kaiming), 0.015), 11, 0.5
    )[0]
    samples_of: list[tuple[str, int, float | None]] = [
        ("hn_fc_sc_k03", 11, 0.3),
        ("pemn_onelayer", 7, 0.5),
        ("pemn_rp1e-2_copy", 7, 0.5),
        ("torchprune_l1_90", 0, None),  # trained
    ]
    for name, seed, keep in samples_of:
        path = None if samples is None else samples / f"{name}.pt"
        if path is not None and path.exists():
            yield compared(f"sample {name}", pemncodec.load_checkpoint(path), seed, keep)[0]
    for name, state in (
        ("residual network, max-layer padding, keep 0.5", prefixes(3, resnet(weights))),
        ("residual network, Kaiming normal, keep 0.5", drawn(3, resnet(weights), kaiming)),
    ):
        row, values, data = compared(name, state, 3, 0.5)
        loading(values, data, row)
        yield row


def main() -> None:
    """Print a row a network, or a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--weights", type=int, default=25_000_000)
    parser.add_argument("--table", action="store_true", help="Markdown instead of JSON")
    arguments = parser.parse_args()
    if arguments.table:
        print("| network | weights | with values, B | with the seed, B | smaller | packed in | load | exact |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in rows(arguments.samples, arguments.weights):
        if arguments.table:
            cells = [row["network"], *(f"{row[key]:,}" for key in ("weights", "values", "seed"))]
            cells += [f"{row['ratio']:.1f} ×", f"{row['seconds']} s", f"{row['load']:.2f} ×" if "load" in row else ""]
            print("| " + " | ".join(map(str, cells)) + f" | {'yes' if row['exact'] else 'NO'} |")
        else:
            print(json.dumps(row))


if __name__ == "__main__":
    main()
