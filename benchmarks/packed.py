"""Time and memory of networks whose weights stay packed, beside dense, bfloat16, CSR and int8 ones.

    python benchmarks/packed.py [--networks NAME …] [--batches 1 8 32] [--rounds 5] [--threads 1] [--linear]
                                [--small [SIZE …]] [--stacks] [--dtype float32] [--load] [--tasks]
                                [--plot-of results.jsonl] [--out results.jsonl] [--plot packed.png]

All variants of a network run in one process, interleaved, and medians are of the rounds; memory is that of a process of
its own for each variant, which loads the weights and runs once: private memory and that of shared memory beside the
network's code. Instead of networks, `--linear` measures one 4096 × 4096 matrix, `--small` matrices that stay in the
cache, with a bias and without one, `--stacks` several of these in turn, `--load` loading, `--tasks` ten tasks.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from packed_matrices import SIZES, emit, linear, pemncodec_dtype, small, stacks, times
from torch import nn

import pemncodec

BATCHES = (1, 8, 32)
VARIANTS = ("float32", "bfloat16", "int8", "csr", "packed")
COLOURS = dict(zip(VARIANTS, ("C0", "C1", "C2", "C4", "C3"), strict=True))


class Block(nn.Module):
    """A transformer block of a given width, without dropout."""

    def __init__(self, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, count, width = x.shape
        parts = self.qkv(self.norms[0](x)).reshape(batch, count, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, count, width)
        x = x + self.out(mixed)
        return x + self.down(nn.functional.gelu(self.up(self.norms[1](x))))  # type: ignore[no-any-return]


class Vit(nn.Module):
    """A vision transformer as ViT-B/16: 86 million weights."""

    def __init__(self, width: int = 768, depth: int = 12) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.place = nn.Parameter(torch.zeros(1, 196, width))
        self.blocks = nn.Sequential(*(Block(width, 4 * width, 12) for _ in range(depth)))
        self.head = nn.Linear(width, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.place
        return self.head(self.blocks(tokens).mean(1))  # type: ignore[no-any-return]


class Residual(nn.Module):
    """x + inner(x)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)  # type: ignore[no-any-return]


def convmixer(width: int = 256, depth: int = 6) -> nn.Module:
    """ConvMixer 256/6 for images of 32 × 32."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 2, 2), nn.GELU(), nn.BatchNorm2d(width)]
    for _ in range(depth):
        mixed = nn.Sequential(
            nn.Conv2d(width, width, 5, groups=width, padding="same"), nn.GELU(), nn.BatchNorm2d(width)
        )
        layers += [Residual(mixed), nn.Conv2d(width, width, 1), nn.GELU(), nn.BatchNorm2d(width)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def cnn() -> nn.Module:
    """Five convolutions and three linear layers, as VGG for images of 64 × 64."""
    layers: list[nn.Module] = []
    for before, after in ((3, 64), (64, 128), (128, 256), (256, 512), (512, 512)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    dense = [nn.Linear(2048, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
    return nn.Sequential(*layers, nn.Flatten(), *dense)


# Name: the network, the shape of an input, what is counted, and the fraction kept (None: RP 1e-2, half of all).
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], str, float | None]] = {
    "vit": (Vit, (3, 224, 224), "images", None),
    "blocks": (lambda: nn.Sequential(Block(4096, 4096, 32), Block(4096, 4096, 32)), (1, 4096), "tokens", None),
    "convmixer": (convmixer, (3, 32, 32), "images", None),
    "cnn": (cnn, (3, 64, 64), "images", 0.1),
}


def packed_file(name: str, path: Path, length: int | None = None) -> None:
    """Write the network with masked weights of matrices and convolutions, everything else as it is.

    Args:
        length: of the prototype; by default RP 1e-2.
    """
    torch.manual_seed(0)
    make, _, _, keep = NETWORKS[name]
    state = make().state_dict()
    rng = np.random.default_rng(0)
    network = pemncodec.MaskedNetwork()
    masked = {key: value for key, value in state.items() if value.dim() > 1 and "place" not in key}
    if keep is None:
        length = length or max(sum(value.numel() for value in masked.values()) // 100, 1000)
        network.prototypes.append(pemncodec.GeneratedPrototype(pemncodec.Generator("normal", length, 1)))
    for key, value in state.items():
        words = value.contiguous().view(-1).numpy().view(np.uint32 if value.dtype == torch.float32 else np.uint64)
        if key not in masked:
            network.entries.append(pemncodec.Tensor(key, pemncodec_dtype(value.dtype), tuple(value.shape), words))
            continue
        flags = rng.random(value.numel()) < (keep or 0.5)
        network.masks.append(pemncodec.Mask.from_bool(flags))
        number = len(network.masks) - 1
        fan_in = value[0].numel()
        fill: Any = pemncodec.TileFill(0, scale=float(np.float32((2 / fan_in) ** 0.5)))
        if keep is not None:
            fill = pemncodec.KeptFill(pemncodec_dtype(value.dtype), words[flags])
        network.entries.append(pemncodec.Layer(key, tuple(value.shape), number, fill))
    pemncodec.save_file(network, path)


def variant(name: str, kind: str, path: Path) -> nn.Module | None:
    """Return the network with its weights held in a way; None where torch cannot."""
    with torch.device("meta"):
        model = NETWORKS[name][0]()
    if kind == "packed":
        pemncodec.load_model(model, path, layout="packed")
    else:
        pemncodec.load_model(model, path, assign=True)
    model = model.eval().requires_grad_(False)
    if kind == "bfloat16":
        model = model.to(torch.bfloat16)
    if kind == "int8":
        model = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    if kind == "csr":
        for module in model.modules():
            if isinstance(module, nn.Linear):
                module.weight = nn.Parameter(module.weight.detach().to_sparse_csr(), requires_grad=False)
    return model


def inputs(name: str, kind: str, batch: int) -> torch.Tensor:
    """Return inputs of a network."""
    x = torch.randn(batch, *NETWORKS[name][1], generator=torch.Generator().manual_seed(batch))
    return x.to(torch.bfloat16) if kind == "bfloat16" else x


def memory(name: str, kind: str, path: Path) -> int:
    """Return the private bytes that a process takes more for the loaded network than for an empty one.

    The median of three processes.
    """
    program = [sys.executable, __file__, "--memory-of", name, kind, str(path)]
    runs = [subprocess.run(program, check=True, capture_output=True, text=True) for _ in range(3)]
    return int(statistics.median(int(run.stdout.splitlines()[-1]) for run in runs))


def private() -> int:
    """Return the anonymous resident bytes of this process, once malloc has given back what was freed."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])


def print_memory(name: str, kind: str, path: Path) -> None:
    """Print what `memory` returns."""
    tiny = torch.nn.functional.linear(torch.randn(4, 64), torch.randn(64, 64))  # torch's own memory
    assert tiny.numel()
    torch.set_num_threads(1)
    small = Path(tempfile.mkdtemp()) / "small.pemn"  # what loading imports, and keeps for itself, is no weight
    pemncodec.save_file(
        {"0.weight": torch.eye(64), "0.bias": torch.zeros(64)}, small, masks={"0.weight": torch.eye(64)}
    )
    warm = nn.Sequential(nn.Linear(64, 64))
    pemncodec.load_model(warm, small, **({"layout": "packed"} if kind == "packed" else {"assign": True}))
    warm(torch.randn(4, 64))
    before = private()
    model = variant(name, kind, path)
    assert model is not None
    with torch.no_grad():
        model(inputs(name, kind, 1)[:, :1] if name == "blocks" else inputs(name, kind, 1))
    print(private() - before)


def loading(rounds: int, out: Path | None) -> None:
    """Measure loading 86 million weights, raw masks, from the page cache; alone, and with one forward pass."""
    from safetensors.torch import load_file, save_file

    with tempfile.TemporaryDirectory() as folder:
        packed, dense, other = (Path(folder) / f"vit.{kind}" for kind in ("pemn", "pt", "safetensors"))
        packed_file("vit", packed, 4001)  # as in load.py
        state = {name: tensor.clone() for name, tensor in pemncodec.load_file(packed).items()}
        torch.save(state, dense)
        save_file(state, other)
        x = inputs("vit", "float32", 1)
        with torch.device("meta"):
            models = [NETWORKS["vit"][0]().eval() for _ in range(3 * (rounds + 1))]

        def load_packed() -> nn.Module:
            made = models.pop()
            pemncodec.load_model(made, packed, layout="packed")
            return made

        def load_safetensors() -> nn.Module:
            made = models.pop()
            made.load_state_dict(load_file(other), assign=True)
            return made

        runs: dict[str, Callable[[], Any]] = {
            "torch.load": partial(torch.load, dense, weights_only=True),
            "packed": load_packed,
            "packed and forward": lambda: load_packed()(x),
            "safetensors and forward": lambda: load_safetensors()(x),
        }
        found = times(runs, rounds)
        row: dict[str, Any] = {"case": "load, 86 million weights", "threads": torch.get_num_threads()}
        row |= {f"{name}, ms": round(seconds * 1e3, 2) for name, seconds in found.items()}
        row["packed_of_torch_load"] = round(found["packed"] / found["torch.load"], 3)
        row["of_safetensors"] = round(found["packed and forward"] / found["safetensors and forward"], 3)
        emit(row, out)


def tasks(out: Path | None, count: int = 10) -> None:
    """Measure ten tasks over one backbone of 86 million weights: memory of each further one, and switching."""
    with tempfile.TemporaryDirectory() as folder:
        single, path = Path(folder) / "single.pemn", Path(folder) / "tasks.pemn"
        packed_file("vit", single)
        one = pemncodec.load_network(single)
        network = pemncodec.MaskedNetwork(prototypes=one.prototypes, tasks=[f"task {n}" for n in range(count)])
        network.entries = [entry for entry in one.entries if isinstance(entry, pemncodec.Tensor)]
        rng = np.random.default_rng(0)
        weights = 0
        for number in range(1, count + 1):
            for layer in one.layers:
                network.masks.append(pemncodec.Mask.from_bool(rng.random(layer.numel) < 0.5))
                mask = len(network.masks) - 1
                network.entries.append(pemncodec.Layer(layer.name, layer.shape, mask, layer.fill, number))
                weights += layer.numel if number == 1 else 0
        pemncodec.save_file(network, path)
        with torch.device("meta"):
            model = NETWORKS["vit"][0]()
        pemncodec.load_model(model, path, layout="packed", task="task 0")
        before, first, again = private(), [], []
        for number in range(1, count):
            start = time.perf_counter()
            pemncodec.switch_task(model, f"task {number}")
            first.append(time.perf_counter() - start)
        grown = private() - before
        for number in range(count):
            start = time.perf_counter()
            pemncodec.switch_task(model, f"task {number}")
            again.append(time.perf_counter() - start)
        row = {"case": f"{count} tasks, {weights} weights", "file": path.stat().st_size}
        row |= {"file_bits_per_weight_and_task": round(path.stat().st_size * 8 / weights / count, 3)}
        row |= {"private_memory_of_nine_more": grown, "first_switch_ms": round(statistics.median(first) * 1e3, 2)}
        emit(row | {"switch_ms": round(statistics.median(again[1:]) * 1e3, 2)}, out)


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw items a second against the batch, and private memory, a column a network."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys(row["network"] for row in rows))
    figure, axes = pyplot.subplots(2, len(names), figsize=(3.6 * len(names), 6), squeeze=False)
    for column, name in enumerate(names):
        mine = [row for row in rows if row["network"] == name]
        upper, lower = axes[0][column], axes[1][column]
        kinds = list(dict.fromkeys(row["variant"] for row in mine))
        for kind in kinds:
            points = [(row["batch"], row["per_second"]) for row in mine if row["variant"] == kind]
            width = 2.5 if kind == "packed" else 1.2
            upper.plot(*zip(*points, strict=True), marker="o", label=kind, color=COLOURS[kind], linewidth=width)
        upper.set(title=name, xscale="log", yscale="log", xlabel="batch", ylabel=f"{NETWORKS[name][2]} a second")
        upper.set_xticks(sorted({row["batch"] for row in mine}), [str(b) for b in sorted({r["batch"] for r in mine})])
        upper.minorticks_off()
        upper.grid(alpha=0.3)
        sizes = [next(row["memory"] for row in mine if row["variant"] == kind) / 1e6 for kind in kinds]
        bars = lower.barh(kinds, sizes, color=[COLOURS[kind] for kind in kinds])
        lower.bar_label(bars, [f"{size:,.3g}" for size in sizes], padding=2, fontsize=8)
        lower.set(xlabel="private memory of the weights, MB", xlim=(0, max(sizes) * 1.2))
        lower.invert_yaxis()
    axes[0][names.index("cnn") if "cnn" in names else 0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--batches", nargs="*", type=int, default=list(BATCHES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--linear", action="store_true")
    parser.add_argument("--small", nargs="*", metavar="ROWSxCOLUMNS", help=f"these sizes; by default {' '.join(SIZES)}")
    parser.add_argument("--stacks", action="store_true", help="small matrices one after the other")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"], help="of --small")
    parser.add_argument("--load", action="store_true")
    parser.add_argument("--tasks", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--plot-of", type=Path, help="draw the rows of this file, and measure nothing")
    parser.add_argument("--memory-of", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.memory_of:
        print_memory(arguments.memory_of[0], arguments.memory_of[1], Path(arguments.memory_of[2]))
        return
    if arguments.plot_of:
        kept = [json.loads(line) for line in arguments.plot_of.read_text().splitlines()]
        plot([row for row in kept if "network" in row], arguments.plot)
        return
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    if arguments.small is not None:
        for biased in (True, False):
            sizes = arguments.small or list(SIZES)
            small(arguments.rounds, arguments.out, sizes, biased, getattr(torch, arguments.dtype))
        return
    if arguments.linear or arguments.stacks or arguments.load or arguments.tasks:
        if arguments.linear:
            linear(arguments.rounds, arguments.out)
        if arguments.stacks:
            stacks(arguments.rounds, arguments.out)
        if arguments.load:
            loading(arguments.rounds, arguments.out)
        if arguments.tasks:
            tasks(arguments.out)
        return
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.networks:
            path = Path(folder) / f"{name}.pemn"
            packed_file(name, path)
            kinds = [kind for kind in VARIANTS if kind != "csr" or NETWORKS[name][3] is not None]
            sizes = {kind: memory(name, kind, path) for kind in kinds}
            models = {kind: variant(name, kind, path) for kind in kinds}
            for batch in arguments.batches:
                runs: dict[str, Callable[[], Any]] = {
                    kind: partial(model, inputs(name, kind, batch)) for kind, model in models.items() if model
                }
                for kind, seconds in times(runs, arguments.rounds).items():
                    row = {"network": name, "variant": kind, "batch": batch, "threads": arguments.threads}
                    row |= {"ms": round(seconds * 1e3, 2), "per_second": round(batch / seconds, 2)}
                    row |= {"memory": sizes[kind], "file": path.stat().st_size}
                    rows.append(row)
                    emit(row, arguments.out)
            models.clear()
            gc.collect()
    if arguments.plot is not None:
        plot(rows, arguments.plot)


if __name__ == "__main__":
    main()
