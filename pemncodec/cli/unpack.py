"""`pemn unpack`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from ..container.opening import PathOrBytes
from ..loading.layouts.table import LAYOUTS, Layout
from . import endpoints, file_options, show
from .byte_count import ByteCount
from .endpoints import size_of
from .output_path import target

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
@click.option(
    "--shard-size",
    type=ByteCount(),
    metavar="SIZE",
    help="Write a folder of shards of at most SIZE (5GB, 200MB, or bytes) with an index: .safetensors, or .bin if the "
    "folder is named with .bin, .pt or .pth.",
)
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
    shard_size: int | None,
    base: tuple[Path | str, ...],
    max_bytes: int,
    force: bool,
    quiet: bool,
) -> None:
    """Unpack FILE into a state_dict that the stock network takes, or into the checkpoint that was packed."""
    if shard_size is not None and layout != "dense":
        raise click.UsageError("--shard-size requires --layout dense")
    if layout == "original":
        if strip_prefix:
            raise click.UsageError("--strip-prefix requires a layout other than original, which keeps its prefix")
        _unpack_original(file, output, output_option, task, base, max_bytes, force, quiet)
        return
    suffix = ".pt" if shard_size is None else ".shards"
    path = Path(target(output, output_option, file, suffix, force, base=base))  # it is no URL
    if path == endpoints.STANDARD and shard_size is not None:
        raise click.UsageError("--shard-size writes a folder: name it")
    source = endpoints.opened(file)

    from ..checkpoints.kept import read_safetensors
    from ..checkpoints.writing.saving import save_state_dict
    from ..container.opening import metadata_of
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
                    shard_size=shard_size,
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
            header = read_safetensors(metadata_of(source)) if path.suffix == ".safetensors" else {}
            save_state_dict(tensors, way, overwrite=force, max_bytes=max_bytes, metadata=header)
            count = len(tensors)
    if not quiet and path != endpoints.STANDARD:
        files = "" if shard_size is None else f" (a folder of {show.count(len(list(path.iterdir())), 'file')})"
        said = f"{path}{files}: {show.count(count, 'tensor')}, {show.size(size_of(path))}"
        show.lines([said, *_left(source, shard_size)])


def _left(source: PathOrBytes, shard_size: int | None) -> list[str]:
    """A note on files that were kept, where no folder was written."""
    if shard_size is not None:
        return []
    from ..checkpoints.kept import FILES
    from ..container.opening import metadata_of

    kept = FILES in metadata_of(source)
    return ["note: the file also keeps files of a folder: --shard-size writes them"] if kept else []


def _unpack_original(
    file: Path | str,
    output: Path | None,
    output_option: Path | None,
    task: str | None,
    base: tuple[Path | str, ...],
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
