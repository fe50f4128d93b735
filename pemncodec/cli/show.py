"""Sizes, parts and progress as text for a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from ..common.progress import Progress, silent
from ..container.accounting import Sizes
from ..errors.quoting import printable

_BAR = 24


def size(count: int) -> str:
    """Bytes, with separators."""
    return f"{count:,} B"


def count(number: int, what: str) -> str:
    """A number and its noun, in the plural if needed."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def ratio(before: int, after: int) -> str:
    """Return the ratio of two sizes, as text."""
    return f"{before / after:.1f} × smaller" if before >= after else f"{after / max(before, 1):.1f} × larger"


class StandardOutputError(Exception):
    """Standard output cannot be written: the reader of a pipe has exited, or a disk is full.

    Attributes:
        reason: what the system says.
    """

    def __init__(self, reason: OSError) -> None:
        super().__init__(reason)
        self.reason = reason


@contextmanager
def standard_output() -> Iterator[None]:
    """Tell an error of standard output from those of files."""
    try:
        yield
    except OSError as reason:
        raise StandardOutputError(reason) from None


def lines(texts: Sequence[str]) -> None:
    """Print lines."""
    with standard_output():
        click.echo("\n".join(map(printable, texts)))


def json_text(value: object) -> str:
    """JSON in one line. What could steer the terminal is escaped, and decodes to the same strings."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    text = json.dumps(value, ensure_ascii=encoding != "utf8")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] if ord(c) > 0x7F else f"\\u{ord(c):04x}" for c in text)


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
    """Return the cost of the masked weights in bits per weight, as text."""
    return f"{sizes.bits_per_masked_weight:.3f} bits per masked weight (masks, prototypes and kept values)"


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
