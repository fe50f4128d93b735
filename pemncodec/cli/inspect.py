"""`pemn inspect`: the manifest, without numpy or torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ..container import accounting
from ..container.container import Container
from ..container.generators import DISTRIBUTIONS, GeneratorRow, PytorchRow
from ..container.header import MAJOR
from ..container.manifest import (
    BASE_KEY,
    BLOCK_CODER_NAMES,
    MASK_CODER_NAMES,
    ZERO_NAMES,
    AliasRow,
    KeptRow,
    Manifest,
    TensorRow,
    TiledRow,
    numel,
)
from ..dtypes import float32_of
from ..opening import open_container
from ..quoting import NAME, shortened
from . import show

# Characters of a line of metadata or tasks, which may be JSON.
_LONGEST = 2_000


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def inspect(file: Path, as_json: bool) -> None:
    """Show what is in FILE, from its manifest alone: nothing is decoded."""
    container = open_container(file)
    try:
        sizes = accounting.sizes(container.manifest, container.header.file_size)
        described = describe(container, sizes)
    finally:
        container.close()
    if as_json:
        show.as_json(described)
        return
    show.lines(_lines(file, described, sizes))


def describe(container: Container, sizes: accounting.Sizes) -> dict[str, Any]:
    """The manifest as JSON values."""
    manifest = container.manifest
    return {
        "version": f"{MAJOR}.{container.header.minor}",
        "base": manifest.base,
        "sizes": sizes.as_dict(),
        "metadata": manifest.metadata,
        "tasks": list(manifest.tasks),
        "coders": {
            "masks": _counted(MASK_CODER_NAMES[row.coder] for row in manifest.masks),
            "blocks": _counted(BLOCK_CODER_NAMES[row.coder] for row in manifest.blocks),
        },
        "prototypes": [_prototype(manifest, index) for index in range(len(manifest.prototypes))],
        "tensors": [_entry(manifest, index) for index in range(len(manifest.entries))],
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    """How often each is there, the most frequent first."""
    return dict(Counter(names).most_common())


def _prototype(manifest: Manifest, index: int) -> dict[str, Any]:
    row = manifest.prototypes[index]
    common = {"dtype": manifest.prototype_dtype(index).name, "length": row.length}
    if isinstance(row, GeneratorRow):
        return common | {
            "kind": "generator",
            "distribution": DISTRIBUTIONS[row.distribution],
            "seed": row.seed,
            "stream": row.stream,
            "scale": float32_of(row.scale_bits),
            "patches": len(row.patches),
            "period": row.period,
            "zeros": row.zeros,
        }
    if isinstance(row, PytorchRow):
        return common | {
            "kind": "pytorch",
            "distribution": row.kind.distribution,
            "dialect": row.kind.dialect,
            "machine": row.kind.machine,
            "seed": row.seed,
            "offset": row.offset,
            "scale": float32_of(row.scale_bits),
            "low": float32_of(row.low_bits),
            "patches": len(row.patches),
        }
    coder = BLOCK_CODER_NAMES[manifest.blocks[row.block].coder]
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
        out["block_coder"] = BLOCK_CODER_NAMES[manifest.blocks[row.block].coder]
    if isinstance(row, TensorRow):
        return out | {"kind": "tensor"}
    mask = manifest.masks[row.mask]
    out |= {"kept": mask.ones, "mask_bits": mask.length, "mask_bytes": mask.size}
    out["mask_coder"] = MASK_CODER_NAMES[mask.coder]
    if isinstance(row, KeptRow):
        return out | {"kind": "kept"}
    assert isinstance(row, TiledRow)
    out |= {"kind": "tiled", "prototype": row.prototype, "phase": row.phase, "zero": ZERO_NAMES[row.zero]}
    if row.scale_bits is not None:
        out["scale"] = float32_of(row.scale_bits)
    if row.second is not None:
        out |= {"second": row.second, "second_phase": row.second_phase}
    return out


def _lines(file: Path, described: dict[str, Any], sizes: accounting.Sizes) -> list[str]:
    lines = [f"{file}: .pemn {described['version']}, {show.size(sizes.total)}, decodes to {show.size(sizes.decoded)}"]
    lines += show.parts(sizes.parts())
    if sizes.masked_weights:
        lines.append(f"{sizes.masked_weights:,} masked weights, {show.bits_per_weight(sizes)}")
    if described["base"] is not None:
        lines.append(f"delta: it is read beside its base only, whose SHA-256 is {described['base']}")
    for what, found in described["coders"].items():
        if found:
            lines.append(f"{what} by {', '.join(f'{coder} ({count:,})' for coder, count in found.items())}")
    shown = {BASE_KEY} if described["base"] is not None else set()
    lines += [_short(f"{key}: {value}") for key, value in described["metadata"].items() if key not in shown]
    if described["tasks"]:
        lines.append(_short(f"tasks: {', '.join(described['tasks'])}"))
    for index, prototype in enumerate(described["prototypes"]):
        lines.append(f"prototype {index}: {_prototype_text(prototype)}")
    rows = [_row(tensor) for tensor in described["tensors"]]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines += [
        "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip() for row in rows
    ]
    return lines


def _short(line: str) -> str:
    """A line whose values may be of any length; --json has all of them."""
    return shortened(line, _LONGEST)


def _prototype_text(prototype: dict[str, Any]) -> str:
    if prototype["kind"] == "pytorch":
        text = f"{prototype['length']:,} values, {prototype['distribution']}, of torch.manual_seed({prototype['seed']})"
        text += f" from draw {prototype['offset']:,} on, "
        low, scale = prototype["low"], prototype["scale"]
        text += f"{low:g} … {low + scale:g}" if prototype["distribution"] == "uniform" else f"scale {scale:g}"
        text += f", as on {prototype['machine']}" if prototype["machine"] else ""
        return text + (f", {prototype['patches']:,} patched" if prototype["patches"] else "")
    if prototype["kind"] == "generator":
        text = f"{prototype['length']:,} {prototype['distribution']} values from seed {prototype['seed']}"
        text += f", stream {prototype['stream']}, scale {prototype['scale']:.6g}"
        if prototype["period"] < prototype["length"]:
            text += f", {prototype['period']:,} of them repeated and permuted"
        if prototype["zeros"]:
            text += f", {prototype['zeros']:,} of the {prototype['period']:,} zero"
        return text + (f", {prototype['patches']} patched" if prototype["patches"] else "")
    stored = "" if prototype["stored"] == prototype["length"] else f", {prototype['stored']:,} of them stored"
    return f"{prototype['length']:,} values of {prototype['dtype']}{stored}"


def _row(tensor: dict[str, Any]) -> list[str]:
    kind = tensor["kind"]
    if kind == "alias":
        detail = f"tied to {shortened(tensor['of'], NAME)}"
    elif kind == "tensor":
        detail = "as it is"
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
