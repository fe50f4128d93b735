"""`pemn inspect`: the manifest, without numpy or torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click

from ..common.dtypes import float32_of
from ..container import accounting
from ..container.header import MAJOR
from ..container.manifest.coder_table import BLOCK_CODERS, MASK_CODERS
from ..container.manifest.generated import GeneratedRow
from ..container.manifest.rows import (
    BASE_KEY,
    AliasRow,
    BoolRow,
    KeptRow,
    Manifest,
    TensorRow,
    TiledRow,
    numel,
)
from ..container.manifest.zero_table import ZERO_RULES
from ..container.opening import open_container
from ..container.reader import Container
from ..errors.quoting import NAME, shortened
from . import endpoints, show

T = TypeVar("T")
# Characters of a line of metadata or tasks, which may be JSON; and of a column.
_LONGEST, _WIDEST = 2_000, 100


@click.command()
@click.argument("file", type=endpoints.FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def inspect(file: Path | str, as_json: bool) -> None:
    """Show what is in FILE, from its manifest alone: nothing is decoded."""
    container = open_container(endpoints.opened(file))
    try:
        sizes = accounting.sizes(container.manifest, container.header.file_size)
        described = describe(container, sizes)
    finally:
        container.close()
    # A file may have 2^18 tensors: they are described a few at a time.
    if as_json:
        with show.standard_output():
            _print_json(described, container.manifest)
        return
    show.lines(_lines(endpoints.called(file), described, sizes))
    for lines in _in_parts(_rows(container.manifest)):
        show.lines(lines)


def _print_json(described: dict[str, Any], manifest: Manifest) -> None:
    """One object: what is described, and the prototypes and tensors."""
    click.echo(show.json_text(described)[:-1], nl=False)
    for key, rows in (("prototypes", _prototypes(manifest)), ("tensors", _entries(manifest))):
        click.echo(f", {show.json_text(key)}: [", nl=False)
        for number, part in enumerate(_in_parts(rows)):
            click.echo((", " if number else "") + show.json_text(part)[1:-1], nl=False)
        click.echo("]", nl=False)
    click.echo("}")


def _in_parts(rows: Iterable[T]) -> Iterator[list[T]]:
    """A thousand at a time."""
    left = iter(rows)
    while part := list(islice(left, 1000)):
        yield part


def _prototypes(manifest: Manifest) -> Iterator[dict[str, Any]]:
    return (_prototype(manifest, index) for index in range(len(manifest.prototypes)))


def _entries(manifest: Manifest) -> Iterator[dict[str, Any]]:
    return (_entry(manifest, index) for index in range(len(manifest.entries)))


def describe(container: Container, sizes: accounting.Sizes) -> dict[str, Any]:
    """The manifest as JSON values, without its prototypes and tensors."""
    manifest = container.manifest
    return {
        "version": f"{MAJOR}.{container.header.minor}",
        "base": manifest.base,
        "sizes": sizes.as_dict(),
        "metadata": manifest.metadata,
        "tasks": list(manifest.tasks),
        "coders": {
            "masks": _counted(MASK_CODERS[row.coder].name for row in manifest.masks),
            "blocks": _counted(BLOCK_CODERS[row.coder].name for row in manifest.blocks),
        },
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    """Return how often each is there, the most frequent first."""
    return dict(Counter(names).most_common())


def _prototype(manifest: Manifest, index: int) -> dict[str, Any]:
    row = manifest.prototypes[index]
    common = {"dtype": manifest.prototype_dtype(index).name, "length": row.length}
    if isinstance(row, GeneratedRow):
        return common | row.described()
    coder = BLOCK_CODERS[manifest.blocks[row.block].coder].name
    return common | {"kind": "values", "stored": manifest.stored_values(row), "block_coder": coder}


def _entry(manifest: Manifest, index: int) -> dict[str, Any]:
    row = manifest.entries[index]
    out: dict[str, Any] = {
        "name": row.name,
        "dtype": manifest.entry_dtype(index).name,
        "shape": list(manifest.resolve(index).shape),
    }
    if row.task:
        out["task"] = manifest.tasks[row.task - 1]
    if isinstance(row, AliasRow):
        return out | {"kind": "alias", "of": manifest.entries[row.target].name}
    if isinstance(row, TensorRow | KeptRow):
        out["block_coder"] = BLOCK_CODERS[manifest.blocks[row.block].coder].name
    if isinstance(row, TensorRow):
        return out | {"kind": "tensor"}
    mask = manifest.masks[row.mask]
    out |= {"kept": mask.ones, "mask_bits": mask.length, "mask_bytes": mask.size}
    out["mask_coder"] = MASK_CODERS[mask.coder].name
    if isinstance(row, BoolRow):
        return out | {"kind": "bool"}
    if isinstance(row, KeptRow):
        return out | {"kind": "kept"}
    assert isinstance(row, TiledRow)
    out |= {"kind": "tiled", "prototype": row.prototype, "phase": row.phase, "zero": ZERO_RULES[row.zero].name}
    if row.scale_bits is not None:
        out["scale"] = float32_of(row.scale_bits)
    if row.second is not None:
        out |= {"second": row.second, "second_phase": row.second_phase}
    return out


def _lines(file: str, described: dict[str, Any], sizes: accounting.Sizes) -> list[str]:
    lines = [f"{file}: .pemn {described['version']}, {show.size(sizes.total)}, decodes to {show.size(sizes.decoded)}"]
    lines += show.parts(sizes.parts())
    if sizes.masked_weights:
        lines.append(f"{sizes.masked_weights:,} masked weights, {show.bits_per_weight(sizes)}")
    if described["base"] is not None:
        lines.append(f"delta: reading it needs its base, SHA-256 {described['base']}")
    for what, found in described["coders"].items():
        if found:
            lines.append(f"{what} by {', '.join(f'{coder} ({count:,})' for coder, count in found.items())}")
    shown = {BASE_KEY} if described["base"] is not None else set()
    lines += [_short(f"{key}: {value}") for key, value in described["metadata"].items() if key not in shown]
    if described["tasks"]:
        lines.append(_short(f"tasks: {', '.join(described['tasks'])}"))
    return lines


def _short(line: str) -> str:
    """A line whose values may be of any length; --json has all of them."""
    return shortened(line, _LONGEST)


def _rows(manifest: Manifest) -> Iterator[str]:
    """Prototypes, and a table of tensors."""
    for index in range(len(manifest.prototypes)):
        yield f"prototype {index}: {manifest.prototype_text(index)}"
    widths = [0, 0, 0, 0]
    for tensor in _entries(manifest):
        row = _row(tensor)
        # A long name does not make every line as long.
        widths = [max(width, min(len(cell), _WIDEST)) for width, cell in zip(widths[:3], row[:3], strict=True)] + [0]
    for tensor in _entries(manifest):
        yield "  ".join(cell.ljust(width) for cell, width in zip(_row(tensor), widths, strict=True)).rstrip()


def _row(tensor: dict[str, Any]) -> list[str]:
    kind = tensor["kind"]
    if kind == "alias":
        detail = f"tied to {shortened(tensor['of'], NAME)}"
    elif kind == "tensor":
        detail = "not masked"
    elif kind == "bool":
        count = max(numel(tuple(tensor["shape"])), 1)
        detail = f"{100 * tensor['kept'] / count:.2f} % true, stored as a mask of {show.size(tensor['mask_bytes'])}"
    else:
        count = max(numel(tuple(tensor["shape"])), 1)
        filled = "kept values" if kind == "kept" else f"prototype {tensor['prototype']}"
        detail = f"{100 * tensor['kept'] / count:.2f} % kept, mask {show.size(tensor['mask_bytes'])}, {filled}"
        if tensor.get("phase"):
            detail += f" from {tensor['phase']} on"
        if tensor.get("zero", "zero") != "zero":
            detail += f", zero bit: {tensor['zero']}" + (
                f" (prototype {tensor['second']})" if "second" in tensor else ""
            )
        if "scale" in tensor:
            detail += f", scale {tensor['scale']:.6g}"
    if "task" in tensor:
        detail += f", task {shortened(tensor['task'], NAME)}"
    return [
        shortened(tensor["name"], 2 * NAME),
        tensor["dtype"],
        "×".join(map(str, tensor["shape"])) or "scalar",
        detail,
    ]
