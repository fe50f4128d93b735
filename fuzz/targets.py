"""All targets by name. Those that need torch are imported when they are asked for."""

from __future__ import annotations

from fnmatch import fnmatchcase
from importlib import import_module

from .harness import Target

# The modules, and the targets in them; each has `TARGET` or `TARGETS`.
DECODERS = ("containers", "made", "chunks", "deltas", "packed_layout")
CHECKPOINTS = ("readers", "bombs", "metadata", "archives", "tensor_files", "states", "layouts")
MODULES = (*DECODERS, *CHECKPOINTS)


def targets(pattern: str = "*") -> list[Target]:
    """The targets whose names match a pattern: `all`, `decoders`, `checkpoints`, or one for `fnmatch`."""
    groups = {"all": MODULES, "decoders": DECODERS, "checkpoints": CHECKPOINTS}
    found = [target for module in groups.get(pattern, MODULES) for target in _of(module)]
    return [target for target in found if pattern in groups or fnmatchcase(target.name, pattern)]


def named(name: str) -> Target:
    """The target of a name; KeyError if there is none."""
    for module in MODULES:
        for target in _of(module):
            if target.name == name:
                return target
    raise KeyError(name)


def _of(module: str) -> list[Target]:
    loaded = import_module(f".{module}", __package__)
    found: list[Target] = getattr(loaded, "TARGETS", None) or [loaded.TARGET]
    return found
