"""Options of reading a checkpoint, completed by what a file says that was packed from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from ..errors import MaskRuleError
from .metadata import Metadata
from .options import RULES, PackOptions

# Families that tensors do not identify: a file that was packed from one names it.
NAMED = ("biprop", "fedpm", "lottery-jackpots")


T = TypeVar("T")


def read_as_said(read: Callable[[PackOptions], T], options: PackOptions, said: Metadata) -> T:
    """Read a checkpoint with options; where these do not say enough, with those that the file was packed with."""
    try:
        return read(options)
    except MaskRuleError:
        return read(as_said(options, said))


def as_said(options: PackOptions, said: Metadata) -> PackOptions:
    """These options, completed by those that a file was packed with."""
    given: dict[str, Any] = {"ties": "stable"}
    if options.keep is None:
        given["keep"] = said.keep
    if options.threshold is None:
        given["threshold"] = said.threshold
    if options.rule is None and said.mask_rule in RULES:
        given["rule"] = said.mask_rule
    return replace(options, **given)


def always_said(options: PackOptions, said: Metadata) -> PackOptions:
    """These options, completed by what no checkpoint holds: its family, and whether a prefix was stripped."""
    family = said.family if options.family is None and said.family in NAMED else options.family
    return replace(options, family=family, strip_prefix=bool(said.details.get("prefix")))
