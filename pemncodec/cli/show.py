"""How sizes, parts and progress look on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from ..container.accounting import Sizes
from ..progress import Progress, silent
from ..quoting import printable

_BAR = 24


def size(count: int) -> str:
    """Bytes, with separators."""
    return f"{count:,} B"


def count(number: int, what: str) -> str:
    """A number of things."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def ratio(before: int, after: int) -> str:
    """How many times smaller, or larger."""
    return f"{before / after:.1f} × smaller" if before >= after else f"{after / max(before, 1):.1f} × larger"


def lines(texts: Sequence[str]) -> None:
    """Print lines."""
    click.echo("\n".join(map(printable, texts)))


def parts(sizes: Sequence[tuple[str, int]]) -> list[str]:
    """A line a part, with its share as a bar."""
    total = sum(count for _, count in sizes) or 1
    shares = [(name, count, count / total) for name, count in sizes if count]
    width = max((len(size(count)) for _, count, _ in shares), default=0)
    return [
        f"  {name:<16}{size(count):>{width}}  {100 * share:5.1f} %  {'█' * round(_BAR * share)}".rstrip()
        for name, count, share in shares
    ]


def bits_per_weight(sizes: Sizes) -> str:
    """What the masked weights cost, all told."""
    return f"{sizes.bits_per_masked_weight:.3f} bits a masked weight (masks, prototypes and kept values)"


@contextmanager
def progress_bar(label: str, quiet: bool) -> Iterator[Progress]:
    """A progress callback: a bar on a terminal, nothing in a pipe or when quiet."""
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    with click.progressbar(length=1000, label=label, file=sys.stderr, show_pos=False) as bar:

        def update(done: int, total: int, what: str, /) -> None:  # noqa: ARG001
            bar.update(round(1000 * done / max(total, 1)) - bar.pos)

        yield update
