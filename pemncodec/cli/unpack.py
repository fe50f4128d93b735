"""`pemn unpack`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from ..loading.layouts.table import LAYOUTS, Layout
from . import file_options, show
from .output_path import size_of, target

_WRITTEN = {name: row.about for name, row in LAYOUTS.items() if row.written}
_ABOUT = "; ".join(f"{name}: {about}" for name, about in _WRITTEN.items())


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    "output_option",
    type=click.Path(path_type=Path),
    help="Output: .safetensors, or any other suffix for torch.save (default: FILE with .pt; folders: .original).",
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
    file: Path,
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
    path = target(output, output_option, file, ".pt", force, base=base)

    from ..checkpoints.writing.saving import save_state_dict
    from ..loading.load import load_file
    from ..loading.unpack import unpack_file

    with show.progress_bar("unpacking", quiet) as progress:
        if layout == "dense":
            count = len(
                unpack_file(
                    file,
                    path,
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
                file,
                layout=layout,
                task=task,
                strip_prefix=strip_prefix,
                max_bytes=max_bytes,
                base=base,
                progress=progress,
            )
            save_state_dict(tensors, path, overwrite=force, max_bytes=max_bytes)
            count = len(tensors)
    if not quiet:
        show.lines([f"{path}: {show.count(count, 'tensor')}, {show.size(size_of(path))}"])


def _unpack_original(
    file: Path,
    output: Path | None,
    output_option: Path | None,
    task: str | None,
    base: tuple[Path, ...],
    max_bytes: int,
    force: bool,
    quiet: bool,
) -> None:
    from ..loading.original import is_folder, unpack_original

    path = target(output, output_option, file, ".original" if is_folder(file) else ".pt", force, base=base)
    count = unpack_original(file, path, task=task, base=base, overwrite=force, max_bytes=max_bytes)
    if not quiet:
        what = f"{path} (a folder)" if path.is_dir() else path
        show.lines([f"{what}: {show.count(count, 'tensor')} in the original layout, {show.size(size_of(path))}"])
