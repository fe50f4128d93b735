"""Text from files as HTML: escaped, shortened, and never markup."""

from __future__ import annotations

from html import escape

from ...errors.quoting import printable, shortened

# Characters of a name and of a value that a page shows.
NAME, VALUE = 120, 2_000


def text(value: object, most: int = NAME) -> str:
    """Any text, for the inside of an element or of a quoted attribute.

    Characters that are not printable (control characters, bidirectional overrides) are shown as escapes of Python.
    """
    return escape(shortened(str(value), most), quote=True)


def beginning(value: str, most: int) -> str:
    """As `text`, but without the end of what is too long: beside others, names differ in their beginning."""
    shown = printable(value[: most + 1])
    return escape(shown if len(shown) <= most else shown[: most - 1] + "…", quote=True)


def size(count: int) -> str:
    """Bytes, with separators."""
    return f"{count:,} B"


def number(count: int, what: str) -> str:
    """A number and its noun, in the plural if needed."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def share(part: int, whole: int) -> str:
    """A part in percent."""
    return f"{100 * part / whole:.1f} %" if whole else "0.0 %"
