"""Where a command writes."""

from __future__ import annotations

from pathlib import Path

import click

from ..output import refuse_existing


def target(argument: Path | None, option: Path | None, source: Path, suffix: str, force: bool) -> Path:
    """The output that was named, as an argument or by `--output`, or `source` with another suffix.

    Raises:
        click.UsageError: it was named twice.
        OutputExistsError: it exists, and `force` is False.
    """
    if argument is not None and option is not None:
        raise click.UsageError("name the output once: as the second argument, or with --output")
    # with_suffix() would raise for a path without a name; what is wrong with that is said by who reads it
    chosen = option or argument or source.parent / (source.stem + suffix)
    if not force:
        refuse_existing(chosen)
    return chosen
