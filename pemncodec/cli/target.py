"""Where a command writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..base import refuse_base
from ..errors import OutputExistsError
from ..output import refuse_existing

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".safetensors", ".pemn")


def target(
    argument: Path | None, option: Path | None, source: Path, suffix: str, force: bool, base: Sequence[Path] = ()
) -> Path:
    """The output that was named, as an argument or by `--output`, or `source` with another suffix.

    Raises:
        click.UsageError: it was named twice.
        OutputExistsError: it exists, and `force` is False; or it is `source`, or one of `base`.
    """
    if argument is not None and option is not None:
        raise click.UsageError("name the output once: as the second argument, or with --output")
    chosen = option or argument or source.parent / (_stem(source) + suffix)
    if chosen.exists() and source.exists() and chosen.samefile(source):
        raise OutputExistsError(f"{chosen} is the input itself: name another output")
    refuse_base(chosen, base)
    if not force:
        refuse_existing(chosen)
    return chosen


def _stem(source: Path) -> str:
    """The name without a suffix that is one: `run.epoch1` and `run.epoch2` stay apart."""
    return source.stem if source.suffix.lower() in SUFFIXES else source.name


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(found.stat().st_size for found in path.rglob("*") if found.is_file())
