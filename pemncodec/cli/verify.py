"""`pemn verify`: decode everything and check every rule, or compare with a checkpoint."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from ..container.opening import PathOrBytes
from ..errors import CheckpointError, MismatchError
from . import checkpoint_options, endpoints, file_options, show
from .output_path import refuse_pipe


@click.command()
@click.argument("file", type=endpoints.FILE)
@click.option(
    "--against",
    type=endpoints.FILE,
    metavar="CHECKPOINT",
    help="Also compare every tensor with this checkpoint, or .pemn file, bit for bit.",
)
@click.option("--task", help="For --against: the task to compare, if the file holds several.")
@file_options.base
@file_options.max_bytes
@file_options.quiet
@checkpoint_options.options
def verify(
    file: Path | str,
    against: Path | str | None,
    task: str | None,
    base: tuple[Path | str, ...],
    max_bytes: int,
    quiet: bool,
    **arguments: Any,
) -> None:
    """Check FILE: all checksums, every mask, prototype and tensor."""
    how = checkpoint_options.read(**arguments)
    if against == endpoints.STANDARD == file:
        raise click.UsageError("standard input can be read once: name FILE, or the checkpoint")
    against = None if against is None else endpoints.on_disk(against)
    for other in (against, how.masks, how.backbone):
        if isinstance(other, Path):
            refuse_pipe(other)
    if against is None and (how.given or task is not None):
        raise click.UsageError("--task and the options that read a checkpoint (--keep, --key, …) require --against")

    from ..loading.verify import verify_file

    source = endpoints.opened(file)
    with show.progress_bar("verifying", quiet) as progress:
        number = verify_file(source, max_bytes=max_bytes, base=base, progress=progress)
    lines = [f"{endpoints.called(file)}: every checksum matches, and every tensor ({number}) decodes"]
    if against is not None:
        from ..packing.networks import is_pemn

        if isinstance(against, str) or is_pemn(against):
            lines += _compare_files(source, against, how, task, base, max_bytes, quiet)
        else:
            lines += _compare(source, against, how, task, base, max_bytes, quiet)
    if not quiet:
        show.lines(lines)


def _compare_files(
    file: PathOrBytes,
    against: Path | str,
    how: checkpoint_options.Reading,
    task: str | None,
    base: tuple[Path | str, ...],
    max_bytes: int,
    quiet: bool,
) -> list[str]:
    if how.given:
        raise click.UsageError(f"{against} is a .pemn file and has its masks: omit the options that read a checkpoint")

    from ..container.opening import path_of
    from ..packing.networks import compare_files

    with show.progress_bar("comparing", quiet) as progress:
        try:
            count, done = compare_files(file, against, task=task, max_bytes=max_bytes, base=base, progress=progress)
        except MismatchError as reason:
            raise MismatchError(f"{path_of(file) or 'the file'} and {against}: {reason}") from None
    converted = " once converted" if done else ""
    return [f"{against}: every tensor ({count}) is the same{converted}, bit for bit" + (f": {done}" if done else "")]


def _compare(
    file: PathOrBytes,
    against: Path,
    how: checkpoint_options.Reading,
    task: str | None,
    base: tuple[Path | str, ...],
    max_bytes: int,
    quiet: bool,
) -> list[str]:
    from ..checkpoints.metadata import read
    from ..checkpoints.recognise import draft_of
    from ..checkpoints.said import always_said, read_as_said
    from ..container.opening import metadata_of, naming, path_of
    from ..loading.compare import compare
    from ..loading.recheck.compare import recheck
    from ..packing.lossy.convert import convert_again

    source = how.load(against, max_bytes)
    metadata = metadata_of(file)
    with naming(file):
        said = read(metadata).for_task(task)
    options = always_said(how.loaded(max_bytes), said)
    try:
        draft = read_as_said(partial(draft_of, source), options, said)
        draft = convert_again(draft, metadata)
        with show.progress_bar("comparing", quiet) as progress:
            found = compare(file, draft, task=task, max_bytes=max_bytes, base=base, progress=progress)
            again: list[str] = []
            if not draft.conversions:
                checked = recheck(
                    file,
                    against,
                    draft,
                    options,
                    task=task,
                    unsafe=how.unsafe,
                    base=base,
                    max_bytes=max_bytes,
                    progress=progress,
                )
                again.append(f"{against}: {checked}")
    except CheckpointError as reason:
        raise type(reason)(f"{against}: {reason}") from None
    except MismatchError as reason:
        raise MismatchError(f"{path_of(file) or 'the file'} and {against}: {reason}") from None
    if not draft.conversions:
        return [f"{against}: every tensor ({found.tensors}) is the same, {found}", *again]
    done = ", and ".join(conversion.done for conversion in draft.conversions)
    return [f"{against}: every tensor ({found.tensors}) is the same once converted, {found}: {done}"]
