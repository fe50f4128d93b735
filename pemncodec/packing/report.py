"""The report of packing: recognised, found, dropped, and where the bytes went."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..coding.delta.base_files import BaseFiles, listed
from ..container.accounting import Sizes
from ..container.manifest.rows import Manifest
from ..loading.compare import Comparison
from ..loading.recheck.compare import Recheck


@dataclass(frozen=True)
class PackReport:
    """The result of packing.

    Attributes:
        family: of the checkpoint, by its name.
        mask_rule: how the masks were derived.
        keep: the fraction kept that the rule was given, or fractions by pattern, or None.
        layers: number of masked layers.
        findings: which prototypes were found, a line each; the strategy of the network first.
        notes: what the user should know (ties at the cut, −0.0, nothing masked, a base that is needed).
        dropped: what is in the checkpoint and not in the file.
        sizes: bytes of the file, by part.
        conversions: what is lossy, and its largest error, a line each; empty unless asked for.
        reasons: why it is this family, a line each.
        threshold: the number that the rule was given, or None.
        tasks: names of the tasks.
        comparison: what was found equal in the file and what went in; None where it was not verified.
        rechecked: of checkpoints that are files, what was found equal to what other libraries read of them.
    """

    family: str
    mask_rule: str
    keep: float | dict[str, float] | None
    layers: int
    findings: list[str]
    notes: list[str]
    dropped: list[str]
    sizes: Sizes = field(repr=False)
    conversions: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    threshold: float | None = None
    tasks: list[str] = field(default_factory=list)
    comparison: Comparison | None = None
    rechecked: list[Recheck] = field(default_factory=list)


def base_notes(manifest: Manifest, base: BaseFiles) -> list[str]:
    """Return a note about the base that was given, if one was."""
    if manifest.base is not None:
        return [f"the file is a delta: reading it needs its base, SHA-256 {manifest.base}"]
    return ["nothing in common with the base: the file can be read without it"] if listed(base) else []
