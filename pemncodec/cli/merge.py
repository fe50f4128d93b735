"""`pemn merge`: several files as one file of tasks."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors.quoting import quoted
from . import file_options, show
from .output_path import same_file, size_of


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="[NAME=]FILE...")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Output file.")
@click.option(
    "--metadata", "pairs", multiple=True, metavar="KEY=VALUE", help="Metadata to store in the file; may be repeated."
)
@file_options.base
@file_options.max_bytes
@file_options.force
@file_options.quiet
def merge(
    files: tuple[str, ...],
    output: Path,
    pairs: tuple[str, ...],
    base: tuple[Path, ...],
    max_bytes: int,
    force: bool,
    quiet: bool,
) -> None:
    """Put the networks of several .pemn files into one file of tasks, and verify it before it is written.

    A file of one network becomes the task NAME, or is called as its file. The tasks of other files keep their names;
    with NAME they become NAME/TASK.
    """
    metadata = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise click.BadParameter(f"{quoted(pair)} is not KEY=VALUE", param_hint="--metadata")
        metadata[key] = value
    named = [_named(text) for text in files]

    from ..packing.merging.merge import merge_files

    before = sum(size_of(path) for _, path in named if path.is_file() and not same_file(path, output))
    with show.progress_bar("merging", quiet) as progress:
        report = merge_files(
            named,
            output,
            metadata=metadata,
            overwrite=force,
            max_bytes=max_bytes,
            base=base,
            progress=progress,
        )
    if not quiet:
        smaller = show.ratio(before, report.sizes.total)
        show.lines(
            [
                f"{output}: {show.size(report.sizes.total)}, {smaller} than the inputs ({show.size(before)})",
                f"tasks: {', '.join(report.tasks)}",
                f"verified: every tensor of every task decodes {report.comparison}",
            ]
        )


def _named(text: str) -> tuple[str | None, Path]:
    """The name before `=`, and the file; a file may itself have a `=` in its path."""
    name, separator, path = text.partition("=")
    if not separator or Path(text).exists():
        return None, Path(text)
    if not name or not path:
        raise click.BadParameter(f"{quoted(text)} is not NAME=FILE", param_hint="FILE")
    return name, Path(path)
