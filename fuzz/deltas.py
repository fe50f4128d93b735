"""Target `delta`: files upon a base: vectors with theirs, and deltas made from scratch; either is mutated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from random import Random

import decoder as second
from writer.coders import SIZES, Bits, D
from writer.delta import coded_block, coded_mask, flips_payload, xor_payload
from writer.writer import Block, File, Mask, kept, tensor

from . import SPEC, fields, files
from .decoders import MAX_BYTES, compare
from .draws import bundle, noise, unbundle
from .harness import Target

MOST = 1500  # bytes of a vector and its bases


@cache
def vectors() -> list[list[bytes]]:
    """Small deltas of the vectors, each before its base, the base of that, and so on."""
    folder = SPEC / "vectors" / "valid"
    found = []
    for path in sorted(folder.glob("*.json")):
        chain = [path]
        # a base may be an invalid file, of which nothing is described
        while chain[-1].exists() and "base" in (row := json.loads(chain[-1].read_text("utf-8"))):
            chain.append((folder / row["base"]).with_suffix(".json"))
        paths = [one.with_suffix(".pemn") for one in chain]
        if len(paths) > 1 and all(one.stat().st_size <= MOST for one in paths):
            found.append([one.read_bytes() for one in paths])
    return found


def sha256(data: bytes) -> str:
    """The digest of a base."""
    return hashlib.sha256(data).hexdigest()


def upon(base: bytes, rng: Random) -> bytes:
    """A delta of random changes: tensors and kept layers that refer to entries, masks that refer to masks."""
    manifest, table, payload = second.read_file(base)
    content = second.Content(manifest, table, payload, MAX_BYTES, None)
    file = File(header={"minor": second.MINOR}, metadata=[("pemn.base", sha256(base))])
    users: dict[D, list[tuple[int, bytes]]] = {}
    entries = [n for n, row in enumerate(manifest.entries) if row.kind != second.ALIAS]
    order: list[D] = []
    for number in range(rng.choice([1, 1, 2, 4])):
        if not entries:
            break
        at = rng.choice(entries)
        row = manifest.entries[at]
        kind, dims = D(row.dtype), list(row.shape)
        if kind not in users:
            order.append(kind)
        rows = users.setdefault(kind, [])
        reference = rng.choice([at + 1, at + 1, at + 1, 0])
        if kind in files.MASKABLE and rng.randrange(3) == 0:
            flags = files.bits_of(rng, row.count)
            index = _mask(file, content, flags, rng)
            rows.append((reference, files.elements(rng, kind, int(flags.sum()))))
            file.entries.append(kept(f"d{number}", dims, index, order.index(kind)))
        else:
            data = bytes(row.count * SIZES[kind]) if rng.randrange(3) else files.elements(rng, kind, row.count)
            rows.append((reference, data))
            file.entries.append(tensor(f"d{number}", dims, order.index(kind)))
    for kind in order:
        data = b"".join(part for _, part in users[kind])
        coder = rng.randrange(5 if not data else 6)
        references = [reference for reference, _ in users[kind]]
        coded = xor_payload(references, coder, coded_block(kind, data, coder, rng.randrange(6)))
        file.blocks.append(Block(kind, second.XOR, coded))
    return file.build()


def _mask(file: File, content: second.Content, flags: Bits, rng: Random) -> int:
    same = [n for n, row in enumerate(content.manifest.masks) if row.length == len(flags)]
    if same and rng.randrange(4):
        index = rng.choice(same)
        try:
            changed = flags ^ content.mask(index)
        except (second.DecodeError, TypeError):
            changed = flags
        coder = rng.choice([1, 2, 3, 4, 5, 6, 7])
        inner = coded_mask(changed, coder, *([128] if coder == 5 else [0, 128] if coder > 5 else []))
        file.masks.append(Mask(second.FLIPS, len(flags), int(flags.sum()), flips_payload(index, inner)))
    else:
        file.masks.append(files.mask_of(rng, flags))
    return len(file.masks) - 1


def make(rng: Random) -> bytes:
    """A delta and its bases."""
    if rng.randrange(2):
        chain = list(rng.choice(vectors()))
    else:
        base = files.network(rng).build()
        try:
            chain = [upon(base, rng), base]
        except second.DecodeError:  # a base whose own values break a rule
            chain = [base, base]
    return bundle(_mutated(chain, rng))


def _mutated(chain: Sequence[bytes], rng: Random) -> list[bytes]:
    files_ = list(chain)
    kind = rng.randrange(12)
    if kind == 0:
        return files_
    if kind < 8:
        files_[0] = _other(files_[0], rng)
    else:
        at = rng.randrange(1, len(files_))
        files_[at] = _other(files_[at], rng)
        if kind < 11:
            _name_bases(files_, chain)
    if rng.randrange(16) == 0:
        files_.pop()
    return files_


def _other(data: bytes, rng: Random) -> bytes:
    try:
        parts = fields.split(data)
    except Exception:
        return noise(data, rng)
    if parts.sections and rng.randrange(2):
        at = rng.randrange(len(parts.sections))
        parts.sections[at] = fields.section(parts.sections[at], rng)
        parts.fit(at)
        return parts.build()
    return fields.mutate(parts, rng)


def _name_bases(changed: list[bytes], before: Sequence[bytes]) -> None:
    """Let every delta of a chain name its base as that is now."""
    for at in range(len(changed) - 2, -1, -1):
        old, new = (sha256(one[at + 1]).encode() for one in (before, changed))
        try:
            parts = fields.split(changed[at])
        except Exception:
            continue
        for one in parts.fields:
            one.data = one.data.replace(old, new)
        changed[at] = parts.build()


def mutate(data: bytes, rng: Random) -> bytes:
    """Any chain, mutated."""
    chain = unbundle(data)
    return bundle(_mutated(chain, rng)) if len(chain) > 1 else make(rng)


def check(data: bytes) -> str:
    """The first file beside the others."""
    chain = unbundle(data) or [b""]
    return compare(chain[0], chain[1:])


TARGET = Target("delta", ".files", make, mutate, check, "deltas, their bases and chains")
