"""`pemn view`: a page of HTML about a file."""

from __future__ import annotations

from pathlib import Path

import click

from . import endpoints, file_options, show
from .output_path import size_of, target


@click.command()
@click.argument("file", type=endpoints.FILE)
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    help="Output; - for standard output (default: FILE with .html).",
)
@click.option("--task", help="Show this task alone (default: all of them, to choose from).")
@file_options.base
@file_options.max_bytes
@file_options.force
@file_options.quiet
def view(
    file: Path | str,
    output: str | None,
    task: str | None,
    base: tuple[Path, ...],
    max_bytes: int,
    force: bool,
    quiet: bool,
) -> None:
    """Write a page of HTML that shows what is in FILE: sizes, layers, and a picture of each mask.

    The page is one file that needs no network. Without --base, that of a delta lacks pictures.
    """
    path = None
    if output != "-":
        path = Path(target(None, None if output is None else Path(output), file, ".html", force, base=base))

    from ..loading.viewing.write import page_of, write_page

    with show.progress_bar("viewing", quiet) as progress:
        html = page_of(endpoints.opened(file), task=task, max_bytes=max_bytes, base=base, progress=progress)
    if path is None:
        with show.standard_output():
            click.echo(html.encode(), nl=False)
        return
    write_page(html, path, overwrite=force)
    if not quiet:
        show.lines([f"{path}: {show.size(size_of(path))}"])
