"""Rows of JSON: grouping them, and means over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Hashable, Iterable
from typing import Any

Row = dict[str, object]


def grouped(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> dict[Any, list[Row]]:
    """Rows by key, in the order of their first."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def number(row: Row, field: str) -> float:
    """A numeric field."""
    value = row[field]
    assert isinstance(value, (int, float))
    return float(value)


def mean(rows: list[Row], field: str) -> float:
    """Mean of a field over seeds."""
    return statistics.fmean(number(row, field) for row in rows)


def caption(rows: list[Row]) -> str:
    """Return a caption of the runs in a picture or a table: data, preset, epochs, seeds, commit."""

    def values(field: str) -> str:
        return ", ".join(dict.fromkeys(str(row[field]) for row in rows))

    return (
        f"{values('data')}, preset {values('preset')}, {values('epochs')} epochs, seeds {values('seed')}, "
        f"commit {values('commit')}"
    )


def frontier(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no smaller one reaches in accuracy."""
    front: list[tuple[float, float]] = []
    for size, accuracy in sorted(points):
        if not front or accuracy > front[-1][1]:
            front.append((size, accuracy))
    return front
