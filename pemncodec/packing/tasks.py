"""Several networks over one backbone: drafts of single networks as one draft with tasks, and a file as drafts again.

What all tasks have in common, bit for bit, is there once; `assemble` finds the values that their layers share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..checkpoints import metadata
from ..checkpoints.draft import Draft, DraftEntry, MaskedWeight, PlainTensor, SeededWeight, TiedTensor
from ..checkpoints.metadata import KEEP_OF_TASK, OF_TASK, RESERVED, SEPARATE
from ..checkpoints.options import PackOptions
from ..checkpoints.recognise import draft_of
from ..coding.bools import only_bools
from ..common.words import Words, word_type
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..container.opening import PathOrBytes
from ..errors import CheckpointError, ConversionError, NetworkError, UnknownLayoutError
from ..errors.quoting import quoted
from ..loading.load import load_network
from ..network import fill
from ..network.mask import Mask
from ..network.model import GeneratedPrototype, KeptFill, Layer, MaskedNetwork, StoredPrototype, Tensor

# Entries of all tasks together, those that they share counted in each.
_MOST_ENTRIES = 1 << 20


def draft_of_tasks(
    sources: Mapping[str, Any],
    options: PackOptions,
    add_to: PathOrBytes | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> tuple[Draft, dict[str, str], dict[str, Draft]]:
    """Recognise several checkpoints, and the tasks that a file has already.

    Args:
        sources: checkpoints by the name of their task.
        add_to: a file with tasks.
        max_bytes: refuse a file that decodes to more.

    Returns:
        one draft of all tasks; the metadata of the file; and the drafts of the checkpoints.

    Raises:
        CheckpointError, NetworkError: a checkpoint cannot be packed, or they do not go together.
        FormatError, FileAccessError: the file cannot be read.
    """
    drafts: dict[str, Draft] = {}
    metadata: dict[str, str] = {}
    if add_to is not None:
        network = load_network(add_to, max_bytes=max_bytes)
        drafts = drafts_of(network)
        metadata = {key: value for key, value in network.metadata.items() if not key.startswith(RESERVED)}
    for name, source in sources.items():
        if name in drafts:
            raise NetworkError(f"the file already has a task {name!r}: choose another name")
        try:
            drafts[name] = draft_of(source, options)
        except CheckpointError as reason:
            raise type(reason)(f"task {name!r}: {reason}") from None
    return merge(drafts), metadata, {name: drafts[name] for name in sources}


def merge(drafts: Mapping[str, Draft]) -> Draft:
    """One draft with a task for each of these.

    Args:
        drafts: by the name of the task, in order; without tasks of their own.

    Raises:
        UnknownLayoutError: there is none, one has tasks already, or they are of different layouts or mask rules.
        ConversionError: one has been converted.
    """
    if not drafts:
        raise UnknownLayoutError("there is no task: pass a checkpoint for each")
    first_name, first = next(iter(drafts.items()))
    for name, draft in drafts.items():
        if draft.tasks:
            raise UnknownLayoutError(
                f"the checkpoint of task {name!r} itself has tasks ({', '.join(draft.tasks[:4])}, …)"
            )
        if (draft.family, draft.mask_rule) != (first.family, first.mask_rule):
            raise UnknownLayoutError(
                f"task {name!r} is {draft.family} with rule {draft.mask_rule}, but task {first_name!r} is "
                f"{first.family} with {first.mask_rule}: tasks of one file have one family and rule"
            )
        if draft.conversions:
            raise ConversionError(
                f"task {name!r} is converted ({draft.conversions[0].done}): pack tasks without conversion"
            )
    merged = Draft(first.family, first.mask_rule, tasks=list(drafts))
    merged.entries = list(_entries(drafts))
    merged.original = _original(drafts)
    fractions = {name: draft.keep for name, draft in drafts.items()}
    if all(keep == first.keep for keep in fractions.values()):
        merged.keep = first.keep
    else:
        merged.original[KEEP_OF_TASK] = fractions
    merged.threshold = first.threshold
    merged.dropped = list(dict.fromkeys(what for draft in drafts.values() for what in draft.dropped))
    merged.reasons = [f"task {name!r}: {reason}" for name, draft in drafts.items() for reason in draft.reasons]
    merged.notes = [f"task {name!r}: {note}" for name, draft in drafts.items() for note in draft.notes]
    merged.negative_zeros = sum(draft.negative_zeros for draft in drafts.values())
    return merged


def _original(drafts: Mapping[str, Draft]) -> dict[str, Any]:
    details = {name: draft.original for name, draft in drafts.items()}
    first = next(iter(details.values()))
    same = {key: value for key, value in first.items() if all(one.get(key) == value for one in details.values())}
    other = {name: {k: v for k, v in one.items() if k not in same} for name, one in details.items()}
    return {SEPARATE: True, **same, **({OF_TASK: other} if any(other.values()) else {})}


def _entries(drafts: Mapping[str, Draft]) -> Iterator[DraftEntry]:
    by_task = [{entry.name: entry for entry in draft.entries} for draft in drafts.values()]
    common: set[str] = set()
    for name in order_of([list(entries) for entries in by_task]):
        of_task = [(number, entries[name]) for number, entries in enumerate(by_task, 1) if name in entries]
        entry = _common([entry for _, entry in of_task]) if len(of_task) == len(by_task) else None
        if isinstance(entry, TiedTensor) and entry.target not in common:
            entry = None
        if entry is not None:
            common.add(name)
            yield entry
        else:
            yield from (replace(entry, task=number) for number, entry in of_task)


def order_of(orders: list[list[str]]) -> list[str]:
    """All names of several lists; each after the one that it follows where it first appears."""
    merged = list(orders[0])
    seen = set(merged)
    for names in orders[1:]:
        if seen.issuperset(names):
            continue
        place = {name: index for index, name in enumerate(merged)}
        after: dict[int, list[str]] = {}
        last = -1
        for name in names:
            if name in seen:
                last = place[name]
            else:
                after.setdefault(last, []).append(name)
        merged = after.get(-1, []) + [n for i, name in enumerate(merged) for n in (name, *after.get(i, []))]
        seen.update(names)
    return merged


def _common(entries: list[DraftEntry]) -> DraftEntry | None:
    """One entry that stands for all of them; None if they differ in a bit."""
    best = entries[0]
    for entry in entries[1:]:
        if not _same(best, entry):
            return None
        if isinstance(entry, MaskedWeight) and entry.known is None:  # more is known of it
            best = entry
    return best


def _same(one: DraftEntry, two: DraftEntry) -> bool:
    if one is two:
        return True
    if isinstance(one, PlainTensor) and isinstance(two, PlainTensor):
        return (one.dtype, one.shape) == (two.dtype, two.shape) and _equal(one.values, two.values)
    if isinstance(one, MaskedWeight) and isinstance(two, MaskedWeight):
        alike = (one.dtype, one.shape) == (two.dtype, two.shape) and one.mask == two.mask
        return alike and (
            _equal(one.values, two.values)
            or (one.dtype.maskable and _equal(*(fill.kept(w.values, w.mask.packed) for w in (one, two))))
        )
    if isinstance(one, SeededWeight | TiedTensor):
        return one == two
    return False


def _equal(one: Words, two: Words) -> bool:
    return one is two or np.array_equal(one, two)


def drafts_of(network: MaskedNetwork) -> dict[str, Draft]:
    """The network of every task as a draft, so that tasks can be added.

    Raises:
        NetworkError: it has no tasks, or a layer that a draft cannot say.
        ConversionError: it has been converted.
        MetadataError: its `pemn.` metadata cannot be read.
    """
    if not network.tasks:
        raise NetworkError("the file holds one network and no tasks: pack it again with a name (--task NAME=FILE)")
    said = metadata.read(network.metadata, only_bools(network))
    if said.eps is not None or said.tensor_dtype is not None:
        raise ConversionError("the file has been converted for inference: tasks cannot be added to it")
    by_task: dict[int, list[int]] = {}
    for number, entry in enumerate(network.entries):
        by_task.setdefault(entry.task, []).append(number)
    common = by_task.get(0, [])
    if len(common) * len(network.tasks) > _MOST_ENTRIES:
        raise NetworkError(f"{len(network.tasks)} tasks over {len(common)} entries are too many to add one")
    entries = [_entry(network, number) for number in range(len(network.entries))]
    drafts = {}
    for number, name in enumerate(network.tasks, 1):
        own = said.for_task(name)
        numbers = sorted(common + by_task.get(number, []))
        draft = Draft(own.family, own.mask_rule, own.keep, own.threshold)
        draft.entries = [replace(e, task=0) if e.task else e for e in map(entries.__getitem__, numbers)]
        draft.original = dict(own.details)
        draft.dropped = list(own.dropped)
        drafts[name] = draft
    return drafts


def _entry(network: MaskedNetwork, number: int) -> DraftEntry:
    entry = network.entries[number]
    if isinstance(entry, Tensor):
        return PlainTensor(entry.name, entry.dtype, entry.shape, entry.values, entry.task)
    if not isinstance(entry, Layer):
        return TiedTensor(entry.name, entry.target, entry.task)
    mask = network.masks[entry.mask]
    if isinstance(entry.fill, KeptFill):
        values = np.empty(entry.numel, dtype=word_type(entry.fill.dtype))
        fill.scatter(values, mask.packed, entry.fill.values)
        return MaskedWeight(entry.name, entry.fill.dtype, entry.shape, values, mask, known=mask, task=entry.task)
    tile = entry.fill
    prototype = network.prototypes[tile.prototype]
    if tile.phase == 0 and tile.zero in ("zero", "negated") and isinstance(prototype, GeneratedPrototype):
        return SeededWeight(entry.name, entry.shape, prototype, mask, tile.zero, tile.scale, entry.task)
    if tile.phase or tile.zero != "zero" or not isinstance(prototype, StoredPrototype):
        raise NetworkError(
            f"layer {quoted(entry.name)} begins within its prototype, or chooses between two values: tasks cannot be "
            "added to this file"
        )
    whole = replace(entry, mask=0)
    everything = MaskedNetwork([whole], network.prototypes, [_ones(entry.numel)])
    known = prototype.presence
    if known is not None:
        known = Mask.from_bool(np.resize(known.to_bool(), entry.numel))
    return MaskedWeight(
        entry.name, prototype.dtype, entry.shape, everything.words_of(entry.name, entry.task), mask, known, entry.task
    )


def _ones(count: int) -> Mask:
    return Mask.from_bool(np.ones(count, dtype=np.bool_))
