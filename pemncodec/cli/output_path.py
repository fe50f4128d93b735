"""The inputs of a command, and its output."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from ..coding.delta.base_files import refuse_base
from ..common.files import refuse_existing
from ..container.header import MAGIC
from ..errors import CheckpointError, FileAccessError, OutputExistsError
from . import endpoints

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".safetensors", ".pemn")
_SHARD = re.compile(r"-(\d{3,})-of-(\d{3,})(?:\.\w+)?$")


def target(
    argument: Path | str | None,
    option: Path | str | None,
    source: Path | str,
    suffix: str,
    force: bool,
    *,
    inputs: Iterable[Path] = (),
    base: Sequence[Path] = (),
) -> Path | str:
    """The output that was named, as an argument or by `--output`, or `source` with another suffix.

    `pemn pack *.safetensors --force` names a second checkpoint as the output by accident: a file that is
    replaced must be of the kind that the command writes, or be named by `--output`.

    Args:
        argument: the output as second argument.
        option: the output as `--output`.
        source: the input: a path, a URL, or `-`.
        suffix: of what the command writes: `.pemn`, or that of a checkpoint.
        force: whether an existing file may be replaced.
        inputs: other files that the command reads.
        base: of a delta.

    Returns:
        A path, a URL, or `-` for standard output; of these two nothing is checked here.

    Raises:
        click.UsageError: it was named twice, or must be named.
        OutputExistsError: it exists, and `force` is False, or it was named as an argument and is of another kind; or it
            is `source`, or one of `inputs` or `base`.
    """
    if argument is not None and option is not None:
        raise click.UsageError("name the output once: as the second argument, or with --output")
    chosen = option or argument or _beside(endpoints.near(source), suffix)
    if isinstance(chosen, str) or chosen == endpoints.STANDARD:
        return chosen
    if isinstance(source, Path) and same_file(chosen, source):
        raise OutputExistsError(f"{chosen} is the input itself: name another output")
    for other in inputs:
        if same_file(chosen, other):
            raise OutputExistsError(f"{chosen} is also an input ({other}): name another output")
    refuse_base(chosen, base)
    if isinstance(argument, Path) and option is None and os.path.lexists(argument) and not _is_output(argument, suffix):
        what = "is not a .pemn file" if suffix == ".pemn" else "is not a file that unpack writes"
        raise OutputExistsError(f"{argument} already exists and {what}: use -o to replace it")
    if not force:
        refuse_existing(chosen)
    return chosen


def same_file(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one file, also by links of either kind."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # one of them is missing: the reader or writer reports it
        return False


def refuse_pipe(path: Path) -> None:
    """Raise FileAccessError if a checkpoint is neither a file nor a folder: opening a pipe may wait for ever."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # its reader reports it
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        reason = "a pipe or device has no positions to read at; save it to a file first"
        raise FileAccessError(f"{path} cannot be read: {reason}")


def shard(path: Path) -> tuple[int, int] | None:
    """Number and count of a shard, from its name (`model-00001-of-00003.safetensors`); None if it is whole."""
    found = _SHARD.search(path.name)
    if found is None or int(found[2]) < 2:
        return None
    return int(found[1]), int(found[2])


def refuse_shard(path: Path, family: str | None) -> None:
    """Raise CheckpointError if a checkpoint is one shard of several, and no family says that it is enough."""
    found = shard(path)
    if found is not None and family is None:
        others = [str(number) for number in range(1, found[1] + 1) if number != found[0]]
        lacks = f"shard {' and '.join(others)}" if len(others) < 4 else f"the {len(others)} others"
        raise CheckpointError(
            f"{path} is shard {found[0]} of {found[1]}, a part of a network without {lacks}: pack its folder, or this "
            "part alone with --family dense"
        )


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(found.stat().st_size for found in path.rglob("*") if found.is_file())


def _is_output(path: Path, suffix: str) -> bool:
    """Return whether a file may be an earlier output: by its suffix, and by its first bytes for checkpoints."""
    if suffix == ".pemn":
        return path.suffix.lower() == Path(os.path.realpath(path)).suffix.lower() == ".pemn"
    if path.is_dir():  # it is never replaced, unless it is empty
        return True
    if path.suffix.lower() not in SUFFIXES or path.suffix.lower() == ".pemn":
        return False
    try:
        if not path.is_file():
            return True  # a pipe or device, which the writer refuses
        with path.open("rb") as file:
            return file.read(len(MAGIC)) != MAGIC
    except OSError:
        return True


def _beside(source: Path, suffix: str) -> Path:
    return source.parent / (_stem(source) + suffix)


def _stem(source: Path) -> str:
    """The name without a suffix that is one: `run.epoch1` and `run.epoch2` stay apart."""
    return source.stem if source.suffix.lower() in SUFFIXES else source.name
