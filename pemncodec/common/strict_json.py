"""JSON from strangers: extensions of Python's reader, and texts that are costly to read, are refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

# What metadata needs is far below; a text of the size of a manifest stays below 64 MB of objects.
MAX_DEPTH = 16
MAX_TOKENS = 1 << 20
_INTEGER_DIGITS = 20  # of 64 bits, with a sign
_STRUCTURE = re.compile(r'["\[\]{},:]')


def parse(text: str, *, infinite: bool = False) -> Any:
    """The value of a JSON text.

    Args:
        text: the text.
        infinite: whether NaN, Infinity and -Infinity are numbers.

    Raises:
        ValueError: it is not JSON; a name that appears twice in one object; nested deeper than `MAX_DEPTH`; more than
            `MAX_TOKENS` brackets, strings, commas and colons; an integer of more than 20 digits; a number that is not
            finite; a lone surrogate. The message says which.
    """
    _check_structure(text)

    def constant(name: str) -> float:
        if not infinite:
            raise ValueError(f"{name} is not a number")
        return float(name)

    return json.loads(
        text, parse_int=_integer, parse_float=_number, parse_constant=constant, object_pairs_hook=_without_repetition
    )


def write(value: object) -> str:
    """The shortest JSON text of a value; object keys stay in their order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _check_structure(text: str) -> None:
    """Bound the depth and the number of objects before any is made; Python's reader would recurse."""
    depth = tokens = position = 0
    while (match := _STRUCTURE.search(text, position)) is not None:
        mark, position = match[0], match.end()
        if mark == '"':
            string, position = scanstring(text, position, True)
            _check_text(string)
        elif mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
        tokens += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        if tokens > MAX_TOKENS:
            raise ValueError(f"more than {MAX_TOKENS} values")


def _check_text(string: str) -> None:
    try:
        string.encode()
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate") from None


def _integer(digits: str) -> int:
    if len(digits) > _INTEGER_DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number beyond the range of float64")
    return number


def _without_repetition(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:40]!r} appears twice in one object")
        found[name] = value
    return found
