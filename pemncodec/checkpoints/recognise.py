"""Checkpoints of other programs: read them safely, recognise their family, derive the masks, and write them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import MaskRuleError, UnknownLayoutError
from ..errors.quoting import quoted
from .draft import Draft, DraftEntry, MaskedWeight, PlainTensor, SeededWeight, TiedTensor
from .families.table import FAMILIES, family_named
from .family import Checkpoint, Family
from .folders import Folder
from .masks import found_masks
from .names import common_prefix
from .options import PackOptions
from .state import State
from .ties import tied

# What projects call the scores or the mask of `X.weight`.
_LIKE_SCORES = (
    "scores",
    "popup_scores",
    "mask_scores",
    "weight_score",
    "mask",
    "b_mask",
    "mask_real",
    "weight_mask",
    "bias_mask",
)
_SHOWN = 3  # names in a note

__all__ = ["FAMILIES", "draft_of", "family_named"]


def draft_of(source: object, options: PackOptions) -> Draft:
    """Return the draft of a module, a state_dict, a whole checkpoint or a folder.

    Raises:
        CheckpointError: there is no network in it, its layout is broken, or masks do not follow from it.
    """
    checkpoint = Checkpoint(source, options)
    draft = _recognise(checkpoint, options)
    draft.entries = tied(draft.entries)
    state = checkpoint.opened
    if state is not None:
        draft.eps = state.eps
        draft.dropped.extend(state.dropped)
        draft.notes.extend(state.notes)
        draft.original |= state.nesting
        _check_leftover(draft)
        _note_leftover(draft, state)
    draft.original = {key: value for key, value in draft.original.items() if value or type(value) is int}  # a key of 0
    _check_used(draft, options)
    return _stripped(draft, state) if options.strip_prefix else draft


def _recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft:
    """The draft of the first family that recognises the checkpoint."""
    folder = isinstance(checkpoint.raw, Folder)
    for family in _asked(options):
        if folder and not family.folders:
            continue
        draft = family.recognise(checkpoint, options)
        if draft is not None:
            return draft
    if options.family is not None:
        raise UnknownLayoutError(f"not a checkpoint of family {options.family!r}: omit --family to detect the family")
    raise UnknownLayoutError(
        "not a folder of a known family: expected final/ and masks/ with .npy files (Google's lottery "
        "tickets), or mask.pth and one model_ep*_it*.pth (open_lth)"
    )


def _asked(options: PackOptions) -> Sequence[Family]:
    """The families to try: those that the options name, or all."""
    if options.family is not None:
        return (family_named(options.family),)
    if options.masks is not None:
        return (family_named("masks-file"),)
    if options.mask_suffix is not None:
        return (family_named("masked-buffers"),)
    return FAMILIES


def _check_leftover(draft: Draft) -> None:
    """Refuse tensors beside a masked weight that look like its scores or masks but were not used."""
    shapes = {entry.name: entry.shape for entry in draft.entries if isinstance(entry, MaskedWeight | SeededWeight)}
    for entry in draft.entries:
        weight = _scored_by(entry.name, shapes) if isinstance(entry, PlainTensor) else None
        if weight is not None and isinstance(entry, PlainTensor) and shapes[weight] == entry.shape:
            raise UnknownLayoutError(
                f"{quoted(entry.name)} stands beside {quoted(weight)}, which already has a mask "
                f"({draft.family}): it is ambiguous which one applies (--family NAME takes one, --family dense none)"
            )


def _scored_by(name: str, weights: Mapping[str, object]) -> str | None:
    """The weight beside which a tensor of this name would be scores or a mask."""
    prefix, dot, last = name.rpartition(".")
    weight = f"{prefix}{dot}weight"
    return weight if last in _LIKE_SCORES and weight in weights else None


def _note_leftover(draft: Draft, state: State) -> None:
    """Add notes about tensors that are stored without a mask, though their names or values suggest one."""
    found = [
        one for one in draft.entries if isinstance(one, PlainTensor | MaskedWeight) and one.source in state.tensors
    ]
    plain = [one.source for one in found if isinstance(one, PlainTensor) or not one.scores]
    named = [name for name in plain if name.rpartition(".")[2].endswith(("mask", "masks", "scores", "_orig"))]
    if named and draft.family != "dense":
        shown = ", ".join(map(quoted, named[:_SHOWN])) + (", …" if len(named) > _SHOWN else "")
        draft.notes.append(f"stored as tensors, because they match no weight: {shown}")
    for name, weight, suffix in found_masks.unnamed(state, plain):
        draft.notes.append(
            f"{quoted(name)} holds 0 and 1 in the shape of {quoted(weight)}, but is stored as a tensor: if it is the "
            f"mask, use --mask-suffix {suffix}"
        )
        break


def _check_used(draft: Draft, options: PackOptions) -> None:
    """Note or refuse options that had no effect."""
    explicit = draft.mask_rule in ("explicit", "nonzero", "none")
    own = "this family stores its masks in the file"
    why = own if explicit else f"rule {draft.mask_rule} does not take it"
    if options.keep is not None and draft.keep is None:
        text = "by pattern" if isinstance(options.keep, Mapping) else f"{float(options.keep):g}"
        draft.notes.append(f"keep {text} was not used: {why}")
    if options.rule is not None and explicit:
        draft.notes.append(f"rule {options.rule} was not used: {why}")
    if options.threshold is not None and draft.threshold is None:
        draft.notes.append(f"threshold {options.threshold:g} was not used: {why}")
    if options.inverted_masks and draft.mask_rule != "explicit":
        draft.notes.append("inverted masks were not used: there is no mask of 0 and 1")
    if options.masks is not None and draft.family != "masks-file":
        raise MaskRuleError(
            f"masks were given, but family {draft.family!r} has its own: omit the masks that were given"
        )
    if options.backbone is not None and draft.family != "piggyback":
        raise UnknownLayoutError(
            f"a backbone was given, but this checkpoint ({draft.family}) has its own weights: omit it"
        )


def _stripped(draft: Draft, state: State | None) -> Draft:
    """Without the prefixes of DataParallel and torch.compile, in any order, which every name must have."""
    names = [entry.name for entry in draft.entries]
    removed = common_prefix(names)
    mixed = None if state is None else state.mixed_prefix()
    if not removed and mixed is not None:
        raise UnknownLayoutError(f"the prefix cannot be stripped: {mixed}")
    if not removed:
        draft.notes.append("no name has a prefix to strip")
        return draft

    def short(entry: DraftEntry) -> DraftEntry:
        if isinstance(entry, TiedTensor):
            entry = replace(entry, target=entry.target[len(removed) :])
        return replace(entry, name=entry.name[len(removed) :])

    return replace(
        draft,
        entries=[short(entry) for entry in draft.entries],
        original=draft.original | {"prefix": removed},
        eps={prefix.removeprefix(removed): eps for prefix, eps in draft.eps.items()},
    )
