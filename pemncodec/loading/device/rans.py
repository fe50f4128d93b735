"""Interleaved rANS of many masks in lock-step (spec section 5.1).

A row makes one byte in every lane of every mask, by some twenty operations on all lanes. Masks end after different
numbers of rows; they are sorted by it, so that the lanes at work are a prefix that gets shorter. Nothing in the loop
waits for the device: whether words were missing or left over shows at the end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ...coding.rans import TOTAL, Model, Stream

_LOW = TOTAL - 1
# Looked-up positions that wait to become bytes, at four bytes each.
_WAITING = 1 << 22
# Bytes on the device that a lane, a word and a byte of the content take for a while; and each distinct model.
_LANE, _WORD, _BYTE = 150, 10, 3
MODEL_COST = 9 * TOTAL


def cost(coded: Stream) -> int:
    """Bytes on the device, about, that decoding takes for a while; those of the models apart."""
    return _LANE * len(coded.states) + _WORD * len(coded.words) + _BYTE * coded.count


def decode(streams: Sequence[Stream], device: torch.device) -> tuple[list[torch.Tensor], torch.Tensor]:
    """The bytes of all streams.

    Returns:
        The bytes of every stream, uint8, shape (count,); and whether each used its words and ended in the states that
        it has to, bool, shape (len(streams),): where not, its bytes mean nothing. Both on `device`.
    """
    rows = [-(-coded.count // len(coded.states)) for coded in streams]
    order = sorted(range(len(streams)), key=lambda index: -rows[index])
    lock_step = _LockStep([streams[index] for index in order], device)
    pieces: list[list[torch.Tensor]] = [[] for _ in streams]
    for start, stop, working in _stages([rows[index] for index in order], lock_step.first_lanes):
        block = lock_step.decode_rows(start, stop, working)
        for number, index in enumerate(order[:working]):
            lanes = slice(lock_step.first_lanes[number], lock_step.first_lanes[number + 1])
            pieces[index].append(block[: max(rows[index] - start, 0), lanes].reshape(-1))
    empty = torch.empty(0, dtype=torch.uint8, device=device)
    contents = [
        (own[0] if len(own) == 1 else torch.cat([empty, *own]))[: coded.count]
        for own, coded in zip(pieces, streams, strict=True)
    ]
    places = torch.tensor(np.argsort(order), dtype=torch.int64, device=device)
    return contents, lock_step.ended_well()[places]


def _stages(rows: list[int], first_lanes: list[int]) -> Iterator[tuple[int, int, int]]:
    """First row, end and number of streams, so that three quarters of their lanes are at work or more.

    Args:
        rows: of every stream, descending.
        first_lanes: where the lanes of every stream begin, and their number.
    """
    start, streams = 0, len(rows)
    while streams and rows[streams - 1] <= start:
        streams -= 1
    while streams:
        fewer = bisect_left(first_lanes, -(-3 * first_lanes[streams] // 4)) - 1
        stop = rows[fewer]
        yield start, stop, streams
        while streams and rows[streams - 1] <= stop:
            streams -= 1
        start = stop


class _LockStep:
    """States of all lanes, stream after stream, and how many words each stream has taken.

    Args:
        streams: one or more, by descending number of rows.
        device: where all of it is.
    """

    def __init__(self, streams: Sequence[Stream], device: torch.device) -> None:
        lanes = [len(coded.states) for coded in streams]
        words = [len(coded.words) for coded in streams]
        self.first_lanes = [0, *np.cumsum(lanes, dtype=np.int64).tolist()]
        self._whole_rows = [coded.count // len(coded.states) for coded in streams]

        def send(values: Sequence[int]) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.int64, device=device)

        # torch calculates with few unsigned types: the bits come as signed integers, and are widened
        states = np.concatenate([coded.states for coded in streams]).view(np.int32)
        self._states = torch.from_numpy(states).to(device).to(torch.int64) & 0xFFFFFFFF
        taken = np.concatenate([*(coded.words for coded in streams), np.zeros(1, dtype=np.uint16)]).view(np.int16)
        self._words = torch.from_numpy(taken).to(device).to(torch.int32) & 0xFFFF
        self._bounds = send(self.first_lanes)
        ends = np.cumsum(words, dtype=np.int64)
        self._ends = send(ends.tolist())
        self._next = send((ends - words).tolist())

        self._stream = torch.repeat_interleave(send(range(len(lanes))), send(lanes), output_size=sum(lanes))
        own = torch.arange(sum(lanes), device=device) - self._bounds[self._stream]
        rest = send([coded.count % len(coded.states) for coded in streams])
        self._rows = send(self._whole_rows)[self._stream] + (own < rest[self._stream])

        models = {id(coded.model): coded.model for coded in streams}
        numbers = {key: number for number, key in enumerate(models)}
        self._table = send([TOTAL * numbers[id(coded.model)] for coded in streams])[self._stream]
        self._symbols, self._steps = _tables(list(models.values()), device)

    def decode_rows(self, start: int, stop: int, streams: int) -> torch.Tensor:
        """Rows start … stop − 1 of the first `streams` streams, uint8, shape (rows, lanes); what is no byte is any."""
        width = self.first_lanes[streams]
        device = self._states.device
        block = torch.empty(stop - start, width, dtype=torch.uint8, device=device)
        step = max(1, _WAITING // width)
        for first in range(start, stop, step):
            last = min(first + step, stop)
            found = torch.empty(last - first, width, dtype=torch.int32, device=device)
            self._lookup_rows(found, first, streams)
            torch.index_select(self._symbols, 0, found.view(-1), out=block[first - start : last - start].view(-1))
        return block

    def _lookup_rows(self, found: torch.Tensor, start: int, streams: int) -> None:
        """Go through as many rows as `found` has, and leave there which entry of the tables every lane met."""
        width = self.first_lanes[streams]
        states, table, stream, rows = (every[:width] for every in (self._states, self._table, self._stream, self._rows))
        bounds, following = self._bounds[: streams + 1], self._next[:streams]
        all_at_work = min(self._whole_rows[:streams])
        before = torch.zeros(width + 1, dtype=torch.int64, device=states.device)  # short lanes before each lane
        counted, last = before[1:], len(self._words) - 1
        for row, met in enumerate(found, start):
            torch.add(states & _LOW, table, out=met)
            entry = self._steps.index_select(0, met)
            made = torch.addcmul(entry & _LOW, entry >> 16, states >> 16)
            if row >= all_at_work:
                made = torch.where(rows > row, made, states)  # never short: it is the state after a step
            short = made < TOTAL
            torch.cumsum(short, 0, out=counted)
            edges = before.index_select(0, bounds)
            base = following - edges[:-1]
            torch.add(base, edges[1:], out=following)
            # A damaged stream may want more words than there are.
            place = base.index_select(0, stream).add_(before[:-1]).clamp_(max=last)
            refilled = torch.add(self._words.index_select(0, place), made, alpha=TOTAL)
            torch.where(short, refilled, made, out=states)

    def ended_well(self) -> torch.Tensor:
        """Return whether every stream took all its words and none beyond, and all its states are 2^16; bool."""
        wrong = torch.zeros(len(self._states) + 1, dtype=torch.int64, device=self._states.device)
        torch.cumsum(self._states != TOTAL, 0, out=wrong[1:])
        edges = wrong.index_select(0, self._bounds)
        return (edges[1:] == edges[:-1]) & (self._next == self._ends)


def _tables(models: list[Model], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Tables of what follows from r = x mod 2^16, those of all models one after the other.

    Returns:
        v, uint8; and F(v) · 2^16 + r − C(v), int64.
    """
    frequencies, starts = (
        torch.from_numpy(np.concatenate(column)).to(device)
        for column in ([model.frequencies for model in models], [model.starts for model in models])
    )
    size = TOTAL * len(models)
    numbers = torch.arange(256 * len(models), device=device)
    which = torch.repeat_interleave(numbers, frequencies, output_size=size)
    offsets = (torch.arange(size, device=device) & _LOW) - starts[which]
    return (which & 255).to(torch.uint8), (frequencies[which] << 16) + offsets
