"""Checkpoints of other programs: read them safely, recognise their family, derive the masks, and write them again."""

from __future__ import annotations

from dataclasses import replace

from ..draft import Draft, DraftEntry, TiedTensor
from ..errors import MaskRuleError, UnknownLayoutError
from ..options import PackOptions
from .families import FAMILIES, family_named
from .family import Checkpoint
from .folders import Folder
from .state import PREFIXES, State

__all__ = ["FAMILIES", "draft_of", "family_named"]


def draft_of(source: object, options: PackOptions) -> Draft:
    """What a module, a state_dict, a whole checkpoint or a folder says.

    Raises:
        CheckpointError: there is no network in it, its layout is broken, or masks do not follow from it.
    """
    checkpoint = Checkpoint(source, options.key)
    draft = _recognise(checkpoint, options)
    draft.original = {key: value for key, value in draft.original.items() if value}
    state = checkpoint.opened
    if state is not None:
        draft.eps = state.eps
        draft.dropped.extend(state.dropped)
        draft.notes.extend(state.notes)
        if state.under is not None and draft.layout != "piggyback":
            draft.original["under"] = state.under
    _check_used(draft, options)
    return _stripped(draft, state) if options.strip_prefix else draft


def _recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft:
    """The draft of the first family that recognises the checkpoint."""
    folder = isinstance(checkpoint.raw, Folder)
    asked = FAMILIES if options.family is None else (family_named(options.family),)
    for family in asked:
        if folder and not family.folders:
            continue
        draft = family.recognise(checkpoint, options)
        if checkpoint.opened is not None:
            checkpoint.opened.check_prefix()
        if draft is not None:
            return draft
    if options.family is not None:
        raise UnknownLayoutError(f"this is no checkpoint of the family {options.family!r}: leave --family away to look")
    raise UnknownLayoutError(
        "this folder is none that is known: expected final/ and masks/ with .npy files (Google's lottery tickets), or "
        "mask.pth and one model_ep*_it*.pth (open_lth)"
    )


def _check_used(draft: Draft, options: PackOptions) -> None:
    """What was said for nothing is a misunderstanding."""
    explicit = draft.mask_rule in ("explicit", "nonzero", "none")
    if options.keep is not None and draft.keep is None:
        text = f"{options.keep:g}" if isinstance(options.keep, float | int) else "by pattern"
        draft.notes.append(f"keep {text} was not used: the masks of this layout are in the file itself")
    for name, value in (("rule", options.rule), ("threshold", options.threshold)):
        if value is not None and explicit:
            draft.notes.append(f"{name} {value} was not used: the masks of this layout are in the file itself")
    if options.masks is not None and draft.layout != "masks-file":
        raise MaskRuleError(
            f"masks are given, and the checkpoint has its own ({draft.layout}): which of them count is not said"
        )
    if options.backbone is not None and draft.layout != "piggyback":
        raise UnknownLayoutError(f"a backbone is given, and this checkpoint ({draft.layout}) has its weights itself")


def _stripped(draft: Draft, state: State | None) -> Draft:
    """Without the prefix of DataParallel or torch.compile, which every name must have."""
    names = [entry.name for entry in draft.entries]
    removed = ""
    for prefix in PREFIXES:
        if names and all(name.startswith(removed + prefix) for name in names):
            removed += prefix
    mixed = None if state is None else state.mixed_prefix()
    if not removed and mixed is not None:
        raise UnknownLayoutError(f"the prefix cannot be stripped: {mixed}")
    if not removed:
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
