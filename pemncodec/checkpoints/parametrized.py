"""`X.parametrizations.Y.original` beside `X.parametrizations.Y.0.recipe`: networks of `pemncodec.nn`.

The recipe says which values fill the layer and which fraction of them is kept; nothing has to be given or found.
"""

from __future__ import annotations

import torch

from ..draft import Draft, SeededWeight
from ..errors import MaskRuleError, UnknownLayoutError
from ..network import GeneratedPrototype
from ..options import PackOptions
from ..recipe import Recipe
from . import mask_rules
from .state import State

LAYOUT = "pemncodec.nn"
_RECIPE = ".0.recipe"
_ORIGINAL = ".original"
_INFIX = "parametrizations."


def recognise(state: State, options: PackOptions) -> Draft | None:
    """A draft if any layer has a recipe.

    Raises:
        UnknownLayoutError: a recipe without scores, or one that this version does not know.
        MaskRuleError: `keep` contradicts the recipe.
    """
    recipes = {name[: -len(_RECIPE)]: name for name in state.tensors if name.endswith(_RECIPE) and _INFIX in name}
    if not recipes:
        return None
    draft = Draft(LAYOUT, "edge-popup", dropped=["scores"])
    for name in state.tensors:
        if name in recipes.values():
            base = name[: -len(_RECIPE)]
            if base + _ORIGINAL not in state.tensors:
                raise UnknownLayoutError(f"{name!r} is a recipe without scores: there is no {base + _ORIGINAL!r}")
            continue
        base = name[: -len(_ORIGINAL)] if name.endswith(_ORIGINAL) else ""
        draft.entries.append(
            _seeded(state, base, recipes[base], options, draft) if base in recipes else state.plain(name)
        )
    return draft


def _seeded(state: State, base: str, recipe_name: str, options: PackOptions, draft: Draft) -> SeededWeight:
    scores = state.tensors[base + _ORIGINAL]
    stored = state.tensors[recipe_name]
    if stored.dtype != torch.int64 or stored.dim() != 1:
        raise UnknownLayoutError(f"{recipe_name!r} has dtype {stored.dtype}: a recipe is a vector of int64")
    if scores.dtype != torch.float32:
        raise UnknownLayoutError(
            f"{base + _ORIGINAL!r} has dtype {scores.dtype}: a converted network computes with other weights than its "
            "recipe says; pack it before converting"
        )
    if base + ".1.recipe" in state.tensors:
        raise UnknownLayoutError(f"{base!r} was masked twice: which of the masks counts is not said")
    recipe = Recipe.from_integers(stored.tolist(), repr(recipe_name))
    where = base + _ORIGINAL
    if recipe.sampler == "bernoulli":
        draft.mask_rule = "sigmoid"
        derived = mask_rules.sigmoid(scores, where)
    else:
        draft.keep = recipe.keep
        derived = mask_rules.edge_popup(scores, recipe.keep, where, recipe.active(scores.numel()))
    if recipe.sampler == "bernoulli" and derived.mask.count() in (0, derived.mask.length):
        some = "none" if derived.mask.count() == 0 else "all"
        draft.notes.append(f"{where!r} keeps {some} of its weights: a Bernoulli mask keeps what has at least 1/2")
    if options.keep is not None and options.keep != draft.keep:
        raise MaskRuleError(f"--keep {options.keep} contradicts the recipe in the file, {draft.keep}: leave it away")
    name = base.replace(_INFIX, "", 1) if base.startswith(_INFIX) else base.replace("." + _INFIX, ".", 1)
    return SeededWeight(
        name, tuple(scores.shape), GeneratedPrototype(recipe.generator), derived.mask, recipe.zero, recipe.factor
    )
