"""Rules of what a zero bit of a tiled layer stands for: a row each (spec sections 4.6 and 7).

A rule is a module in `network/fills` and a row here; nothing else names it. A minor version of the format may add rows,
and none ever changes its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ZeroRule:
    """A rule of what a zero bit stands for.

    Attributes:
        name: as `TileFill.zero` and `pemn inspect` say it.
        since: minor version of the format that it came with (spec section 3).
        module: with `fill`, and with `COMPILED`, its number in the compiled loop, or None.
        second: whether a layer has a second prototype, and its phase.
        signed: whether the element type must have a sign bit.
        sparse: whether the element is zero, so that a sparse tensor says the layer.
        scored: whether a weight and scores say the layer.
    """

    name: str
    since: int
    module: str
    second: bool = False
    signed: bool = False
    sparse: bool = False
    scored: bool = True


ZERO_RULES: dict[int, ZeroRule] = {
    0: ZeroRule("zero", 0, "pemncodec.network.fills.zero", sparse=True),
    1: ZeroRule("negated", 0, "pemncodec.network.fills.negated", signed=True),
    2: ZeroRule("second", 0, "pemncodec.network.fills.second", second=True, scored=False),
}


def zero_id(name: str) -> int | None:
    """Return the id of a rule, or None if there is none of this name."""
    return next((number for number, rule in ZERO_RULES.items() if rule.name == name), None)
