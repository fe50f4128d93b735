"""`pemn diff`: two files compared, as they are stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors.quoting import NAME, shortened
from . import endpoints, file_options, show

if TYPE_CHECKING:
    from ..loading.differences import Difference, TensorDifference


@click.command()
@click.argument("first", type=endpoints.FILE)
@click.argument("second", type=endpoints.FILE)
@click.option("--task", help="Task to compare, of files with several (default: all that both have).")
@click.option("--tensors-only", is_flag=True, help="Ignore metadata, and which prototypes fill the layers.")
@click.option("--all", "everything", is_flag=True, help="Also list tensors that are the same.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@file_options.base
@file_options.max_bytes
@file_options.quiet
def diff(
    first: Path | str,
    second: Path | str,
    task: str | None,
    tensors_only: bool,
    everything: bool,
    as_json: bool,
    base: tuple[Path, ...],
    max_bytes: int,
    quiet: bool,
) -> None:
    """Compare the masks, values, prototypes and metadata of FIRST and SECOND, two .pemn files.

    The exit status is 0 if they are the same, 1 if they differ, and 2 on an error.
    """
    from ..loading.diff import diff as compare

    with show.progress_bar("comparing", quiet or as_json) as progress:
        found = compare(first, second, task=task, base=base, max_bytes=max_bytes, progress=progress)
    if as_json:
        with show.standard_output():
            click.echo(show.json_text(found.as_dict()))
    elif not quiet:
        show.lines(list(_lines(found, first, second, tensors_only, everything)))
    same = found.same_tensors if tensors_only else found.same
    click.get_current_context().exit(0 if same else 1)


def _lines(
    found: Difference, first: Path | str, second: Path | str, tensors_only: bool, everything: bool
) -> Iterator[str]:
    for where, tasks in ((first, found.tasks_only_first), (second, found.tasks_only_second)):
        for task in tasks:
            yield f"only in {where}: task {shortened(task, NAME)}"
    for where, only in ((first, found.only_first), (second, found.only_second)):
        for of_task, name in only:
            yield f"only in {where}: {shortened(name, NAME)}{_of(of_task)}"
    rows = [_row(one) for one in found.tensors if everything or not one.same]
    widths = [max((len(row[place]) for row in rows), default=0) for place in range(2)]
    for row in rows:
        yield f"{row[0].ljust(widths[0])}  {row[1].ljust(widths[1])}  {row[2]}"
    if not tensors_only:
        for prototype in found.prototypes:
            names = ", ".join(shortened(name, NAME) for name in prototype.layers[:2])
            names += f" and {len(prototype.layers) - 2} more" if len(prototype.layers) > 2 else ""
            differ = f"; {prototype.differing:,} values differ" if prototype.differing else ""
            yield f"prototype of {names}: {prototype.summary.first} | {prototype.summary.second}{differ}"
        for key, pair in found.metadata.items():
            texts = ("none" if text is None else shortened(text, NAME) for text in (pair.first, pair.second))
            yield f"metadata {shortened(key, NAME)}: {' | '.join(texts)}"
    if found.reordered:
        yield "the tensors, or tasks, come in another order"
    same = sum(one.same for one in found.tensors)
    yield f"{show.count(same, 'tensor')} the same, {len(found.tensors) - same:,} different"


def _of(task: str | None) -> str:
    return "" if task is None else f", task {shortened(task, NAME)}"


def _row(one: TensorDifference) -> tuple[str, str, str]:
    shapes = ["×".join(map(str, shape)) or "scalar" for shape in (one.shape.first, one.shape.second)]
    kinds = [f"{dtype} {shape}" for dtype, shape in zip((one.dtype.first, one.dtype.second), shapes, strict=True)]
    told = []
    if one.density is not None:
        densities = [
            "no mask" if density is None else f"{100 * density:.2f} %"
            for density in (one.density.first, one.density.second)
        ]
        told.append(f"kept {' | '.join(densities)}")
    if one.overlap is not None:
        told.append(f"overlap {one.overlap:.4f}, {one.flips or 0:,} flips")
    if not one.tied.same:
        told.append(f"tied to {' | '.join(str(other) for other in (one.tied.first, one.tied.second))}")
    if one.differing:
        largest = "" if one.largest is None else f", by at most {one.largest:.6g}"
        told.append(f"{one.differing:,} of {one.elements:,} values differ{largest}")
    elif one.differing == 0:
        told.append("equal values")
    kind = kinds[0] if kinds[0] == kinds[1] else " | ".join(kinds)
    return shortened(one.name, 2 * NAME) + _of(one.task), kind, "; ".join(told)
