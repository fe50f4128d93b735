"""Networks of one task each, cut out of files, as one network of tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...errors import NetworkError
from ...errors.quoting import quoted
from ...network.mask import Mask
from ...network.model import Alias, Entry, KeptFill, Layer, MaskedNetwork, Prototype, StoredPrototype, Tensor, TileFill
from ..tasks import order_of
from .pool import Part, Pool, stored

# Entries of all tasks together, those that they share counted in each.
_MOST_ENTRIES = 1 << 20


@dataclass(frozen=True)
class Task:
    """One task of a file.

    Attributes:
        network: all of the file.
        number: the number of the task in it; 0 where it has none.
    """

    network: MaskedNetwork
    number: int = 0


@dataclass(frozen=True, eq=False)
class _Filled:
    """An entry of a task, with the mask and the prototypes of its layer."""

    entry: Entry
    mask: Mask | None = None
    first: Part | None = None
    second: Part | None = None


def join(tasks: Mapping[str, Task], metadata: dict[str, str]) -> MaskedNetwork:
    """Return one network of these tasks. What all have, bit for bit, is there once; so are prototypes.

    Args:
        tasks: by name, in order.
        metadata: of the result.

    Raises:
        NetworkError: two tasks have no tensor of one name and shape in common, or there are too many entries.
    """
    pool, prototypes = Pool(), {}
    by_task: list[dict[str, _Filled]] = []
    count = 0
    for task in tasks.values():
        network = task.network
        if id(network) not in prototypes:
            prototypes[id(network)] = pool.tiled(network)
        entries = [entry for entry in network.entries if entry.task in (0, task.number)]
        count += len(entries)
        if count > _MOST_ENTRIES:
            raise NetworkError(f"{len(tasks)} tasks have more than {_MOST_ENTRIES} entries in all: merge fewer files")
        by_task.append({entry.name: _filled(network, entry, pool, prototypes[id(network)]) for entry in entries})
    _check_alike(dict(zip(tasks, by_task, strict=True)))
    found = list(_entries(by_task))
    return _network(found, MaskedNetwork(metadata=metadata, tasks=list(tasks)))


def _filled(network: MaskedNetwork, entry: Entry, pool: Pool, prototypes: Mapping[int, Part]) -> _Filled:
    if not isinstance(entry, Layer):
        return _Filled(entry)
    mask = network.masks[entry.mask]
    if isinstance(entry.fill, KeptFill):
        return _Filled(entry, mask, pool.kept(entry, mask) if mask.count else None)
    second = None if entry.fill.second is None else prototypes[entry.fill.second]
    return _Filled(entry, mask, prototypes[entry.fill.prototype], second)


def _check_alike(by_task: Mapping[str, Mapping[str, _Filled]]) -> None:
    """Refuse networks that have nothing in common: one of them was named by accident."""
    (first, entries), *others = by_task.items()
    shapes = {(name, _shape(one.entry)) for name, one in entries.items()}
    for name, others_entries in others:
        if (
            shapes
            and others_entries
            and not any((key, _shape(one.entry)) in shapes for key, one in others_entries.items())
        ):
            raise NetworkError(
                f"tasks {quoted(first)} and {quoted(name)} have no tensor of one name and shape in common: tasks "
                "of one file share an architecture"
            )


def _shape(entry: Entry) -> tuple[int, ...] | None:
    return None if isinstance(entry, Alias) else entry.shape


def _entries(by_task: list[dict[str, _Filled]]) -> Iterator[_Filled]:
    common: set[str] = set()
    for name in order_of([list(entries) for entries in by_task]):
        of_task = [(number, entries[name]) for number, entries in enumerate(by_task, 1) if name in entries]
        one = of_task[0][1]
        alike = len(of_task) == len(by_task) and all(_same(one, other) for _, other in of_task[1:])
        if alike and not (isinstance(one.entry, Alias) and one.entry.target not in common):
            common.add(name)
            yield replace(one, entry=replace(one.entry, task=0))
        else:
            yield from (replace(two, entry=replace(two.entry, task=number)) for number, two in of_task)


def _same(one: _Filled, two: _Filled) -> bool:
    """Return whether two entries of a name are the same in every bit."""
    if one is two or one.entry is two.entry:
        return True
    a, b = one.entry, two.entry
    if isinstance(a, Alias) and isinstance(b, Alias):
        return a.target == b.target
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return (a.dtype, a.shape) == (b.dtype, b.shape) and np.array_equal(a.values, b.values)
    if not isinstance(a, Layer) or not isinstance(b, Layer) or (a.shape, one.mask) != (b.shape, two.mask):
        return False
    if isinstance(a.fill, KeptFill) or isinstance(b.fill, KeptFill):
        both = isinstance(a.fill, KeptFill) and isinstance(b.fill, KeptFill) and a.fill.dtype == b.fill.dtype
        return both and one.first is two.first
    alike = replace(a.fill, prototype=0, second=None) == replace(b.fill, prototype=0, second=None)
    return alike and one.first is two.first and one.second is two.second


def _network(found: list[_Filled], network: MaskedNetwork) -> MaskedNetwork:
    """Put entries into an empty network, with what fills their layers."""
    users: dict[int, list[_Filled]] = {}
    whole: set[int] = set()  # prototypes whose zero bits, or phases, are more than `decide` knows of
    for one in found:
        for part in (one.first, one.second):
            if part is not None:
                users.setdefault(id(part), []).append(one)
        tiled = one.entry.fill if isinstance(one.entry, Layer) else None
        if isinstance(tiled, TileFill) and (tiled.phase or tiled.zero != "zero"):
            whole |= {id(part) for part in (one.first, one.second) if part is not None}
    numbers: dict[int, int | None] = {}
    for one in found:
        for part in (one.first, one.second):
            if part is not None and id(part) not in numbers:
                made = _prototype(part, users[id(part)], id(part) in whole)
                numbers[id(part)] = None if made is None else len(network.prototypes)
                network.prototypes += [] if made is None else [made]
        network.entries.append(_entry(one, network, numbers))
    return network


def _prototype(part: Part, users: list[_Filled], whole: bool) -> Prototype | None:
    if part.generated is not None:
        return part.generated
    layers = [one.entry for one in users if isinstance(one.entry, Layer)]
    if whole:
        assert part.values is not None
        return StoredPrototype(part.dtype, part.values, None if part.known is None else Mask.from_bool(part.known))
    return stored(part, layers, [one.mask for one in users if one.mask is not None])


def _entry(one: _Filled, network: MaskedNetwork, numbers: Mapping[int, int | None]) -> Entry:
    entry = one.entry
    if not isinstance(entry, Layer):
        return entry
    assert one.mask is not None
    network.masks.append(one.mask)
    mask = len(network.masks) - 1
    first = None if one.first is None else numbers[id(one.first)]
    if isinstance(entry.fill, KeptFill):
        return replace(entry, mask=mask, fill=entry.fill if first is None else TileFill(first))
    assert first is not None
    second = None if one.second is None else numbers[id(one.second)]
    return replace(entry, mask=mask, fill=replace(entry.fill, prototype=first, second=second))
