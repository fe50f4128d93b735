"""Bytes, exactness, seconds and memory of every peer on one network, interleaved in one process."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from experiments.rows import Row
from memory import reset_peak, status

import pemncodec

from . import synthetic
from .floor import Floor, floor
from .formats import Peer
from .network import Network, same

COMMAND = Path(__file__).parents[1] / "peers.py"
REFERENCE = "torch.save"  # whose loading the others' is compared with
LARGE = 100_000_000  # dense bytes from which there are fewer runs
PATIENCE = 10.0  # seconds; what takes longer to pack is packed once
MEMORY_FROM = 4_000_000  # dense bytes from which memory is measured: below, it is noise


@dataclass(frozen=True)
class Settings:
    """The number of timed runs, and the part of the machine that they use.

    Attributes:
        loads, packs: timed runs of each; the median counts. Beyond `LARGE` three and one; one pack beyond `PATIENCE`.
        threads: of torch, and of the peers that can use them.
        memory: whether to measure it, in fresh processes.
    """

    loads: int
    packs: int
    threads: int
    memory: bool = True

    def for_size(self, size: int) -> Settings:
        """Fewer runs for a large network."""
        if size < LARGE:
            return self
        return Settings(min(self.loads, 3), min(self.packs, 1), self.threads, self.memory)

    def fields(self) -> Row:
        """Return the settings that a row records."""
        return {"loads": self.loads, "packs": self.packs, "threads": self.threads}


def measure(network: Network, peers: list[Peer], settings: Settings, say: Callable[[str], None]) -> list[Row]:
    """One row a peer, the absent and skipped ones too."""
    settings = settings.for_size(network.dense_bytes)
    least = floor(network)
    about: Row = {
        "network": network.name,
        "weights": sum(layer.mask.numel() for layer in network.masked.values()),
        "dense_bytes": network.dense_bytes,
        **network.facts,
        **settings.fields(),
        **machine(),
    }
    obstacles = {peer.name: peer.obstacle(network) for peer in peers}
    running = [peer for peer in peers if obstacles[peer.name] is None]
    warm_up(running)
    with tempfile.TemporaryDirectory() as name:
        paths = {peer.name: Path(name) / f"{index}.bin" for index, peer in enumerate(peers)}
        packed = pack_times(network, running, paths, settings.packs, say)
        exact = {peer.name: same(peer.load(paths[peer.name]), network.tensors) for peer in running}
        loaded = load_times(running, paths, settings.loads, say)
        peaks: dict[str, int] = {}
        if settings.memory and network.dense_bytes >= MEMORY_FROM:
            for peer in running:
                say(f"memory of {peer.name}")
                peaks[peer.name] = peak_growth(peer.name, paths[peer.name], settings.threads)
        rows: list[Row] = []
        for peer in peers:
            row: Row = {**about, "peer": peer.name, **least.parts()}
            if peer.name in loaded:
                size = paths[peer.name].stat().st_size
                row |= sizes(size, least) | times(packed[peer.name], loaded[peer.name], loaded.get(REFERENCE))
                row |= {"exact": exact[peer.name], "packs": len(packed[peer.name])}
                if peer.name in peaks:
                    row["peak_bytes"] = peaks[peer.name]
            else:
                row["not_measured"] = obstacles[peer.name]
            if peer.name == "pemn":
                row |= parts(network)
            rows.append(row)
    return rows


def warm_up(peers: list[Peer]) -> None:
    """One tiny file each, so that no run pays for imports; later collections of garbage leave out what there is now."""
    network = synthetic.tiny("tiny")
    with tempfile.TemporaryDirectory() as name:
        for index, peer in enumerate(peers):
            path = Path(name) / f"{index}.bin"
            path.write_bytes(peer.pack(network))
            peer.load(path)
    gc.collect()
    gc.freeze()


def sizes(size: int, least: Floor) -> Row:
    """The size, and what it is of the floor and of the strict floor."""
    return {
        "bytes": size,
        "of_floor": round(8 * size / least.bits, 4),
        "of_strict_floor": round(8 * size / least.strict, 4),
    }


def times(packed: list[float], loaded: list[float], reference: list[float] | None) -> Row:
    """Medians, and the ratio to `torch.load`."""
    median = statistics.median(loaded)
    row: Row = {"pack_s": round(statistics.median(packed), 4), "load_s": round(median, 5)}
    if reference is not None:
        row["load_of_torch"] = round(median / statistics.median(reference), 2)
    return row


def parts(network: Network) -> Row:
    """Return the bytes of the `.pemn` file by part, and the findings of packing."""
    report = pemncodec.pack(network.checkpoint, keep=network.keep, ties="stable")[1]
    named = dict(report.sizes.parts())
    short = {"masks": "masks", "prototypes": "prototypes", "kept values": "kept", "other tensors": "tensors"}
    return {f"pemn_{short.get(name, 'rest')}": size for name, size in named.items()} | {"found": report.findings}


def pack_times(
    network: Network, peers: list[Peer], paths: dict[str, Path], runs: int, say: Callable[[str], None]
) -> dict[str, list[float]]:
    """Seconds of each run of each peer; the files are written."""
    seconds: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for run in range(runs):
        for peer in peers:
            if run and seconds[peer.name][0] > PATIENCE:
                continue
            say(f"pack {run + 1}/{runs}, {peer.name}")
            gc.collect()
            start = time.perf_counter()
            data = peer.pack(network)
            seconds[peer.name].append(time.perf_counter() - start)
            paths[peer.name].write_bytes(data)
            del data
    return seconds


def load_times(
    peers: list[Peer], paths: dict[str, Path], runs: int, say: Callable[[str], None]
) -> dict[str, list[float]]:
    """Seconds of each run of each peer but the first, which warms up."""
    seconds: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for run in range(runs + 1):
        say(f"load {run}/{runs}")
        for peer in peers:
            gc.collect()
            start = time.perf_counter()
            state = peer.load(paths[peer.name])
            seconds[peer.name].append(time.perf_counter() - start)
            del state
    return {name: every[1:] for name, every in seconds.items()}


def peak_growth(name: str, path: Path, threads: int) -> int:
    """Bytes by which the peak of a fresh process grows while it loads once."""
    command = [sys.executable, str(COMMAND), "--once", name, "--file", str(path), "--threads", str(threads)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def once(peer: Peer, path: Path) -> int:
    """Load a tiny file, so that every import is done, then this one: the growth of the peak resident size (Linux)."""
    warm_up([peer])
    before = reset_peak()
    state = peer.load(path)
    growth = status("VmHWM") - before
    del state
    return growth


def machine() -> Row:
    """Return what the seconds depend on, and the state of the package that made the file."""
    return {
        "codec": codec(),
        "version": pemncodec.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }


def codec() -> str:
    """The git tree of the package that is imported, with `+` if files differ from it."""
    package = Path(pemncodec.__file__).parent
    try:
        run = [
            subprocess.run(["git", *arguments], cwd=package, capture_output=True, text=True, check=True).stdout.strip()
            for arguments in (("rev-parse", "--short", "HEAD:./"), ("status", "--porcelain", "--", "."))
        ]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return run[0] + ("+" if run[1] else "")
