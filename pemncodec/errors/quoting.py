"""Text for messages: names and bytes from files in quotes, escaped and shortened, and messages of one line."""

from __future__ import annotations

from collections.abc import Sequence

# Characters of a message, and of a name or path in one.
LINE = 200
NAME = 60
# To what words are shortened: paths, and then all of them (a SHA-256 is one).
_SHORTEST_PATH, _SHORTEST = 16, 24


def quoted(name: object, most: int = NAME) -> str:
    """A name, or bytes, as `repr` shows it, shortened in the middle to at most `most` characters.

    Characters that are not printable (control characters, bidirectional overrides, lone surrogates) are escaped. The
    first 1 or more and the last 1 or more characters are there, and `…` between them.

    Args:
        name: a string or bytes; of anything else the text is taken.
        most: characters of the result, its quotes and escapes included; at least 24.
    """
    known = _known(name)
    if len(known) <= most:
        text = repr(known)
        if len(text) <= most:
            return text
    for half in range(most // 2, 1, -1):
        text = _without_middle(known, half)
        if len(text) <= most:
            return text
    return _without_middle(known, 1)


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first of many names, quoted, and how many more there are; `none` where there is none."""
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*map(quoted, names[:most]), *more]) or "none"


def shortened(text: str, most: int = NAME) -> str:
    """`text` escaped, without quotes, and shortened in the middle to at most `most` characters."""
    text = printable(_ends(text, most))
    if len(text) <= most:
        return text
    return text[: most // 2] + "…" + text[len(text) - (most - most // 2 - 1) :]


def printable(text: str) -> str:
    """`text` with every character escaped that could steer a terminal; newlines, too."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(message: str, most: int = LINE) -> str:
    """A message as one printable line of at most `most` characters.

    Paths, and then other long words, which are names, are shortened in the middle, so that what is wrong and what to do
    stay. A message that has too many words for that loses its middle.
    """
    text = printable(" ".join(_ends(message, 16 * most).split()))
    if len(text) <= most:
        return text
    words = text.split(" ")
    for least, of in ((_SHORTEST_PATH, _is_path), (_SHORTEST, bool)):
        for longest in range(most, least - 1, -1):
            text = " ".join(shortened(word, longest) if of(word) else word for word in words)
            if len(text) <= most:
                return text
        words = text.split(" ")
    return shortened(text, most)


def _is_path(word: str) -> bool:
    return "/" in word or "\\" in word


def _without_middle(name: str | bytes, half: int) -> str:
    if isinstance(name, bytes):
        return repr(name[:half] + b"..." + name[-half:])
    return repr(name[:half] + "…" + name[-half:])


def _known(name: object) -> str | bytes:
    if isinstance(name, str | bytes):
        return name
    try:
        return bytes(name) if isinstance(name, bytearray | memoryview) else str(name)
    except Exception:  # an object from a checkpoint may do anything
        return f"a {type(name).__name__}"


def _ends(text: str, most: int) -> str:
    """`text` without most of its middle where it is very long, so that little of it is gone through."""
    return text if len(text) <= 4 * most else text[: 2 * most] + text[-2 * most :]
