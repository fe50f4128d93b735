"""`pemn unpack`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from ..loading.layouts.table import LAYOUTS, Layout
from . import endpoints, file_options, show
from .output_path import size_of, target

_WRITTEN = {name: row.about for name, row in LAYOUTS.items() if row.written}
_ABOUT = "; ".join(f"{name}: {about}" for name, about in _WRITTEN.items())


@click.command()
@click.argument("file", type=endpoints.FILE)
@click.argument("output", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    "output_option",
    type=click.Path(path_type=Path),
    help="Output: .safetensors, any other suffix or - for torch.save (default: FILE with .pt; folders: .original).",
)
@click.option(
    "--layout",
    type=click.Choice([*_WRITTEN, "original"]),
    default="dense",
    show_default=True,
    help=f"{_ABOUT}; original: the checkpoint that was packed.",
)
@click.option("--task", help="Task to unpack, if the file holds several.")
@click.option("--strip-prefix", is_flag=True, help="Remove the prefix 'module.' or '_orig_mod.' if every name has it.")
@file_options.base
@file_options.max_bytes
@file_options.force
@file_options.quiet
def unpack(
    file: Path | str,
    output: Path | None,
    output_option: Path | None,
    layout: Layout | Literal["original"],
    task: str | None,
    strip_prefix: bool,
    base: tuple[Path, ...],
    max_bytes: int,
    force: bool,
    quiet: bool,
) -> None:
    """Unpack FILE into a state_dict that the stock network takes, or into the checkpoint that was packed."""
    if layout == "original":
        if strip_prefix:
            raise click.UsageError("--strip-prefix requires a layout other than original, which keeps its prefix")
        _unpack_original(file, output, output_option, task, base, max_bytes, force, quiet)
        return
    path = Path(target(output, output_option, file, ".pt", force, base=base))  # it is no URL
    source = endpoints.opened(file)

    from ..checkpoints.writing.saving import save_state_dict
    from ..loading.load import load_file
    from ..loading.unpack import unpack_file

    with show.progress_bar("unpacking", quiet) as progress, endpoints.on_the_way(path) as way:
        if layout == "dense":
            count = len(
                unpack_file(
                    source,
                    way,
                    task=task,
                    strip_prefix=strip_prefix,
                    overwrite=force,
                    max_bytes=max_bytes,
                    base=base,
                    progress=progress,
                )
            )
        else:
            tensors = load_file(
                source,
                layout=layout,
                task=task,
                strip_prefix=strip_prefix,
                max_bytes=max_bytes,
                base=base,
                progress=progress,
            )
            save_state_dict(tensors, way, overwrite=force, max_bytes=max_bytes)
            count = len(tensors)
    if not quiet and path != endpoints.STANDARD:
        show.lines([f"{path}: {show.count(count, 'tensor')}, {show.size(size_of(path))}"])


def _unpack_original(
    file: Path | str,
    output: Path | None,
    output_option: Path | None,
    task: str | None,
    base: tuple[Path, ...],
    max_bytes: int,
    force: bool,
    quiet: bool,
) -> None:
    from ..loading.original import is_folder, unpack_original

    source = endpoints.opened(file)
    suffix = ".original" if is_folder(source) else ".pt"
    path = Path(target(output, output_option, file, suffix, force, base=base))
    with endpoints.on_the_way(path) as way:
        count = unpack_original(source, way, task=task, base=base, overwrite=force, max_bytes=max_bytes)
    if not quiet and path != endpoints.STANDARD:
        what = f"{path} (a folder)" if path.is_dir() else path
        show.lines([f"{what}: {show.count(count, 'tensor')} in the original layout, {show.size(size_of(path))}"])
