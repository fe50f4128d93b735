"""The tensors of a file against a checkpoint that another library read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...checkpoints.draft import Draft, DraftEntry, MaskedWeight, SeededWeight, TiedTensor
from ...checkpoints.names import PREFIXES
from ...checkpoints.options import Keep, PackOptions
from ...coding.delta.base_files import BaseFiles
from ...common.progress import Progress, silent
from ...container.manifest.rows import DEFAULT_MAX_BYTES
from ...container.opening import PathOrBytes
from ...errors import MismatchError
from ...errors.quoting import quoted
from ..file import PemnFile, opened_file
from . import raw, rules

# What a layout makes of the values themselves, beyond a mask.
_OWN_VALUES = ("biprop", "graph-tickets", "compressed-tensors")


@dataclass
class Recheck:
    """The result of the second comparison.

    Attributes:
        equal: number of tensors that are those of the checkpoint, masked ones with a mask that follows from it.
        names: their names, which several tasks may have in common.
        left: what could not be compared in this way, and why; empty where everything was.
    """

    equal: int = 0
    names: set[str] = field(default_factory=set)
    left: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.equal} tensors equal those that torch.load reads, under masks derived from them"
        return text if not self.left else f"{text}; not compared this way: {'; '.join(self.left)}"


def recheck(
    file: PathOrBytes | PemnFile,
    checkpoint: Path,
    draft: Draft,
    options: PackOptions,
    *,
    task: str | None = None,
    unsafe: bool = False,
    base: BaseFiles = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    progress: Progress = silent,
    read: Callable[..., Any] = raw.read,
) -> Recheck:
    """Compare a file with the checkpoint that a draft was made of.

    Args:
        file: a path, bytes, or an opened file, which stays open.
        draft: what was recognised; its claims are checked. It must not have been converted.
        options: what was given to recognise it.
        task: of the file, where the draft has none.
        unsafe: whether the checkpoint may run code.
        read: `raw.read`, or what has done it already.

    Raises:
        MismatchError: a tensor of the checkpoint is in the file in no way, or another one; a mask does not follow.
        FormatError, BaseFileError: as for `PemnFile`.
    """
    try:
        whole = read(checkpoint, unsafe=unsafe)
    except raw.CannotReadError as reason:
        return Recheck(left=[f"all ({reason})"])
    checked = _Checked(draft, options, whole)
    found = Recheck()
    checked.cover(found)
    for number, name in enumerate(draft.tasks or [task], 1 if draft.tasks else 0):
        with opened_file(file, name, base, max_bytes) as opened:
            entries = [entry for entry in draft.entries if entry.task in (0, number)]
            targets = {entry.name: entry for entry in entries}
            for place, entry in enumerate(entries):
                progress(place, len(entries), entry.name)
                if number > 1 and not entry.task:
                    continue
                expected = checked.expected(entry, targets, found)
                if expected is None:
                    continue
                if not _is(*expected, opened, entry.name):
                    raise MismatchError(
                        f"{quoted(entry.name)} differs from {quoted(entry.source)} read by torch.load, under its mask"
                    )
                found.equal += 1
                found.names.add(entry.name)
    checked.check_together()
    progress(1, 1, "")
    found.left = list(dict.fromkeys(found.left))
    return found


class _Checked:
    """The claims of a draft, and what they are checked against."""

    def __init__(self, draft: Draft, options: PackOptions, whole: Any) -> None:
        self._draft = draft
        # masks of several tasks over a network in another file
        self._apart = draft.family == "piggyback" and "index" in draft.original
        self._keep = Keep.of(draft.keep)
        details = draft.original
        self._tensors: dict[str, torch.Tensor] = {}
        self._masks: dict[str, torch.Tensor] = {}
        network = whole[_key(whole, details["under"])] if "under" in details else whole
        apart = [details[key] for key in ("masks_under", "task_masks") if key in details]
        if isinstance(network, Mapping):
            network = {key: value for key, value in network.items() if key not in apart}
        for part, into in self._parts(network, details):
            into.update(raw.leaves(part))
        for key in apart:
            if key == details.get("masks_under"):
                self._masks.update(raw.leaves(whole[key]))
        if isinstance(options.masks, Mapping):
            self._masks.update(raw.leaves(options.masks))
        self._bare = {_bare(name): mask for name, mask in self._masks.items()}
        self._together: list[tuple[torch.Tensor, torch.Tensor]] = []

    def _parts(self, network: Any, details: Mapping[str, Any]) -> Iterator[tuple[Any, dict[str, torch.Tensor]]]:
        """Tell the tensors of a folder from its masks; all of any other checkpoint are tensors."""
        if "folder" in details:
            for name, value in network.items():
                part, _, file = name.partition("/")
                into = {details["folder"]: self._tensors, "masks": self._masks}.get(part)
                if into is not None:
                    yield {file.removesuffix(".npy"): value}, into
        elif "model" in details:
            yield network[details["model"]], self._tensors
            yield network["mask.pth"], self._masks
        elif isinstance(network, Mapping) and network and all(_is_shard(key, value) for key, value in network.items()):
            for value in network.values():
                yield value, self._tensors
        else:
            yield network, self._tensors

    def cover(self, found: Recheck) -> None:
        """Every tensor of the checkpoint has to be claimed by something."""
        if self._apart:
            found.left.append("the backbone, which is another file")
            return
        claimed = set(self._draft.accounted)
        for entry in self._draft.entries:
            claimed.add(entry.source)
            claimed.update(getattr(entry, "scores", ()))
        lost = [name for name in self._tensors if name not in claimed]
        if lost:
            raise MismatchError(
                f"{len(lost)} tensors of the checkpoint are neither in the file nor its masks "
                f"(first: {quoted(lost[0])})"
            )

    def expected(
        self, entry: DraftEntry, targets: Mapping[str, DraftEntry], found: Recheck
    ) -> tuple[torch.Tensor, NDArray[np.bool_] | None] | None:
        """Return the weight, and the mask that belongs on it if there is one; None where it cannot be told here."""
        meant: DraftEntry = entry
        if isinstance(entry, TiedTensor):
            meant = targets[entry.target]
        if (self._apart or self._draft.family in _OWN_VALUES) and not _is_plain(meant):
            found.left.append(f"masked weights of {self._draft.family}, which computes their values")
            return None
        weight = self._tensors.get(entry.source)
        if weight is None:
            found.left.append("tensors that the checkpoint holds in another form")
            return None
        if isinstance(meant, SeededWeight):
            self._check_seeded(entry.name, meant, weight)
            found.left.append("values that the recipe of a layer makes (their masks were)")
            return None
        if not isinstance(meant, MaskedWeight):
            return weight, None
        mask = meant.mask.to_bool()
        self._check_mask(entry, weight, torch.from_numpy(mask), found)
        return weight, mask

    def _check_mask(self, entry: DraftEntry, weight: torch.Tensor, mask: torch.Tensor, found: Recheck) -> None:
        names = getattr(entry, "scores", ())
        rule = self._draft.mask_rule
        if rule == "nonzero":
            holds: bool | None = torch.equal(_nonzero(weight), mask)
        else:
            scores = [self._scores(name) for name in names]
            present = [one for one in scores if one is not None]
            if len(present) < len(names) or not names:
                found.left.append("masks of tasks (the weights under them were)")
                return
            if rule == "explicit":
                holds = torch.equal(self._product(present, weight), mask)
            elif rule in ("global", "movement-global"):
                self._together.append((present[0], mask))
                return
            else:
                keep = None if self._keep is None else self._keep(entry.source)
                holds = rules.follows(rule, present[0], mask, keep, self._draft.threshold)
        if not holds:
            raise MismatchError(
                f"the mask of {quoted(entry.name)} does not follow from the checkpoint by rule {rule!r}"
            )

    def check_together(self) -> None:
        """Masks with one threshold for the whole network."""
        keep = None if self._keep is None else next((fraction for _, fraction in self._keep.fractions), None)
        if not self._together or keep is None:
            return
        scores, masks = zip(*self._together, strict=True)
        if not rules.follow_together(self._draft.mask_rule, scores, masks, keep):
            raise MismatchError(f"masks do not follow from the checkpoint by rule {self._draft.mask_rule!r}")

    def _check_seeded(self, name: str, entry: SeededWeight, scores: torch.Tensor) -> None:
        mask = torch.from_numpy(entry.mask.to_bool())
        bernoulli = self._draft.original.get("bernoulli", {})
        if entry.name in bernoulli:
            holds = rules.follows("sigmoid", scores, mask, None, None)
        else:
            generator = entry.prototype.generator
            keys = rules.keys_of(scores, True)
            if getattr(generator, "zeros", 0):
                active = torch.from_numpy(np.resize(generator.values(), len(mask)) != 0)
                if bool((mask & ~active).any()):
                    raise MismatchError(f"the mask of {quoted(name)} keeps weights that are zero")
                keys, mask = keys[active], mask[active]
            keep = 1.0 if self._keep is None else self._keep(entry.name) or 1.0
            holds = rules.splits(keys, mask, int((1 - keep) * len(mask)))
            holds = holds and self._coats_follow(entry, keys, keep)
        if not holds:
            raise MismatchError(f"the mask of {quoted(name)} does not follow from its scores")

    def _coats_follow(self, entry: SeededWeight, keys: torch.Tensor, keep: float) -> bool:
        """Return whether further masks keep the shares that stand behind the thirteen integers of the recipe."""
        recipe = self._tensors.get(entry.source.removesuffix(".original") + ".0.recipe")
        shares = [] if recipe is None else recipe[13:].view(torch.float64).tolist()
        return len(shares) == len(entry.coats) and all(
            rules.splits(keys, torch.from_numpy(coat.to_bool()), int((1 - keep * share) * len(keys)))
            for share, coat in zip(shares, entry.coats, strict=True)
        )

    def _scores(self, name: str) -> torch.Tensor | None:
        if name in self._tensors:
            return self._tensors[name]
        own = name.removeprefix("mask of ")
        if own == name:
            return None
        called = self._draft.original.get("names", {}).get(own, own)
        return self._masks.get(called, self._bare.get(_bare(called)))

    def _product(self, masks: list[torch.Tensor], weight: torch.Tensor) -> torch.Tensor:
        inverted = bool(self._draft.original.get("inverted"))
        kept = torch.ones(weight.shape, dtype=torch.bool)
        for mask in masks:
            kept &= (mask == 1).expand(weight.shape) ^ inverted
        return kept.reshape(-1)


def _is_plain(entry: DraftEntry) -> bool:
    return not isinstance(entry, MaskedWeight | SeededWeight)


def _key(whole: Mapping[Any, Any], key: object) -> object:
    return key if key in whole else next(other for other in whole if str(other) == str(key))


def _is_shard(key: object, value: object) -> bool:
    return isinstance(key, str) and key.endswith((".safetensors", ".bin", ".pt", ".pth")) and isinstance(value, Mapping)


def _bare(name: str) -> str:
    name = name.removesuffix("_mask")
    while name.startswith(PREFIXES):
        name = name.partition(".")[2]
    return name


def _nonzero(weight: torch.Tensor) -> torch.Tensor:
    flat = weight.reshape(-1)
    return (flat.float() if flat.is_floating_point() and flat.itemsize < 4 else flat) != 0


def _is(weight: torch.Tensor, mask: NDArray[np.bool_] | None, opened: PemnFile, name: str) -> bool:
    """Return whether a tensor of the file has this type and shape, and these bytes, zero where a mask says so."""
    index, decoder = opened.index(name), opened.decoder
    dtype = str(weight.dtype).removeprefix("torch.")
    if decoder.dtype(index).name != dtype or decoder.shape(index) != tuple(weight.shape):
        return False
    data = raw.bytes_of(weight).reshape(-1, weight.dtype.itemsize)
    start = 0
    for words in decoder.pieces(index):
        piece = words.view(np.uint8).reshape(-1, weight.dtype.itemsize)
        stop = start + len(piece)
        expected = data[start:stop]
        if mask is not None:
            expected = expected * mask[start:stop, None]
        if expected.tobytes() != piece.tobytes():
            return False
        start = stop
    return start == len(data)
