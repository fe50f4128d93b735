"""Entries -> tensors, on several threads: over tensors, and within large ones over pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from threading import Lock

import torch

from ..coding.decoder import Decoder
from ..common import kernels, torch_tensors
from ..common.progress import Progress, silent
from ..common.words import Words
from ..container.manifest.rows import PlainRow
from ..network import fill
from ..network.fill import Filler
from . import device as on_device
from .layouts.entries import decoded_bytes, load_entry
from .layouts.table import Layout
from .threads import Job, run

Parts = list[tuple[str, torch.Tensor]]

# A thread costs about what it takes to fill so many bytes.
_BYTES_A_THREAD = 1 << 21


def load_entries(
    decoder: Decoder,
    entries: Mapping[str, int],
    layout: Layout,
    device: str | torch.device,
    threads: int,
    progress: Progress = silent,
) -> dict[str, Parts]:
    """The tensors that entries become (one, or for `masked` layers two), by the name of the entry.

    Dense ones are made on the device where `on_device` can; others on the CPU, and moved.

    Args:
        decoder: of an opened file.
        entries: number in the manifest by name, none of them an alias.
        layout: one of `LAYOUTS`.
        device: where the tensors shall be.
        threads: how many work at a time, at most.
        progress: called with (bytes done, bytes in total, name).

    Raises:
        FormatError, OutputError, UnsupportedTensorError: as `load_entry`.
        OutputError: the device cannot be used.
        MemoryError: there is not so much.
    """
    target = on_device.usable(device)
    if layout == "dense" and on_device.expands(target):
        return on_device.load_entries_on_device(decoder, entries, target, progress)
    decoder.expect(entries.values())
    loading = _Loading(decoder, layout, target, sum(map(decoder.size, entries.values())), progress)
    work = sum(decoded_bytes(decoder, index, layout) for index in entries.values())
    kernels.say_if_missing(work)
    loading.report()
    if (
        layout != "dense" and work < _BYTES_A_THREAD
    ):  # a hundred small tensors: a queue of jobs costs as much as they do
        for name, index in entries.items():
            loading.whole(name, index)
            loading.report()
        return loading.loaded
    jobs = [loading.job(name, index) for name, index in entries.items()]
    run(jobs, min(threads, 1 + work // _BYTES_A_THREAD), loading.report)
    return {name: loading.loaded[name] for name in entries}


class _Loading:
    def __init__(self, decoder: Decoder, layout: Layout, device: torch.device, total: int, progress: Progress) -> None:
        self.decoder = decoder
        self.layout = layout
        self.device = device
        self.total = total
        self.progress = progress
        self.loaded: dict[str, Parts] = {}
        self.lock = Lock()
        self.done = 0
        self.last = ""

    def report(self) -> None:
        """Say how much is done."""
        self.progress(self.done, self.total, self.last)

    def job(self, name: str, index: int) -> Job:
        row = self.decoder.manifest.resolve(index)
        if self.layout != "dense" or isinstance(row, PlainRow) or self.device.type != "cpu":
            return lambda: self.whole(name, index)
        # Allocated here, by one thread: each thread has a heap of its own, and fresh memory is slow.
        self.decoder.check_entry(index)
        tensor, words = torch_tensors.empty(self.decoder.dtype(index), row.shape)
        self.loaded[name] = [(name, tensor)]
        return lambda: self._split(name, index, words)

    def _split(self, name: str, index: int, words: Words) -> Iterator[Job]:
        filler = self.decoder.filler(index)
        for start in range(0, len(words), fill.PIECE):
            yield partial(self._fill, name, filler, words[start : start + fill.PIECE], start)

    def _fill(self, name: str, filler: Filler, piece: Words, start: int) -> None:
        filler(piece, start)
        self._finished(name, piece.nbytes)

    def whole(self, name: str, index: int) -> None:
        """Make the tensors of an entry."""
        parts = load_entry(self.decoder, index, name, self.layout)
        elsewhere = self.device.type != "cpu"
        self.loaded[name] = [
            (key, on_device.moved(tensor, self.device, key) if elsewhere else tensor) for key, tensor in parts
        ]
        self._finished(name, self.decoder.size(index))

    def _finished(self, name: str, count: int) -> None:
        with self.lock:
            self.done += count
            self.last = name
