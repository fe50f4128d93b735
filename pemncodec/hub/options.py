"""Keywords of packing among others: those that `save_file` has, so that a new one needs no line here."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ..packing.save import save_file

PACKING = frozenset(
    name
    for name, parameter in inspect.signature(save_file).parameters.items()
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name != "overwrite"
)


def split(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the keywords of packing, and the others."""
    packing = {name: value for name, value in given.items() if name in PACKING}
    return packing, {name: value for name, value in given.items() if name not in PACKING}


def only_packing(given: Mapping[str, Any], function: str) -> dict[str, Any]:
    """Return the keywords of packing.

    Raises:
        TypeError: there are others.
    """
    packing, others = split(given)
    if others:
        raise TypeError(f"{function}() got an unexpected keyword argument {next(iter(others))!r}")
    return packing
