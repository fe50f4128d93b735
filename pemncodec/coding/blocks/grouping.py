"""Groups of arrays that share a block: small ones of one kind, and kinds together where that is smaller (spec 4.4).

The four vectors of a BatchNorm have distributions of their own: each kind of a trained network in blocks of its own
costs 1.6 to 3 % less than all in one. Where kinds are short the frames weigh more, and they are put together again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...common.dtypes import DType
from ...common.words import Words
from ...container.cursor import Payload
from ...container.manifest.rows import BlockRow
from .coders import encode_block, encode_in_chunks, encode_xor
from .experience import Experience

User = tuple[str, int]

# Arrays below this are grouped; a group is at most this large, so that reading one tensor decodes little else.
GROUP_BYTES = 1 << 16
# What a block of its own costs in the manifest.
_ROW_BYTES = 4
# Groups of more members are not tried apart.
_MOST_APART = 64
# Kinds beyond these are one.
_MOST_KINDS = 8


@dataclass(frozen=True)
class Reference:
    """Elements of a base that an array may be told as a difference from (spec section 6.2).

    Attributes:
        number: what the file says, at least 1.
        add: xors them into an array of as many elements, and returns it; of one that is read-only a copy.
    """

    number: int
    add: Callable[[Words], Words]


@dataclass(frozen=True)
class Source:
    """An array that wants a place in a block.

    Attributes:
        user: role (`"prototype"`, `"tensor"` or `"kept"`) and index; sources come in the order of the spec.
        kind: what the values are, as the last part of a tensor's name says; arrays of one kind have one distribution.
        size: bytes.
        load: makes the words.
        reference: to a base, if there is one and it has something of the kind.
    """

    user: User
    dtype: DType
    task: int
    kind: str
    size: int
    load: Callable[[], Words]
    reference: Reference | None = None


@dataclass
class Block:
    """A coded block.

    Attributes:
        users: in order.
        saved: bytes that it is smaller by than without a base.
    """

    row: BlockRow
    payload: Payload
    users: list[User]
    saved: int = 0


@dataclass
class _Group:
    """Sources by their numbers, in order."""

    members: list[int]
    size: int


def encode_groups(sources: Sequence[Source], *, seekable: bool = False) -> Iterator[Block]:
    """All sources in blocks, in the order of the first user of each.

    Args:
        seekable: whether large blocks are in chunks.
    """
    groups: list[tuple[_Group, Block | None]] = []
    for members in _alike(sources).values():
        whole, partial = _by_kind(sources, members)
        groups += [(group, None) for group in whole]
        groups += _merged(sources, partial) if len(partial) > 1 else [(group, None) for group in partial]
    experiences: dict[tuple[str, str, int, str], Experience] = defaultdict(Experience)
    for group, block in sorted(groups, key=lambda pair: pair[0].members[0]):
        if block is not None:
            yield block
        else:
            first = sources[group.members[0]]
            experience = experiences[first.user[0], first.dtype.name, first.task, first.kind]
            yield from _encode(sources, group, experience, seekable)


def _alike(sources: Sequence[Source]) -> dict[tuple[str, str, int], list[int]]:
    """Numbers of the sources of one role, dtype and task."""
    found: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for number, source in enumerate(sources):
        found[source.user[0], source.dtype.name, source.task].append(number)
    return found


def _by_kind(sources: Sequence[Source], members: list[int]) -> tuple[list[_Group], list[_Group]]:
    """Groups of one kind: those that are finished, and the last one of each kind."""
    whole: list[_Group] = []
    still_open: dict[str, _Group] = {}
    kinds = list(dict.fromkeys(sources[number].kind for number in members))[:_MOST_KINDS]
    for number in members:
        source = sources[number]
        kind = source.kind if source.kind in kinds else kinds[-1]
        if source.size >= GROUP_BYTES:
            whole.append(_Group([number], source.size))
            continue
        group = still_open.get(kind)
        if group is not None and group.size + source.size > GROUP_BYTES:
            whole.append(group)
            group = None
        if group is None:
            group = still_open[kind] = _Group([], 0)
        group.members.append(number)
        group.size += source.size
    return whole, list(still_open.values())


def _merged(sources: Sequence[Source], groups: list[_Group]) -> list[tuple[_Group, Block | None]]:
    """Pairs of groups are put together as long as that makes them smaller; or all of them."""
    blocks: dict[tuple[int, ...], Block] = {}

    def block_of(group: _Group) -> Block:
        key = tuple(group.members)
        if key not in blocks:
            blocks[key] = _encode_together(sources, group)
        return blocks[key]

    def cost(group: _Group) -> int:
        return block_of(group).row.size + _ROW_BYTES

    best = list(groups)
    while True:
        pairs = [pair for pair in combinations(best, 2) if _together(pair).size <= GROUP_BYTES]
        gains = [sum(map(cost, pair)) - cost(_together(pair)) for pair in pairs]
        if max(gains, default=0) <= 0:
            break
        pair = pairs[gains.index(max(gains))]
        best = [group for group in best if group not in pair] + [_together(pair)]
    everything = _together(groups)
    if everything.size <= GROUP_BYTES and cost(everything) < sum(map(cost, best)):
        best = [everything]
    return [(group, block_of(group)) for group in best]


def _together(groups: Sequence[_Group]) -> _Group:
    return _Group(sorted(number for group in groups for number in group.members), sum(group.size for group in groups))


def _encode_together(
    sources: Sequence[Source], group: _Group, experience: Experience | None = None, seekable: bool = False
) -> Block:
    members = [sources[number] for number in group.members]
    words = members[0].load() if len(members) == 1 else np.concatenate([member.load() for member in members])
    experience = experience if len(members) > 1 else None  # of large arrays each is a kind of its own
    encode = encode_in_chunks if seekable else encode_block
    block = Block(*encode(words, members[0].dtype, experience), [member.user for member in members])
    references, differences = _differences(members, words)
    if not any(references):
        return block
    row, payload = encode_xor(differences, members[0].dtype, references)
    if row.size < block.row.size:
        return Block(row, payload, block.users, block.row.size - row.size)
    return block


def _differences(members: Sequence[Source], words: Words) -> tuple[list[int], Words]:
    """The references that are worth it, and what is different then; elements without a reference are as they were."""
    references = [0 if member.reference is None else member.reference.number for member in members]
    differences, start = words.copy() if any(references) else words, 0
    for number, member in enumerate(members):
        stop = start + member.size // words.itemsize
        if member.reference is not None:
            part, own = differences[start:stop], words[start:stop]
            member.reference.add(part)
            # Floats that have nothing in common lose up to a twentieth of their bytes so, and 3 % in size.
            if 10 * _bytes_not_zero(part) >= 9 * _bytes_not_zero(own):
                part[:] = own
                references[number] = 0
        start = stop
    return references, differences


def _bytes_not_zero(words: Words) -> int:
    return int(np.count_nonzero(np.ascontiguousarray(words).view(np.uint8)))


def _encode(sources: Sequence[Source], group: _Group, experience: Experience, seekable: bool) -> Iterator[Block]:
    """One block; or one for each member, where that is smaller."""
    together = _encode_together(sources, group, experience, seekable)
    # Two signed constants apart cost a bit a value, together two. Of tensors there may be ten thousands.
    if 1 < len(group.members) <= _MOST_APART and together.users[0][0] != "tensor":
        apart = [_encode_together(sources, _Group([number], 0)) for number in group.members]
        if sum(block.row.size + _ROW_BYTES for block in apart) < together.row.size + _ROW_BYTES:
            yield from apart
            return
    yield together
