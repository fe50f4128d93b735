"""facebookresearch/open_lth: lottery tickets, trained values. Two forms.

`checkpoint.pth` holds under `model_state_dict` the tensors of the network as `model.X`, and masks as `mask_` and the
name with `___` for every dot. A level of an experiment is a folder with `mask.pth`, {X: int32}, and
`model_ep*_it*.pth`, a plain state_dict. Values may be other than zero outside of a mask: the mask wins.
"""

from __future__ import annotations

from typing import Any

import torch

from ...errors import OutputError, UnknownLayoutError
from ...errors.quoting import quoted
from ..draft import Draft
from ..family import Checkpoint, Contents, Family, restored, torch_type
from ..folders import Folder, OutputFolder
from ..masks import explicit
from ..options import PackOptions
from ..state import unwrap
from .masks_file import with_masks

NAME = "open_lth"
_MODEL, _MASK, _PARALLEL = "model.", "mask_", "module."


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if the state_dict has `model.X` and a mask for some X, or the folder `mask.pth` and one model.

    Raises:
        UnknownLayoutError: several models in the folder; a mask without a tensor of its shape, other values than 0 and
            1.
    """
    if isinstance(checkpoint.raw, Folder):
        return _recognise_folder(checkpoint.raw, options)
    state = checkpoint.state
    parallel = _PARALLEL if all(name.startswith(_PARALLEL) for name in state.tensors) else ""
    model, mask = parallel + _MODEL, parallel + _MASK
    masks = {model + name[len(mask) :].replace("___", "."): name for name in state.tensors if name.startswith(mask)}
    masks = {weight: name for weight, name in masks.items() if weight in state.tensors}
    names = {weight: (name,) for weight, name in masks.items()}
    if not masks:
        return None
    draft = explicit.draft_with(
        state,
        NAME,
        names,
        options,
        dropped=["mask_*"],
        rename=lambda name: parallel + name[len(model) :] if name.startswith(model) else name,
    )
    draft.reasons.append(f"{len(masks)} tensors have a mask_ buffer (first: {quoted(next(iter(masks.values())))})")
    draft.original |= explicit.mask_dtype(state, names) | ({"parallel": True} if parallel else {})
    return draft


def _recognise_folder(folder: Folder, options: PackOptions) -> Draft | None:
    if "mask.pth" not in folder.files:
        return None
    models = [name for name in folder.files if name.startswith("model_ep")]
    if len(models) != 1:
        raise UnknownLayoutError(
            f"the folder has mask.pth and {len(models)} models ({', '.join(models[:4]) or 'model_ep*_it*.pth'}): pack "
            f"one of "
            "them, with --masks mask.pth"
        )
    draft = with_masks(unwrap(folder.load(models[0])), folder.load("mask.pth"), NAME, options)
    draft.reasons.append(f"the folder has mask.pth beside {models[0]}")
    draft.original["model"] = models[0]
    return draft


def restore(contents: Contents) -> Any:
    """`model.X` and `mask_X`; or a folder with the model, multiplied by its masks, and `mask.pth`.

    Raises:
        OutputError: a zero bit stands for another value than zero; names without the prefix that all had.
        MetadataError: the name of the model is no plain name of a file, or that of the masks.
    """
    if "model" in contents.details:
        dtype = torch_type(contents.details, "mask", torch.int32)
        masks = {name: contents.mask(name, dtype) for name in contents.names if contents.masked(name)}
        model = restored(contents, lambda name: (name,), lambda contents, name: (contents.dense(name),))
        return OutputFolder.of([(contents.details["model"], model), ("mask.pth", masks)])
    parallel = _PARALLEL if contents.details.get("parallel") else ""

    def own(name: str) -> str:
        if not name.startswith(parallel):
            raise OutputError(f"{quoted(name)} lacks the prefix {parallel!r}, which all names had: use another layout")
        return name[len(parallel) :]

    def plain(name: str) -> str:
        return parallel + _MODEL + own(name)

    def names(name: str) -> tuple[str, str]:
        return plain(name), f"{parallel}{_MASK}{own(name).replace('.', '___')}"

    return restored(contents, names, explicit.weight_and_mask, plain)


FAMILY = Family(NAME, recognise, restore, folders=True)
