"""A treemap as SVG: rectangles whose areas are bytes (Bruls, Huizing and van Wijk, Squarified Treemaps, 2000).

Places are in percent and the text is in pixels, so that it is readable at any width and needs no script.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from .markup import beginning, size, text
from .parts import COLOURS, Part

Rect = tuple[float, float, float, float]
# Of the picture, when shapes are chosen.
_WIDTH, _HEIGHT = 1000.0, 340.0
# Pixels of that width and height that a label needs, and what it needs on a phone.
_LABEL, _LINE, _WIDE = 70.0, 18.0, 240.0
_CHARACTER = 6.6
# On blue; black is easier to read on the other colours.
_WHITE_ON = ("#0072b2",)


def treemap(parts: Sequence[Part], height: int) -> str:
    """An `svg` element of all parts, which are in the order of their kinds.

    Args:
        height: pixels.
    """
    total = sum(part.size for part in parts)
    kinds = [list(group) for _, group in groupby(parts, key=lambda part: part.kind)]
    kinds.sort(key=lambda group: -sum(part.size for part in group))
    areas = [_WIDTH * _HEIGHT * sum(part.size for part in group) / total for group in kinds]
    cells: list[str] = []
    for group, rect in zip(kinds, squarified(areas, (0.0, 0.0, _WIDTH, _HEIGHT)), strict=True):
        own = [_WIDTH * _HEIGHT * part.size / total for part in group]
        order = sorted(range(len(own)), key=lambda index: -own[index])
        for index, cell in zip(order, squarified([own[index] for index in order], rect), strict=True):
            cells.append(_cell(group[index], cell, total))
    label = f"Treemap of {size(total)} by part of the file"
    return f'<svg class="treemap" role="img" aria-label="{label}" width="100%" height="{height}">{"".join(cells)}</svg>'


def squarified(areas: Sequence[float], rect: Rect) -> Iterator[Rect]:
    """Rectangles (x, y, width, height) of these areas, which fill `rect`; areas in descending order."""
    x, y, width, height = rect
    start = 0
    while start < len(areas):
        side = max(min(width, height), 1e-9)
        stop = start + 1
        total = areas[start]
        worst = _worst(areas[start], areas[start], total, side)
        while stop < len(areas):
            more = total + areas[stop]
            then = _worst(areas[start], areas[stop], more, side)
            if then > worst:
                break
            worst, total, stop = then, more, stop + 1
        depth = total / side
        along = 0.0
        for area in areas[start:stop]:
            length = area / depth if depth else 0.0
            yield (x, y + along, depth, length) if width >= height else (x + along, y, length, depth)
            along += length
        if width >= height:
            x, width = x + depth, max(width - depth, 0.0)
        else:
            y, height = y + depth, max(height - depth, 0.0)
        start = stop


def _worst(largest: float, smallest: float, total: float, side: float) -> float:
    """The worst ratio of sides in a row of these areas."""
    depth = total / side
    return max(largest / depth**2, depth**2 / max(smallest, 1e-12)) if depth else 0.0


def _cell(part: Part, rect: Rect, total: int) -> str:
    x, y, width, height = rect
    place = (
        f'x="{100 * x / _WIDTH:.3f}%" y="{100 * y / _HEIGHT:.3f}%" '
        f'width="{100 * width / _WIDTH:.3f}%" height="{100 * height / _HEIGHT:.3f}%"'
    )
    colour = COLOURS[part.kind]
    about = f"{text(part.label)}: {part.kind}, {size(part.size)}, {100 * part.size / total:.1f} %"
    about += f", {part.coder}" if part.coder else ""
    label = ""
    if width >= _LABEL and height >= _LINE:
        fill = "#fff" if colour in _WHITE_ON else "#000"
        most = max(int((width - 8) / _CHARACTER), 6)
        wide = "" if width >= _WIDE else ' class="narrow"'
        label = f'<text{wide} x="5" y="14" font-size="12" fill="{fill}">{beginning(part.label, most)}</text>'
        if height >= 2 * _LINE:
            label += f'<text{wide} x="5" y="29" font-size="11" fill="{fill}">{size(part.size)}</text>'
    inside = f'<title>{about}</title><rect width="100%" height="100%" fill="{colour}" stroke="#fff"/>{label}'
    return f'<svg {place} data-bytes="{part.size}">{inside}</svg>'
