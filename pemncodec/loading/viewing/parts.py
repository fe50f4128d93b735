"""The sections of a file with their bytes: they sum to its size. From the manifest alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nlargest

from ...container import accounting
from ...container.header import SIZE
from ...container.manifest.coder_table import BLOCK_CODERS, MASK_CODERS
from ...container.manifest.rows import BoolRow, Manifest, MaskedRow, ValuesRow
from ...container.reader import Container

# Kinds of parts in the order of a page, and their colours: they differ for colour-blind people, too (Okabe and Ito).
COLOURS = {
    "masks": "#0072b2",
    "prototypes": "#e69f00",
    "kept values": "#009e73",
    "other tensors": "#cc79a7",
    "manifest": "#7f7f7f",
}


@dataclass(frozen=True)
class Part:
    """Bytes of a file that belong together.

    Attributes:
        kind: a key of `COLOURS`.
        label: what they are: the name of a tensor, as it is in the file, or a phrase.
        size: bytes.
        coder: how they are coded; empty if they are not.
    """

    kind: str
    label: str
    size: int
    coder: str = ""


def sections(container: Container) -> list[Part]:
    """Every section, with the header, the manifest and the checksums of pages."""
    manifest, header = container.manifest, container.header
    parts = [
        Part("manifest", "header", SIZE),
        Part("manifest", "manifest", header.manifest_size),
        Part("manifest", "checksums of pages", 4 * header.pages),
    ]
    names, bools, front = _names_of_masks(manifest), accounting.bool_masks(manifest), len(parts)
    for row, name in zip(manifest.masks, names, strict=True):
        kind = "other tensors" if len(parts) - front in bools else "masks"
        parts.append(Part(kind, name, row.size, MASK_CODERS[row.coder].name))
    kinds = {"prototypes": "prototypes", "kept": "kept values", "tensors": "other tensors"}
    uses = accounting.uses(manifest)
    for block, use, name in zip(manifest.blocks, uses, _names_of_blocks(manifest), strict=True):
        parts.append(Part(kinds[use], name, block.size, BLOCK_CODERS[block.coder].name))
    return [part for part in parts if part.size]


def by_kind(parts: list[Part]) -> dict[str, int]:
    """Bytes of each kind, also of those that have none."""
    found = dict.fromkeys(COLOURS, 0)
    for part in parts:
        found[part.kind] += part.size
    return found


def largest(parts: list[Part], most: int) -> list[Part]:
    """The largest parts, grouped by kind, and one more part a kind for all that are smaller. The sum is the same."""
    chosen = set(nlargest(most, range(len(parts)), key=lambda index: parts[index].size))
    shown: list[Part] = []
    for kind in COLOURS:
        own = [index for index, part in enumerate(parts) if part.kind == kind]
        shown += sorted((parts[index] for index in own if index in chosen), key=lambda part: -part.size)
        left = [parts[index].size for index in own if index not in chosen]
        if left:
            shown.append(Part(kind, f"{len(left):,} smaller ones", sum(left)))
    return shown


def _names_of_masks(manifest: Manifest) -> list[str]:
    """The first layer under each mask, or the prototype whose values it marks."""
    names: list[str | None] = [None] * len(manifest.masks)
    for index, row in enumerate(manifest.prototypes):
        if isinstance(row, ValuesRow) and row.presence is not None:
            names[row.presence] = names[row.presence] or f"stored values of prototype {index}"
    for entry in manifest.entries:
        if isinstance(entry, MaskedRow | BoolRow):
            names[entry.mask] = names[entry.mask] or entry.name
    return [f"mask {index}" if name is None else name for index, name in enumerate(names)]


def _names_of_blocks(manifest: Manifest) -> Iterator[str]:
    begins, users = manifest.users_of_blocks()
    for block in range(len(manifest.blocks)):
        own = users[begins[block] : begins[block + 1]]
        if not own:
            yield f"block {block}"
            continue
        row = manifest.user(own[0])
        name = f"prototype {own[0]}" if isinstance(row, ValuesRow) else row.name
        yield name if len(own) == 1 else f"{name} and {len(own) - 1:,} more"
